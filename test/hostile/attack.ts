/** Runs one hostile script beside a neighbour, as a program of its own would. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type BlockError, type IslePool, type StartedBlock, startBlock } from "@atoll-run/atoll";
import { isFault } from "@atoll-run/core";
import { type Ending, type Hostile, HOSTILE_LIMITS } from "./script.ts";

/** Whatever a script does: it is over by then. */
const ATTACK_MS_MAX = 20_000;
/** Tells the host that the script begins; while it sleeps that is sent. */
const BEGIN = 'print("go") std.task.sleep(2) ';

export interface Attacked {
  readonly end: Ending | "none";
  readonly text: string;
  /** Milliseconds from the first line of the script until the host heard of the limit, or saw the run end. */
  readonly ms: number;
  /** CPU time of the whole process meanwhile: the isle had no more than this. */
  readonly cpuMs: number;
}

export interface AttackPlace {
  /** Where compiled Lua is kept; folders of single attacks are in it, and go with their end. */
  readonly home: string;
  /** Absent: threads of its own. */
  readonly pool?: IslePool | undefined;
}

/** The script begins with a sign of life, on its first line. */
export async function attack(row: Hostile, { home, pool }: AttackPlace): Promise<Attacked> {
  const folder = mkdtempSync(join(home, "attack-"));
  const signal = AbortSignal.timeout(ATTACK_MS_MAX);
  const { grants } = row;
  let begunAt = performance.now();
  let cpuAt = process.cpuUsage();
  let limit: Pick<Attacked, "ms" | "cpuMs"> | undefined;
  const taken = (): Pick<Attacked, "ms" | "cpuMs"> => {
    const { user, system } = process.cpuUsage(cpuAt);
    return { ms: performance.now() - begunAt, cpuMs: (user + system) / 1000 };
  };
  let begun = false;
  const run: StartedBlock = startBlock({
    script: { source: BEGIN + row.source, name: "hostile.lua" }, projectRoot: folder, stderr: "ignore", signal,
    sqlPath: join(folder, "sql.db"), kvPath: join(folder, "kv.db"), tsPath: join(folder, "ts.db"),
    limits: { ...HOSTILE_LIMITS, ...row.limits }, env: { PATH: process.env["PATH"] ?? "", HOME: folder, ATOLL_HOME: home },
    stdout: () => {
      if (begun) return;
      begun = true;
      begunAt = performance.now();
      cpuAt = process.cpuUsage();
      if (row.cancelled === true) run.cancel();
    },
    ...(grants === undefined ? {} : { grants }), ...(pool === undefined ? {} : { pool }),
  });
  run.on("limit", (fact) => {
    if (fact.limit === "isle.timeout") limit ??= taken();
  });
  try {
    const [end, text] = await run.result.then((): [Ending, string] => ["returned", ""], toEnd);
    return { end: signal.aborted ? "none" : end, text, ...limit ?? taken() };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function toEnd(error: unknown): [Ending, string] {
  if (!isFault(error)) throw error;
  return [(error as BlockError).code, error.message.slice(0, 400)];
}

const NEIGHBOUR = `
  local function answer(ev) return ev.payload end
  bus.on("main", answer, {isle = "main"}) bus.on("handler", answer) bus.serve()`;
const ANSWER_MS_MAX = 10_000;

/** A block that minds its own business, and answers in both of its isles. */
export class Neighbour implements AsyncDisposable {
  readonly #run: StartedBlock;
  readonly #home: string;
  #asked = 0;

  private constructor(run: StartedBlock, home: string) {
    this.#run = run;
    this.#home = home;
  }

  static async start({ home, pool }: AttackPlace): Promise<Neighbour> {
    const folder = mkdtempSync(join(tmpdir(), "atoll-neighbour-"));
    const run = startBlock({
      projectRoot: folder, stderr: "ignore", env: { HOME: folder, ATOLL_HOME: home }, ...(pool === undefined ? {} : { pool }),
      script: { source: NEIGHBOUR, name: "neighbour.lua" },
    });
    run.result.catch(() => undefined);
    const neighbour = new Neighbour(run, folder);
    await run.ready;
    await neighbour.ask("handler");
    await neighbour.ask("main");
    return neighbour;
  }

  /** Milliseconds until an isle has answered. Throws when it does not, or wrongly. */
  async ask(isle: "main" | "handler"): Promise<number> {
    const begun = performance.now();
    const n = this.#asked++;
    const answer = await this.#run.request(isle, n, { deadlineMs: ANSWER_MS_MAX });
    if (answer !== n) throw new Error(`the neighbour said ${String(answer)} to ${n}`);
    return performance.now() - begun;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#run.stop().catch(() => undefined);
    await this.#run.result.finally(() => rmSync(this.#home, { recursive: true, force: true }));
  }
}
