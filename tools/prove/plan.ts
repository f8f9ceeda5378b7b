/** Who gets how many of an issue's minutes. */
export interface Claim {
  readonly name: string;
  readonly sharePercent?: number;
}

/** Weight of each claim in percent of the share. Throws when the claims do not fit. */
export function weigh(claims: readonly Claim[]): ReadonlyMap<string, number> {
  const stated = claims.reduce((sum, claim) => sum + (claim.sharePercent ?? 0), 0);
  const open = claims.filter((claim) => claim.sharePercent === undefined);
  if (stated > 100 || (open.length > 0 && stated >= 100)) {
    throw new Error(`the proofs ${claims.map(({ name }) => name).join(", ")} claim ${stated} % of one share: `
      + "lower their sharePercent");
  }
  const each = (100 - stated) / Math.max(1, open.length);
  return new Map(claims.map((claim) => [claim.name, claim.sharePercent ?? each]));
}

/** Deals a share out in turn: what one does not use goes to those after it. */
export class Share {
  readonly #weights: Map<string, number>;
  #leftMs: number;

  constructor(totalMs: number, claims: readonly Claim[]) {
    this.#weights = new Map(weigh(claims));
    this.#leftMs = totalMs;
  }

  /** Milliseconds for this claim, of what is left. */
  allow(name: string): number {
    const all = [...this.#weights.values()].reduce((sum, weight) => sum + weight, 0);
    return Math.max(0, this.#leftMs) * (this.#weights.get(name) ?? 0) / all;
  }

  /** Takes what the claim has really used. */
  settle(name: string, usedMs: number): void {
    this.#weights.delete(name);
    this.#leftMs -= usedMs;
  }
}
