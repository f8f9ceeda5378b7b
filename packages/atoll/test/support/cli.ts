/**
 * The program as its users run it: a real process, an environment of its own, an empty home and project. The
 * source is run, so that no build has to be there, or with ATOLL_TEST_BUILT=1 the built program.
 */
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { TestContext } from "node:test";
import { fileURLToPath } from "node:url";

const SOURCE = new URL("../../bin/main.ts", import.meta.url);
const BUILT = new URL("../../../../build/node_modules/@atoll-run/atoll/bin/atoll.js", import.meta.url);
export const PROGRAM = fileURLToPath(process.env["ATOLL_TEST_BUILT"] === "1" ? BUILT : SOURCE);
/** Far above what any test needs on a busy machine: a hanging one is ended, not waited for. */
const RUN_MS_MAX = 60_000;
/** One for all tests of a process, so that Lua is rewritten once. */
let cache: string | undefined;

export interface Place {
  /** Working folder of the program. */
  readonly cwd: string;
  /** ATOLL_HOME. */
  readonly home: string;
  /** Writes a file below the working folder and gives its whole path. */
  file(name: string, text: string | Uint8Array, mode?: number): string;
  path(name: string): string;
}

/** An empty folder that goes away with the test. */
export function place(t: TestContext): Place {
  const root = realpathSync(mkdtempSync(join(tmpdir(), "atoll-cli-")));
  t.after(() => rmSync(root, { recursive: true, force: true }));
  const cwd = join(root, "project");
  mkdirSync(cwd);
  return {
    cwd, home: sharedHome(),
    path: (name) => join(cwd, name),
    file(name, text, mode) {
      const path = join(cwd, name);
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, text);
      if (mode !== undefined) chmodSync(path, mode);
      return path;
    },
  };
}

function sharedHome(): string {
  if (cache === undefined) {
    const made = mkdtempSync(join(tmpdir(), "atoll-cli-home-"));
    process.once("exit", () => rmSync(made, { recursive: true, force: true }));
    cache = made;
  }
  return cache;
}

export interface CallOptions {
  /** Variables beside PATH, HOME and ATOLL_HOME; undefined takes one away. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly stdin?: string | Uint8Array;
  /** A program that starts atoll in a way of its own; default: atoll itself. */
  readonly program?: string;
  /** Milliseconds after which it is killed; default a minute. */
  readonly msMax?: number;
}

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
  /** As it came. */
  readonly bytes: Buffer;
}

export interface Started {
  readonly child: ChildProcessWithoutNullStreams;
  /** What came so far. */
  stdout(): string;
  stderr(): string;
  readonly end: Promise<Ended>;
}

/** Runs `atoll …args` to its end. */
export function atoll(at: Place, args: readonly string[], o: CallOptions = {}): Promise<Ended> {
  return startAtoll(at, args, o).end;
}

export function startAtoll(at: Place, args: readonly string[], o: CallOptions = {}): Started {
  const env = { PATH: process.env["PATH"] ?? "", HOME: at.home, ATOLL_HOME: at.home, ...o.env };
  const child = spawn(process.execPath, [o.program ?? PROGRAM, ...args], {
    cwd: at.cwd, stdio: "pipe",
    env: Object.fromEntries(Object.entries(env).filter(([, value]) => value !== undefined)),
  });
  const timer = setTimeout(() => child.kill("SIGKILL"), o.msMax ?? RUN_MS_MAX);
  const out: Buffer[] = [];
  const errors: Buffer[] = [];
  child.stdout.on("data", (chunk: Buffer) => out.push(chunk));
  child.stderr.on("data", (chunk: Buffer) => errors.push(chunk));
  child.stdin.on("error", () => undefined);
  if (o.stdin !== undefined) child.stdin.end(o.stdin);
  const text = (parts: Buffer[]): string => Buffer.concat(parts).toString("utf8");
  const end = new Promise<Ended>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code, signal) => {
      clearTimeout(timer);
      resolve({ code, signal, stdout: text(out), stderr: text(errors), bytes: Buffer.concat(out) });
    });
  });
  return { child, end, stdout: () => text(out), stderr: () => text(errors) };
}

/** Runs a script of the text `source`. */
export function runScript(
  at: Place, source: string, args: readonly string[] = [], o: CallOptions = {}): Promise<Ended> {
  return atoll(at, ["run", at.file("script.lua", source), ...args], o);
}

/** Is there such a process that is more than an entry in a table? */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch {
    return false;
  }
  return true;
}
