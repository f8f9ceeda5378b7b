/**
 * One reader of the ledger: from its cursor to the head out of the store, then live, on one path (spec: mob 5.8).
 *
 * takes a filter and a place; gives entries, gaps and live signals; promises each entry once and in order; refuses
 * nothing; never holds entries of its own but a page, short at first: it has a place in the tail or in the store, so that a slow one costs
 * little.
 */
import { onAbort } from "@atoll-run/core";
import type { Entry, Gap, Live } from "./entry.ts";

export interface ReaderParts {
  /** Entries above that, in order, at most so many, all of them up to the last one given; empty: there is none yet. */
  next(after: number, most: number): Promise<readonly Entry[]> | readonly Entry[];
  /** `seq` below which retention has taken everything. */
  prunedTo(): number;
  readonly matches: (entry: Entry) => boolean;
  readonly matchesLive: (live: Live) => boolean;
}

const LIVE_MAX = 256;
/** One page: they grow while they are full, so that whoever stops early has read little, and one that is far behind reads fast. */
const PAGE_FIRST = 4;
const PAGE_MAX = 1_024;

export class Reader {
  readonly #parts: ReaderParts;
  #at: number;
  #lives: Live[] = [];
  #dropped = 0;
  #wake: (() => void) | undefined;

  constructor(after: number, parts: ReaderParts) {
    this.#at = after;
    this.#parts = parts;
  }

  /** There are new entries. */
  readonly woken = (): void => {
    this.#wake?.();
  };

  readonly hear = (live: Live): void => {
    if (!this.#parts.matchesLive(live)) return;
    if (this.#lives.length >= LIVE_MAX) this.#dropped += 1;
    else this.#lives.push(live);
    this.#wake?.();
  };

  /** Until the signal aborts. */
  async *read(signal: AbortSignal): AsyncGenerator<Entry | Gap | Live, void> {
    for (let most = PAGE_FIRST; !signal.aborted;) {
      const pruned = this.#parts.prunedTo();
      if (this.#at < pruned) {
        yield { gap: { from: this.#at + 1, to: pruned, reason: "retention" } };
        this.#at = pruned;
      }
      const given = this.#parts.next(this.#at, most);
      const entries = "then" in given ? await given : given;
      most = entries.length < most ? Math.max(PAGE_FIRST, entries.length) : Math.min(PAGE_MAX, most * 4);
      // Some of them may have been taken away meanwhile.
      if (this.#at < this.#parts.prunedTo()) continue;
      for (const entry of entries) {
        if (signal.aborted) return;
        this.#at = entry.seq;
        if (this.#parts.matches(entry)) yield entry;
      }
      if (entries.length > 0) continue;
      yield* this.#signals();
      await this.#news(signal);
    }
  }

  *#signals(): Generator<Live> {
    const lives = this.#lives;
    const dropped = this.#dropped;
    this.#lives = [];
    this.#dropped = 0;
    yield* lives;
    if (dropped > 0) yield { live: "live_dropped", after_seq: this.#at, data: { n: dropped } };
  }

  /** A wait of its own: what comes between two looks is seen by the next look. */
  async #news(signal: AbortSignal): Promise<void> {
    if (this.#lives.length > 0 || this.#dropped > 0) return;
    const news = Promise.withResolvers<void>();
    using _ = onAbort(signal, () => news.resolve());
    this.#wake = news.resolve;
    // It may have come while the reader looked.
    const given = this.#parts.next(this.#at, 1);
    if ("then" in given ? (await given).length > 0 : given.length > 0) return;
    await news.promise;
  }
}
