/** What a file `test/prove/NAME.prove.ts` exports as `proof`. */

/** Minutes of `npm run prove` that belong to each issue; its proofs and bars share them. */
export const SHARE_MINUTES = { A: 4, B: 3, C: 8, D: 5 } as const satisfies Readonly<Record<string, number>>;
export type Issue = keyof typeof SHARE_MINUTES;

export interface ProofOrder {
  /** 32 bits, the same for a repeated run. Round `i` takes its own from `roundSeed(seed, i)`. */
  readonly seed: number;
  /** Number of the first round; more than 0 when a full run goes on. */
  readonly from: number;
  /** Rounds to do at most: `from`, `from + 1`, …, `from + count - 1`. */
  readonly count: number;
  /** By `Date.now()`. Start no round after it; a round that runs may end. */
  readonly deadlineAtMs: number;
  /** To be called after each finished round, failed or not: it is what a full run goes on from. */
  readonly onRound: () => void;
  /** Aborts when somebody wants to stop: leave nothing running. */
  readonly signal: AbortSignal;
}

export interface ProofResult {
  /** Rounds finished in this run. */
  readonly rounds: number;
  /** One sentence each, with the number of its round. Stop after ten: more do not help. */
  readonly failures: readonly string[];
}

export interface Proof {
  readonly issue: Issue;
  /** A sentence: what is proven. */
  readonly title: string;
  /** Part of the issue's minutes; proofs that say none split what is left. */
  readonly sharePercent?: number;
  /** Rounds of `--full`. */
  readonly full: number;
  run(order: ProofOrder): Promise<ProofResult>;
}

/** A seed for one round, so that a round can be repeated without those before it. */
export function roundSeed(seed: number, round: number): number {
  let mixed = Math.imul(seed ^ Math.imul(round + 1, 0x9e3779b1), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}
