/** Runs Lua source as a program of its own would: composed library, real stores in a home of its own. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after } from "node:test";
import { type RunConfig, startBlock } from "@atoll-run/atoll";
import { isFault } from "@atoll-run/core";

export interface Ran {
  readonly stdout: string;
  readonly value?: unknown;
  readonly error?: { readonly code: string; readonly message: string };
}

const folders: string[] = [];
after(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

/** An empty folder that goes away with the test file. */
export function emptyFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "atoll-acceptance-"));
  folders.push(folder);
  return folder;
}

export async function runLua(source: string, config: Partial<RunConfig> = {}): Promise<Ran> {
  const home = emptyFolder();
  let stdout = "";
  const { env, ...rest } = config;
  const run = startBlock({
    projectRoot: home, stdout: (bytes) => void (stdout += Buffer.from(bytes).toString()), signal: AbortSignal.timeout(30_000),
    ...rest, script: { source, name: "test.lua" }, env: { PATH: process.env["PATH"] ?? "", HOME: home, ...env },
  });
  try {
    return { value: (await run.result).value, get stdout() { return stdout; } };
  } catch (error) {
    if (!isFault(error)) throw error;
    return { error: { code: error.code, message: error.message }, get stdout() { return stdout; } };
  }
}

/** The value of a script that must return. */
export async function valueOf(source: string, config: Partial<RunConfig> = {}): Promise<unknown> {
  const { value, error } = await runLua(source, config);
  if (error !== undefined) throw new Error(`${error.code}: ${error.message}`);
  return value;
}
