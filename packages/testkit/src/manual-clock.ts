/** A clock that a test moves: nothing waits in real time, every timer fires in order, at its own instant. */
import type { Clock } from "@atoll-run/core";

interface Timer {
  readonly atMs: number;
  readonly order: number;
  readonly fire: () => void;
}

export class ManualClock implements Clock {
  readonly #startMs: number;
  #elapsedMs = 0;
  #order = 0;
  readonly #timers = new Set<Timer>();

  /** `startMs`: wall clock at the beginning, milliseconds since 1970. */
  constructor(startMs: number = Date.UTC(2026, 0, 2, 3, 4, 5)) {
    this.#startMs = startMs;
  }

  now(): number {
    return this.#startMs + this.#elapsedMs;
  }

  monotonic(): number {
    return this.#elapsedMs;
  }

  after(ms: number, then: () => void): Disposable {
    if (!Number.isFinite(ms) || ms < 0) throw new RangeError(`no such delay: ${ms}`);
    const timer = { atMs: this.#elapsedMs + ms, order: this.#order++, fire: then };
    this.#timers.add(timer);
    return { [Symbol.dispose]: () => this.#timers.delete(timer) };
  }

  /** Timers that have not fired: 0 at the end of a test that left nothing behind. */
  get timers(): number {
    return this.#timers.size;
  }

  /** Milliseconds until the next timer; Infinity when there is none. */
  get nextMs(): number {
    return Math.min(...[...this.#timers].map((timer) => timer.atMs)) - this.#elapsedMs;
  }

  /** Moves on by `ms` and fires what falls due, also what those timers start. Promises settle afterwards. */
  advance(ms: number): void {
    const end = this.#elapsedMs + ms;
    while (this.#fireNext(end));
    this.#elapsedMs = end;
  }

  /** As `advance`, but after each timer, and at the beginning, lets what waits for promises go on. */
  async pass(ms: number): Promise<void> {
    const end = this.#elapsedMs + ms;
    await turn();
    while (this.#fireNext(end)) await turn();
    this.#elapsedMs = end;
    await turn();
  }

  /** The process stands still for so long: what falls due meanwhile fires late, with the next `advance` or `pass`. */
  stall(ms: number): void {
    this.#elapsedMs += ms;
  }

  #fireNext(end: number): boolean {
    let next: Timer | undefined;
    for (const timer of this.#timers) {
      if (timer.atMs <= end && (next === undefined || timer.atMs < next.atMs)) next = timer;
    }
    if (next === undefined) return false;
    this.#timers.delete(next);
    this.#elapsedMs = Math.max(this.#elapsedMs, next.atMs);
    next.fire();
    return true;
  }
}

/** One turn of the event loop: every promise that can settle has settled. */
function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
