/**
 * Runs a Lua script in a real block: real threads, clock and ids, and an empty project folder that goes away
 * with the test process. There are no stores unless a test brings them.
 */
import { randomUUID } from "node:crypto";
import { mkdtempSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Ids, LogEvent } from "@atoll-run/core";
import { seededIds } from "@atoll-run/testkit";
import { type BlockParts, createBlock } from "../../src/block.ts";
import type { BlockConfig, BlockResult, BlockRun } from "../../src/config.ts";
import type { BlockError } from "../../src/errors.ts";
import { type IslePlacing, ownThreads } from "../../src/isle/host/threads.ts";
import { loadLuaModule } from "../../src/isle/lua-module.ts";
import type { StoreOpeners } from "../../src/run/kit.ts";
import { clock } from "../ops.ts";

/** No script of a test may run longer; then it is cancelled. */
const RUN_MS_MAX = 30_000;

/** What a stopped script may take to return, unless a test is about that: a busy machine must not cancel it. */
const GRACE_MS = 10_000;

/** Everything a block can be told, save what the helper itself gives. */
export interface ScriptOptions extends Omit<Partial<BlockConfig>, "script" | "stdout" | "log"> {
  /** Name of the script in errors; default `test.lua`. */
  readonly name?: string;
  readonly stores?: Partial<StoreOpeners>;
  /** Default: a thread for each isle. */
  readonly placing?: IslePlacing;
}

/** How a run ended. Exactly one of `result` and `error` is there. */
export interface ScriptEnd {
  readonly stdout: string;
  readonly result?: BlockResult;
  readonly error?: BlockError;
  readonly log: readonly LogEvent[];
}

export interface StartedScript {
  readonly run: BlockRun;
  /** What was logged and printed so far. */
  readonly log: readonly LogEvent[];
  printed(): string;
  readonly end: Promise<ScriptEnd>;
}

/** Runs `source` to its end; a failed run is an `error`, not an exception. */
export function runLua(source: string, options: ScriptOptions = {}): Promise<ScriptEnd> {
  return startLua(source, options).end;
}

/** Starts `source`; the test talks to `run` and awaits `end`. */
export function startLua(source: string, options: ScriptOptions = {}): StartedScript {
  const { name = "test.lua", stores, placing, ...config } = options;
  const log: LogEvent[] = [];
  const decoder = new TextDecoder();
  let stdout = "";
  const block = createBlock(parts({ ...(placing === undefined ? {} : { placing }), ...(stores === undefined ? {} : { stores }) }));
  const late = AbortSignal.timeout(RUN_MS_MAX);
  const run = block.start({
    projectRoot: folder(), env: { PATH: process.env["PATH"] ?? "" }, ...config,
    limits: { graceMs: GRACE_MS, ...config.limits }, script: { source, name }, log: { write: (event) => void log.push(event) },
    stdout: (bytes) => void (stdout += decoder.decode(bytes, { stream: true })),
    signal: config.signal === undefined ? late : AbortSignal.any([late, config.signal]),
  });
  const end = run.result.then(
    (result): ScriptEnd => ({ stdout, result, log }),
    (error: unknown): ScriptEnd => ({ stdout, error: error as BlockError, log }),
  );
  return { run, log, printed: () => stdout, end };
}

/** What every block of a test is made of. */
export function parts({ stores, placing }: Pick<ScriptOptions, "stores" | "placing"> = {}): BlockParts {
  return {
    clock, ids, placing: placing ?? threads(),
    stores: { ...NO_STORES, ...stores }, searchPath: process.env["PATH"] ?? "", inherit: () => undefined,
  };
}

/** The value of a script that must return; fails the test with the error of one that does not. */
export async function valueOf(source: string, options: ScriptOptions = {}): Promise<BlockResult["value"]> {
  const { result, error } = await runLua(source, options);
  if (result === undefined) throw error;
  return result.value;
}

const ids: Ids = { uuid4: () => randomUUID(), uuid7: seededIds(process.pid, clock).uuid7 };

const missing = (): never => {
  throw new Error("this test opened no stores");
};
const NO_STORES: StoreOpeners = { sql: missing, kv: missing, series: missing };

let made: IslePlacing | undefined;

function threads(): IslePlacing {
  made ??= ownThreads(loadLuaModule({ cacheFile: join(tmpdir(), "atoll-block-tests", "lua.wasm") }).module);
  return made;
}

let root: string | undefined;

function folder(): string {
  if (root === undefined) {
    const path = realpathSync(mkdtempSync(join(tmpdir(), "atoll-block-")));
    process.once("exit", () => rmSync(path, { recursive: true, force: true }));
    root = path;
  }
  return root;
}
