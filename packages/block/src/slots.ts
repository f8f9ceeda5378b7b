/**
 * A fixed number of places, handed out in order of arrival. takes `take` calls; gives places; promises the
 * order; refuses when too many wait (`core.overloaded`) or the signal aborts; never has more than `limit`
 * places out.
 */
import { onAbort, overloaded } from "@atoll-run/core";

export interface SlotsOptions {
  /** Names the places in fault texts. */
  readonly what: string;
  /** Places. */
  readonly limit: number;
  /** How many may wait; default 1,024. */
  readonly waitersMax?: number;
}

export class Slots {
  readonly #options: SlotsOptions;
  readonly #waiting = new Set<() => void>();
  #out = 0;

  constructor(options: SlotsOptions) {
    this.#options = options;
  }

  /** Places that are out. */
  get used(): number {
    return this.#out;
  }

  /**
   * Waits for a place; dispose it to give it back, more than once does no harm. Throws the signal's reason.
   */
  async take(o: { readonly signal?: AbortSignal | undefined } = {}): Promise<Disposable> {
    o.signal?.throwIfAborted();
    if (this.#out >= this.#options.limit) await this.#wait(o.signal);
    else this.#out++;
    let held = true;
    return {
      [Symbol.dispose]: () => {
        if (!held) return;
        held = false;
        this.#giveBack();
      },
    };
  }

  async #wait(signal: AbortSignal | undefined): Promise<void> {
    const { what, limit, waitersMax = 1_024 } = this.#options;
    if (this.#waiting.size >= waitersMax) throw overloaded(what, limit);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#waiting.add(resolve);
    using _ = onAbort(signal, (reason) => {
      if (this.#waiting.delete(resolve)) reject(reason);
    });
    await promise;
  }

  /** The place goes straight to the next in line, so that nobody can overtake. */
  #giveBack(): void {
    for (const next of this.#waiting) {
      this.#waiting.delete(next);
      next();
      return;
    }
    this.#out--;
  }
}
