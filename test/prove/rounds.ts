/**
 * Rounds of a proof, until their time is over or too many have failed.
 * takes an order and what a round does; gives how many there were and what was wrong; promises that a round which throws is a failure with its
 * number, and that a full run goes on behind the last of those without a gap; never begins a round after the deadline.
 */
import { roundSeed, type ProofOrder, type ProofResult } from "../../tools/prove/proof.ts";

export interface Round {
  readonly round: number;
  /** 32 bits, of this round alone. */
  readonly seed: number;
  /** Numbers from 0 to below 1, the same for the same seed. */
  readonly random: () => number;
}

/** A sentence, or several. Undefined or empty: nothing. */
export type Wrong = string | readonly string[] | undefined;

const FAILURES_MAX = 10;
/** Of one round: more of them do not help. */
const SENTENCES_MAX = 5;

/** One after the other. */
export async function doRounds(order: ProofOrder, run: (round: Round) => Wrong | Promise<Wrong>): Promise<ProofResult> {
  const rounds = new Rounds(order);
  await rounds.work(run);
  return rounds.result();
}

/** For several who do rounds side by side: each calls `work`. */
export class Rounds {
  readonly #failures: string[] = [];
  #done = 0;
  readonly #order: ProofOrder;
  readonly #ended = new Set<number>();
  #begun = 0;

  constructor(order: ProofOrder) {
    this.#order = order;
  }

  async work(run: (round: Round) => Wrong | Promise<Wrong>): Promise<void> {
    for (let round = this.#next(); round !== undefined; round = this.#next()) {
      const seed = roundSeed(this.#order.seed, round);
      let wrong: Wrong;
      try {
        wrong = await run({ round, seed, random: randomOf(seed) });
      } catch (error) {
        wrong = String(error);
      }
      this.#end(round, typeof wrong === "string" ? [wrong] : wrong ?? []);
    }
  }

  result(): ProofResult {
    return { rounds: this.#done, failures: this.#failures };
  }

  #next(): number | undefined {
    const { from, count, deadlineAtMs, signal } = this.#order;
    const isOver = this.#begun >= count || Date.now() >= deadlineAtMs || signal.aborted || this.#failures.length >= FAILURES_MAX;
    return isOver ? undefined : from + this.#begun++;
  }

  #end(round: number, wrong: readonly string[]): void {
    if (wrong.length > 0) this.#failures.push(`round ${round}: ${wrong.slice(0, SENTENCES_MAX).join("; ")}`);
    this.#ended.add(round);
    while (this.#ended.delete(this.#order.from + this.#done)) {
      this.#done += 1;
      this.#order.onRound();
    }
  }
}

function randomOf(seed: number): () => number {
  let draw = 0;
  return () => roundSeed(seed, draw++) / 2 ** 32;
}
