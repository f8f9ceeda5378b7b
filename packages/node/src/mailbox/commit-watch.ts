/**
 * Looks at how long commits are on their way (spec: node, "every wait ends at a deadline").
 * takes what was sent and what came back; gives the first one that no answer came for in time, once; promises one timer
 * for all, and patience after a standstill of this process; refuses nothing; never ends a commit itself.
 */
import { PassingMap, type Clock } from "@atoll-run/core";

/** A timer so late means that this process stood still: the answers may be there, not read yet. */
const STANDSTILL_MS = 1_000;

export interface Flight<T> {
  readonly what: T;
  readonly begunMs: number;
}

export class CommitWatch<T> {
  readonly #clock: Clock;
  readonly #msMax: number;
  readonly #hung: (what: T) => void;
  /** The oldest first. */
  readonly #flights = new PassingMap<Flight<T>, true>();
  #timer: Disposable | undefined;
  #ended = false;

  constructor(clock: Clock, msMax: number, hung: (what: T) => void) {
    this.#clock = clock;
    this.#msMax = msMax;
    this.#hung = hung;
  }

  begin(what: T): Flight<T> {
    const flight = { what, begunMs: this.#clock.monotonic() };
    this.#flights.set(flight, true);
    // It stays when all have come back, for the next one to find: a timer for each commit would cost more.
    if (this.#timer === undefined && !this.#ended) this.#lookAfter(this.#msMax);
    return flight;
  }

  /** Gives how long it took. */
  back(flight: Flight<T>): number {
    this.#flights.delete(flight);
    return this.#clock.monotonic() - flight.begunMs;
  }

  end(): void {
    this.#ended = true;
    this.#timer?.[Symbol.dispose]();
    this.#timer = undefined;
  }

  #lookAfter(ms: number): void {
    const dueMs = this.#clock.monotonic() + ms;
    this.#timer = this.#clock.after(ms, () => {
      this.#timer = undefined;
      const [oldest] = this.#flights.keys();
      if (oldest === undefined) return;
      const nowMs = this.#clock.monotonic();
      const leftMs = oldest.begunMs + this.#msMax - nowMs;
      if (nowMs - dueMs > STANDSTILL_MS) this.#lookAfter(this.#msMax);
      else if (leftMs > 0) this.#lookAfter(leftMs);
      else this.#hung(oldest.what);
    });
  }
}
