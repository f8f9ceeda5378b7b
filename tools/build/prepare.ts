/** A package may lay more beside its compiled code, made by that code: `prepare` of its internal door. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { runChild } from "../child.ts";

const TIMEOUT_MS = 60_000;

export async function prepare(dist: string): Promise<void> {
  const door = join(dist, "internal.js");
  if (!existsSync(door)) return;
  const code = `const door = await import(${JSON.stringify(pathToFileURL(door).href)}); await door.prepare?.()`;
  const end = await runChild({
    command: process.execPath, args: ["--input-type=module", "-e", code], cwd: dist, timeoutMs: TIMEOUT_MS,
  });
  if (end.code !== 0) throw new Error(`prepare of ${dist} failed:\n${end.output}`);
}
