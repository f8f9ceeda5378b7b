/**
 * One handshake, of either side, as long as it runs.
 *
 * takes work and a time; gives what the work gives; promises that it ends by the time, and at once when somebody aborts
 * it: whoever waits in it hears of it; refuses nothing; never waits for work that was given up.
 *
 * A chain of signals does the same at several times the price, and a handshake has one for each of its layers.
 */
import { LateAbort, type Clock, type Fault } from "@atoll-run/core";

export interface AttemptTime {
  /** Milliseconds; `Infinity` = no end. */
  readonly ms: number;
  /** What it ends with when the time is over. */
  readonly late: () => Fault;
}

export class Attempt extends LateAbort {
  readonly #clock: Clock;
  readonly #time: AttemptTime;

  constructor(clock: Clock, time: AttemptTime) {
    super();
    this.#clock = clock;
    this.#time = time;
  }

  /** Once: throws the reason if it was aborted, and what the work throws. */
  async run<T>(work: () => Promise<T>): Promise<T> {
    this.throwIfAborted();
    const { ms, late } = this.#time;
    if (!(ms > 0)) throw late();
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    using _hearing = this.hear(reject);
    using _timer = ms === Infinity ? undefined : this.#clock.after(ms, () => this.abort(late()));
    work().then(resolve, reject);
    return await promise;
  }

  throwIfAborted(): void {
    if (this.aborted) throw this.reason;
  }
}
