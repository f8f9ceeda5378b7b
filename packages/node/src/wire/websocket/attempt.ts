/**
 * One handshake, of either side, as long as it runs.
 *
 * takes work and a time; gives what the work gives; promises that it ends by the time, and at once when somebody gives
 * it up: whoever waits in it hears of it; refuses nothing; never waits for work that was given up.
 *
 * A chain of signals does the same at several times the price, and a handshake has one for each of its layers.
 */
import type { Clock, Fault } from "@atoll-run/core";

export interface AttemptTime {
  /** Milliseconds; `Infinity` = no end. */
  readonly ms: number;
  /** What it ends with when the time is over. */
  readonly late: () => Fault;
}

export class Attempt {
  readonly #clock: Clock;
  readonly #time: AttemptTime;
  #given = false;
  #reason: unknown;
  #fail: ((reason: unknown) => void) | undefined;
  #hear: ((reason: unknown) => void) | undefined;
  #controller: AbortController | undefined;

  constructor(clock: Clock, time: AttemptTime) {
    this.#clock = clock;
    this.#time = time;
  }

  /** Made at the first look: only who asks the realm for a key needs it. */
  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#given) this.#controller.abort(this.#reason);
    }
    return this.#controller.signal;
  }

  /** Once: throws the reason if it was given up, and what the work throws. */
  async run<T>(work: () => Promise<T>): Promise<T> {
    this.throwIfGiven();
    const { ms, late } = this.#time;
    if (!(ms > 0)) throw late();
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    this.#fail = reject;
    const timer = ms === Infinity ? undefined : this.#clock.after(ms, () => this.giveUp(late()));
    try {
      work().then(resolve, reject);
      return await promise;
    } finally {
      timer?.[Symbol.dispose]();
    }
  }

  giveUp(reason: unknown): void {
    if (this.#given) return;
    this.#given = true;
    this.#reason = reason;
    this.#fail?.(reason);
    this.#hear?.(reason);
    this.#controller?.abort(reason);
  }

  /** Who waits now, and nobody else: hears when it is given up, at once when it was. `undefined`: nobody does. */
  hear(then: ((reason: unknown) => void) | undefined): void {
    this.#hear = then;
    if (this.#given) then?.(this.#reason);
  }

  get given(): boolean {
    return this.#given;
  }

  throwIfGiven(): void {
    if (this.#given) throw this.#reason;
  }
}
