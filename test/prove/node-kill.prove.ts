/**
 * SIGKILL at random moments of nodes in a process of their own, a TypeScript service and a Lua block, while clients in
 * this process call, tell and stream over WebSockets, and ask again under the same id when an answer is lost. Rounds of
 * their own for what a node may be at when it dies; see node-kill-round.ts.
 */
import { roundSeed, type Proof, type ProofOrder } from "../../tools/prove/proof.ts";
import { buildProgram, openRounds, type Moment, type RoundOrder } from "./node-kill-round.ts";

const FAILURES_MAX = 10;
const KILLS = 5;
/** Side by side, each with a realm of its own: a round keeps one core busy, mostly with starts. */
const LANES = 2;
/** In turn. Blocks are there in every other round. */
const LINUX = process.platform === "linux";
const MOMENTS: readonly Moment[] = ["work", LINUX ? "fsync" : "work", "drain", "full", "checkpoint", "redrive", "work", "start", "work"];

export const proof: Proof = {
  issue: "C",
  title: "nodes that are killed lose no accepted message, do nothing twice, keep the order of a sender, and leave no row behind",
  sharePercent: 18,
  full: 400,
  async run(order) {
    const rounds = new Turns(order);
    const program = await buildProgram();
    await Promise.all(Array.from({ length: LANES }, async () => {
      await using all = await openRounds(program);
      for (let round = rounds.next(); round !== undefined; round = rounds.next()) {
        const wrong = await all.run(orderOf(round, order.seed)).catch((error: unknown) => [String(error)]);
        rounds.end(round, wrong);
      }
    }));
    return { rounds: rounds.done, failures: rounds.failures };
  },
};

function orderOf(round: number, seed: number): RoundOrder {
  return {
    moment: momentOf(round), kills: KILLS, random: randomOf(roundSeed(seed, round)), tag: String(round),
    nodes: round % 2 === 0 ? ["ledger", "book"] : ["ledger"], byType: round % 3 === 1,
  };
}

function momentOf(round: number): Moment {
  return MOMENTS[round % MOMENTS.length] ?? "work";
}

/** Whose turn it is: the next round for whichever lane is free, told in their order when they have ended. */
class Turns {
  readonly failures: string[] = [];
  done = 0;
  readonly #order: ProofOrder;
  readonly #ended = new Set<number>();
  #begun = 0;

  constructor(order: ProofOrder) {
    this.#order = order;
  }

  /** Undefined: there is none any more. */
  next(): number | undefined {
    const { from, count, deadlineAtMs, signal } = this.#order;
    const isOver = this.#begun >= count || Date.now() >= deadlineAtMs || signal.aborted || this.failures.length >= FAILURES_MAX;
    return isOver ? undefined : from + this.#begun++;
  }

  end(round: number, wrong: readonly string[]): void {
    if (wrong.length > 0) this.failures.push(`round ${round} (${momentOf(round)}): ${wrong.slice(0, 5).join("; ")}`);
    this.#ended.add(round);
    // A full run goes on behind the last of those without a gap.
    while (this.#ended.delete(this.#order.from + this.done)) {
      this.done += 1;
      this.#order.onRound();
    }
  }
}

/** Numbers from 0 to below 1, the same for the same seed. */
function randomOf(seed: number): () => number {
  let draw = 0;
  return () => roundSeed(seed, draw++) / 2 ** 32;
}
