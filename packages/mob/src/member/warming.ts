/**
 * Starts members that have no work yet (spec: mob 7.5), a few at a time.
 *
 * takes ids; gives how many are left; promises that one whose start hangs holds up the others for a while only; refuses nothing; never
 * starts anything while it is paused.
 */
import { withDeadline, type Clock } from "@atoll-run/core";

export interface WarmingParts {
  readonly clock: Clock;
  readonly atOnce: number;
  /** How long one may hold a place, milliseconds. */
  readonly placeMs: number;
  /** Resolves when it is up, or has given up. */
  readonly start: (id: string) => Promise<void>;
}

export class Warming {
  readonly #parts: WarmingParts;
  readonly #waiting: string[] = [];
  readonly #under = new Map<Promise<void>, string>();
  #ending = new AbortController();
  #idle: PromiseWithResolvers<void> | undefined;

  constructor(parts: WarmingParts) {
    this.#parts = parts;
  }

  /** That wait, or are on their way. */
  get left(): readonly string[] {
    return [...this.#waiting, ...this.#under.values()];
  }

  /** Resolves when none is left. */
  idle(): Promise<void> {
    if (this.left.length === 0) return Promise.resolve();
    if (this.#idle === undefined) {
      this.#idle = Promise.withResolvers();
      void this.#idle.promise.then(() => { this.#idle = undefined; });
    }
    return this.#idle.promise;
  }

  add(...ids: readonly string[]): void {
    if (this.#ending.signal.aborted) return;
    for (const id of ids) this.#waiting.push(id);
    while (this.#under.size < this.#parts.atOnce && this.#waiting.length > 0) {
      const id = this.#waiting.shift() as string;
      const one = this.#start(id).finally(() => {
        this.#under.delete(one);
        this.add();
        if (this.left.length === 0) this.#idle?.resolve();
      });
      this.#under.set(one, id);
    }
  }

  resume(): void {
    if (this.#ending.signal.aborted) this.#ending = new AbortController();
  }

  /** Until {@link resume}. */
  async pause(): Promise<void> {
    this.#ending.abort();
    this.#waiting.length = 0;
    await Promise.all(this.#under.keys());
  }

  /** What goes wrong is its member's to tell. */
  async #start(id: string): Promise<void> {
    const { clock, placeMs: ms, start } = this.#parts;
    await withDeadline(() => start(id), { clock, ms, what: `the start of ${id}`, signal: this.#ending.signal }).catch(() => undefined);
  }
}
