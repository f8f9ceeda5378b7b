/** Starts Lua source as a program would: the composed library, real stores in a home of its own, every wait bounded. */
import { join } from "node:path";
import { after } from "node:test";
import { type BlockResult, createPool, type IslePool, type RunConfig, type StartedBlock, startBlock } from "@atoll-run/atoll";
import { type Fault, isFault, type Json, type LogEvent } from "@atoll-run/core";
import { until } from "@atoll-run/testkit";
import { emptyFolder } from "../acceptance/support.ts";

export { emptyFolder } from "../acceptance/support.ts";

/** No script of a test may run longer; then it is cancelled. */
const RUN_MS_MAX = 25_000;

/** What a stopped script may take to return, unless a test is about that: a busy machine must not cancel it. */
const GRACE_MS = 10_000;

/** The config of a run; threads are shared by all runs of a test file unless it says otherwise. */
export type Config = Partial<RunConfig> & { readonly ownThreads?: true };

let shared: IslePool | undefined;
after(() => shared?.close());

/** Either `result` or `error` is there. */
export interface Ended {
  readonly result?: BlockResult;
  readonly error?: Fault;
}

export interface Started {
  readonly run: StartedBlock;
  readonly home: string;
  readonly logs: readonly LogEvent[];
  printed(): string;
  /** Texts of warnings so far. */
  warned(): string[];
  readonly end: Promise<Ended>;
}

/** Starts `source` in an empty folder that is its project and its home, unless `config` says otherwise. */
export function start(source: string, config: Config = {}): Started {
  const home = config.projectRoot ?? emptyFolder();
  const logs: LogEvent[] = [];
  let stdout = "";
  const { env, signal, ownThreads, ...rest } = config;
  const bound = AbortSignal.timeout(RUN_MS_MAX);
  const run = startBlock({
    projectRoot: home, script: { source, name: "test.lua" }, stderr: "ignore",
    stdout: (bytes) => void (stdout += Buffer.from(bytes).toString()), log: { write: (event) => void logs.push(event) },
    ...(ownThreads === true ? {} : { pool: shared ??= createPool({ max: 2, warm: 2 }) }), ...rest,
    limits: { graceMs: GRACE_MS, ...config.limits }, env: { PATH: process.env["PATH"] ?? "", HOME: home, ATOLL_HOME: join(home, ".atoll"), ...env },
    signal: signal === undefined ? bound : AbortSignal.any([bound, signal]),
  });
  const end = run.result.then((result): Ended => ({ result }), (error: unknown): Ended => {
    if (!isFault(error) || bound.aborted) throw new Error("the run did not end in its time", { cause: error });
    return { error };
  });
  end.catch(() => undefined);
  return {
    run, home, logs, end, printed: () => stdout,
    warned: () => logs.filter(({ level }) => level === "warn").map(({ msg }) => msg),
  };
}

/** Starts a script and waits until it serves. */
export async function serving(source: string, config: Config = {}): Promise<Started> {
  const started = start(source, config);
  await Promise.race([until(() => started.run.serving, { withinMs: RUN_MS_MAX }), started.run.result]);
  return started;
}

/** The result of a script that must return. */
export async function resultOf(source: string, config: Config = {}): Promise<BlockResult> {
  const { result, error } = await start(source, config).end;
  if (result === undefined) throw error;
  return result;
}

/** The value of a script that must return. */
export async function valueOf(source: string, config: Config = {}): Promise<Json> {
  return (await resultOf(source, config)).value;
}

/** The fault of a script that must fail. */
export async function faultOf(source: string, config: Config = {}): Promise<Fault> {
  const { error } = await start(source, config).end;
  if (error === undefined) throw new Error("the script did not fail");
  return error;
}

/** Stops a serving run and gives how it ended. */
export async function stopped({ run, end }: Started): Promise<BlockResult> {
  run.stop().catch(() => undefined);
  const { result, error } = await end;
  if (result === undefined) throw error;
  return result;
}
