/** The conformance program of the protocol's makers, as a process; and ours. */
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { fileURLToPath } from "node:url";

const PROGRAM = fileURLToPath(import.meta.resolve("@modelcontextprotocol/conformance/dist/index.js"));
export const ATOLL = fileURLToPath(new URL("../../packages/atoll/bin/main.ts", import.meta.url));

export interface Ended {
  readonly code: number | null;
  /** Both streams, without colours. */
  readonly text: string;
}

/** Runs it to its end, offline, in a folder that goes away. `ms`: it is ended then. */
export async function conformance(args: readonly string[], ms: number): Promise<Ended> {
  const folder = mkdtempSync(join(tmpdir(), "atoll-conformance-"));
  try {
    return await new Promise((resolve, reject) => {
      const child = spawn(process.execPath, [PROGRAM, ...args], {
        cwd: folder, stdio: ["ignore", "pipe", "pipe"],
        env: { PATH: process.env["PATH"] ?? "", HOME: folder, ATOLL_HOME: folder },
      });
      const timer = setTimeout(() => child.kill("SIGKILL"), ms);
      let text = "";
      const hear = (chunk: Buffer): void => {
        text += chunk.toString("utf8");
      };
      child.stdout.on("data", hear);
      child.stderr.on("data", hear);
      child.once("error", reject);
      child.once("close", (code) => {
        clearTimeout(timer);
        // oxlint-disable-next-line no-control-regex
        resolve({ code, text: text.replace(/\x1b\[\d+m/g, "") });
      });
    });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Names that the program knows, by kind. */
export async function scenarios(kind: "server" | "client"): Promise<string[]> {
  const { text } = await conformance(["list"], 60_000);
  const [server = "", client = ""] = text.split("Client scenarios");
  return [...(kind === "server" ? server : client).matchAll(/^ {2}- (\S+)/gm)].map(([, name]) =>
    name as string);
}

/** `atoll mcp` over HTTP with the fixture project; gives the URL. Ended with the test. */
export async function serveFixture(t: TestContext): Promise<string> {
  const home = mkdtempSync(join(tmpdir(), "atoll-conformance-"));
  const project = fileURLToPath(new URL("project", import.meta.url));
  const child = spawn(process.execPath, [ATOLL, "mcp", "--http", "0", "--no-token", "--plain-names",
    project], {
    stdio: ["ignore", "ignore", "pipe"],
    env: { PATH: process.env["PATH"] ?? "", HOME: home, ATOLL_HOME: home },
  });
  const ended = new Promise<void>((resolve) => void child.once("close", () => resolve()));
  t.after(async () => {
    child.kill("SIGTERM");
    await ended;
    rmSync(home, { recursive: true, force: true });
  });
  return await new Promise((resolve, reject) => {
    let told = "";
    child.stderr.on("data", (chunk: Buffer) => {
      told += chunk.toString("utf8");
      const url = /serving (\S+)/.exec(told)?.[1];
      if (url !== undefined) resolve(url);
    });
    child.once("close", () => reject(new Error(`it ended: ${told}`)));
  });
}
