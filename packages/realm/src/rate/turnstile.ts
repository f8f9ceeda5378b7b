/**
 * A few at a time, and a few in each turn of the event loop. Work that many ask for at once goes on at the pace of the
 * machine, and what is not asked for at once gets its turn between: a thousand nodes that come back together must not
 * hold up those that are there.
 */
import { BoundedQueue, type Clock } from "@atoll-run/core";

export class Turnstile {
  readonly #clock: Clock;
  readonly #limit: number;
  readonly #waiting: BoundedQueue<(mayGo: boolean) => boolean>;
  #inside = 0;

  /** `limit` inside, `waitingMax` before it. */
  constructor(clock: Clock, limit: number, waitingMax: number) {
    this.#clock = clock;
    this.#limit = limit;
    this.#waiting = new BoundedQueue(waitingMax);
  }

  /** Runs `work` when it is its turn; undefined when that did not come within `ms`, or too many wait. */
  async run<T>(ms: number, work: () => Promise<T>): Promise<T | undefined> {
    if (this.#inside < this.#limit) this.#inside++;
    else if (!await this.#turn(ms)) return undefined;
    try {
      return await work();
    } finally {
      // Signatures are checked in this thread: work that waits for nothing would go on without end in one turn.
      setImmediate(() => this.#leave());
    }
  }

  #turn(ms: number): Promise<boolean> {
    const { promise, resolve } = Promise.withResolvers<boolean>();
    let over = false;
    const end = (mayGo: boolean): boolean => {
      if (over) return false;
      over = true;
      timer[Symbol.dispose]();
      resolve(mayGo);
      return true;
    };
    const timer = this.#clock.after(ms, () => end(false));
    if (!this.#waiting.push(end)) end(false);
    return promise;
  }

  /** Passes its place on to the next that still waits. */
  #leave(): void {
    for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift()) if (next(true)) return;
    this.#inside--;
  }
}
