/** Runs one hostile script beside a neighbour, as a program of its own would. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type BlockError, type IslePool, type StartedBlock, startBlock } from "@atoll-run/atoll";
import { isFault } from "@atoll-run/core";
import { type Ending, type Hostile, HOSTILE_LIMITS } from "./script.ts";

/** Whatever a script does: it is over by then. */
const ATTACK_MS_MAX = 20_000;

export interface Attacked {
  readonly end: Ending | "none";
  readonly text: string;
  /** From the script's first instruction, as nearly as the host can see it, to the end of the run. */
  readonly ms: number;
  /** Until the host heard of the limit; undefined when none fired. */
  readonly limitMs?: number;
}

/** A folder per process: a home with the stores of one attack is thrown away after it. */
export async function attack(row: Hostile, o: { readonly home: string; readonly pool?: IslePool | undefined }): Promise<Attacked> {
  const folder = mkdtempSync(join(o.home, "attack-"));
  const signal = AbortSignal.timeout(ATTACK_MS_MAX);
  const { limits, grants } = row;
  let begun = performance.now();
  let limitMs: number | undefined;
  const run: StartedBlock = startBlock({
    projectRoot: folder, script: { source: row.source, name: "hostile.lua" }, stderr: "ignore", signal,
    sqlPath: join(folder, "sql.db"), kvPath: join(folder, "kv.db"), tsPath: join(folder, "ts.db"),
    limits: { ...HOSTILE_LIMITS, ...limits }, env: { PATH: process.env["PATH"] ?? "", HOME: folder, ATOLL_HOME: o.home },
    stdout: () => {
      if (row.cancelled === true) run.cancel();
    },
    ...(grants === undefined ? {} : { grants }), ...(o.pool === undefined ? {} : { pool: o.pool }),
  });
  run.on("started", () => {
    begun = performance.now();
  });
  run.on("limit", () => {
    limitMs ??= performance.now() - begun;
  });
  try {
    const [end, text] = await run.result.then((result): [Ending, string] => ["returned", JSON.stringify(result.value, plain).slice(0, 200)], toEnd);
    const ms = performance.now() - begun;
    return { end: signal.aborted ? "none" : end, text, ms, ...(limitMs === undefined ? {} : { limitMs }) };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function toEnd(error: unknown): [Ending, string] {
  if (!isFault(error)) throw error;
  return [(error as BlockError).code, error.message.slice(0, 400)];
}

function plain(_: string, value: unknown): unknown {
  return typeof value === "bigint" ? String(value) : value;
}

/** An isle that minds its own business. */
export class Neighbour implements AsyncDisposable {
  readonly #run: StartedBlock;
  readonly #home: string;

  private constructor(run: StartedBlock, home: string) {
    this.#run = run;
    this.#home = home;
  }

  static async start(pool?: IslePool): Promise<Neighbour> {
    const home = mkdtempSync(join(tmpdir(), "atoll-neighbour-"));
    const run = startBlock({
      projectRoot: home, stderr: "ignore", env: { HOME: home }, ...(pool === undefined ? {} : { pool }),
      script: { source: 'bus.on("ping", function(ev) return ev.payload end) bus.serve() return true', name: "neighbour.lua" },
    });
    run.result.catch(() => undefined);
    const neighbour = new Neighbour(run, home);
    await run.ready;
    await neighbour.ask();
    return neighbour;
  }

  /** Milliseconds until it has answered. */
  async ask(): Promise<number> {
    const begun = performance.now();
    const n = Math.floor(begun);
    const answer = await this.#run.request("ping", n, { deadlineMs: 10_000 });
    if (answer !== n) throw new Error(`the neighbour said ${String(answer)} to ${n}`);
    return performance.now() - begun;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#run.stop().catch(() => undefined);
    await this.#run.result.finally(() => rmSync(this.#home, { recursive: true, force: true }));
  }
}
