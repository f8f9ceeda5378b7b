/** The newest entries, in memory: what readers that keep up are served from. */
import type { Entry } from "./entry.ts";

export class Tail {
  readonly #limit: number;
  #entries: Entry[] = [];
  /** Everything above it is here. */
  floor: number;
  head: number;

  constructor(head: number, limit: number) {
    this.head = this.floor = head;
    this.#limit = limit;
  }

  push(entry: Entry): void {
    this.head = entry.seq;
    this.#entries.push(entry);
    // Cut in halves, so that it costs nothing an entry.
    if (this.#entries.length < this.#limit * 2) return;
    this.#entries = this.#entries.slice(-this.#limit);
    this.floor = (this.#entries[0] as Entry).seq - 1;
  }

  /** Entries above `after`, at most so many; undefined: some of them are not here any more. */
  after(after: number, limit: number): readonly Entry[] | undefined {
    if (after < this.floor) return undefined;
    if (after >= this.head) return [];
    let [low, high] = [0, this.#entries.length];
    while (low < high) {
      const middle = low + high >> 1;
      if ((this.#entries[middle] as Entry).seq <= after) low = middle + 1;
      else high = middle;
    }
    return this.#entries.slice(low, low + limit);
  }
}
