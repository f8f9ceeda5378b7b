/** How many dead letters a node has, by their reason (spec: node 11.3). Counted as they come and go: reading them all is dear. */
export class LetterCount {
  readonly #byReason = new Map<string, number>();
  /** Letters that were handed in again: when they are handled nothing else says why they had died. */
  readonly #redriven = new Map<number, string>();

  add(reason: string, count: number): void {
    const left = (this.#byReason.get(reason) ?? 0) + count;
    if (left > 0) this.#byReason.set(reason, left);
    else this.#byReason.delete(reason);
  }

  redriven(seq: number, reason: string): void {
    this.#redriven.set(seq, reason);
  }

  /** A redrive has come to a good end: the letter is gone. */
  handled(seq: number): void {
    const reason = this.#redriven.get(seq);
    if (reason === undefined) return;
    this.#redriven.delete(seq);
    this.add(reason, -1);
  }

  /** Somebody has purged it. */
  purged(seq: number, reason: string): void {
    this.#redriven.delete(seq);
    this.add(reason, -1);
  }

  counts(): Readonly<Record<string, number>> {
    return Object.fromEntries(this.#byReason);
  }
}
