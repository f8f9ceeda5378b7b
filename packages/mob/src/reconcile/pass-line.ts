/** Passes one after the other (spec: mob 4.6): each begins when the one before is over, whatever became of it. */
import { mobError } from "../errors.ts";

export class PassLine {
  readonly #most: number;
  readonly #ending: AbortSignal;
  #last: Promise<unknown> = Promise.resolve();
  #all = 0;

  /** `most` may wait for the one that runs; none begins once `ending` has fired. */
  constructor(most: number, ending: AbortSignal) {
    this.#most = most;
    this.#ending = ending;
  }

  /** Throws `mob.overloaded`, the reason of `ending`, or what the pass throws. */
  run<T>(pass: () => Promise<T>): Promise<T> {
    if (this.#ending.aborted) return Promise.reject(this.#ending.reason as Error);
    if (this.#all > this.#most) return Promise.reject(mobError("mob.overloaded", `${this.#most} passes wait already`, { facts: { limit: this.#most } }));
    this.#all += 1;
    const made = this.#last.then(() => {
      this.#ending.throwIfAborted();
      return pass();
    }).finally(() => { this.#all -= 1; });
    this.#last = made.catch(() => undefined);
    return made;
  }

  /** When none runs any more. */
  async over(): Promise<void> {
    await this.#last;
  }
}
