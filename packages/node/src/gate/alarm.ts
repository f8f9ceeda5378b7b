/**
 * One timer for many who wait, each until a time of its own.
 *
 * takes points in time; gives a ring at the earliest of them, or before; promises that there is no timer when nobody
 * waits at the end of a turn; refuses nothing; never knows who waits: who is told of the ring looks for itself.
 *
 * A timer for each would cost more than the rest of a short wait.
 */
import type { Clock } from "@atoll-run/core";

/** Ends what is due by then; gives the earliest time of those who still wait, `Infinity` = nobody does. */
export type Ring = (nowMs: number) => number;

export class Alarm {
  readonly #clock: Clock;
  readonly #ring: Ring;
  #timer: Disposable | undefined;
  /** Monotonic milliseconds. */
  #atMs = Infinity;
  #leaving = false;

  constructor(clock: Clock, ring: Ring) {
    this.#clock = clock;
    this.#ring = ring;
  }

  /** Somebody waits until then. */
  by(atMs: number): void {
    this.#leaving = false;
    if (atMs >= this.#atMs) return;
    this.#timer?.[Symbol.dispose]();
    this.#atMs = atMs;
    this.#timer = this.#clock.after(Math.max(0, atMs - this.#clock.monotonic()), () => this.#rings());
  }

  /** Nobody waits now. Who asks again and again does so in the same turn, and finds the timer as it was. */
  rest(): void {
    if (this.#leaving) return;
    this.#leaving = true;
    process.nextTick(() => this.#leave());
  }

  #leave(): void {
    if (!this.#leaving) return;
    this.#leaving = false;
    this.#timer?.[Symbol.dispose]();
    this.#timer = undefined;
    this.#atMs = Infinity;
  }

  #rings(): void {
    this.#timer = undefined;
    this.#atMs = Infinity;
    const nextMs = this.#ring(this.#clock.monotonic());
    if (nextMs !== Infinity) this.by(nextMs);
  }
}
