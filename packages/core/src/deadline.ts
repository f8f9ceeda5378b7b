/** Every wait has a deadline: a point on the monotonic clock, from which what is left is passed on. */
import { onAbort } from "./abort.ts";
import type { Clock } from "./clock.ts";
import { timedOut } from "./core-fault.ts";
import type { Fault } from "./fault.ts";

export class Deadline implements Disposable {
  /** Point on `Clock.monotonic`, milliseconds; `Infinity` = never. */
  readonly atMs: number;
  /** What it was given, milliseconds. */
  readonly ms: number;
  readonly #clock: Clock;
  readonly #what: string;
  #controller: AbortController | undefined;
  #timer: Disposable | undefined;
  #disposed = false;

  /** `ms` from now; `Infinity` = never, less than 0 counts as 0. `what` begins the text of the fault. */
  constructor(clock: Clock, ms: number, what = "the wait") {
    this.#clock = clock;
    this.#what = what;
    this.ms = Math.max(0, ms);
    this.atMs = clock.monotonic() + this.ms;
  }

  /** Milliseconds left, never below 0. */
  leftMs(): number {
    return Math.max(0, this.atMs - this.#clock.monotonic());
  }

  get passed(): boolean {
    return this.leftMs() <= 0;
  }

  /** The earlier of the two. */
  min(other: Deadline): Deadline {
    return other.atMs < this.atMs ? other : this;
  }

  /** A deadline of its own for a part of the work: `ms` from now, but never later than this one. */
  within(ms: number, what: string = this.#what): Deadline {
    return new Deadline(this.#clock, Math.min(ms, this.leftMs()), what);
  }

  /** The fault of having passed (`core.timed_out`). */
  fault(): Fault {
    return timedOut(this.#what, this.ms);
  }

  /** Aborts with `fault()` when the time is over. The timer starts at the first look; dispose ends it. */
  get signal(): AbortSignal {
    if (this.#controller !== undefined) return this.#controller.signal;
    const controller = new AbortController();
    this.#controller = controller;
    if (this.passed) controller.abort(this.fault());
    else if (Number.isFinite(this.atMs) && !this.#disposed) {
      this.#timer = this.#clock.after(this.leftMs(), () => controller.abort(this.fault()));
    }
    return controller.signal;
  }

  [Symbol.dispose](): void {
    this.#disposed = true;
    this.#timer?.[Symbol.dispose]();
    this.#timer = undefined;
  }
}

export interface WithDeadline {
  readonly clock: Clock;
  /** Milliseconds; `Infinity` = only the signal ends the wait. */
  readonly ms: number;
  readonly signal?: AbortSignal | undefined;
  /** Instead of `signal`, for who gives up by itself: its signal is what `make` gets, and the time aborts it too. */
  readonly controller?: AbortController;
  /** Begins the text of the fault. */
  readonly what?: string;
}

/**
 * Waits for `make` until the time is over (throws `core.timed_out`) or the signal aborts (throws its reason).
 * The signal that `make` gets aborts in both cases; what it still gives or throws afterwards is dropped. With
 * nothing left or an aborted signal `make` is not called.
 */
export function withDeadline<T>(make: (signal: AbortSignal) => T | Promise<T>, o: WithDeadline): Promise<T> {
  const { promise, resolve, reject } = Promise.withResolvers<T>();
  const fault = (): Fault => timedOut(o.what ?? "the wait", o.ms);
  const given = o.controller?.signal ?? o.signal;
  if (given?.aborted) reject(given.reason);
  else if (!(o.ms > 0)) reject(fault());
  else {
    const own = o.controller ?? new AbortController();
    const giveUp = (reason: unknown): void => {
      end();
      reject(reason);
      own.abort(reason);
    };
    const timer = Number.isFinite(o.ms) ? o.clock.after(o.ms, () => giveUp(fault())) : undefined;
    const listening = onAbort(given, giveUp);
    const end = (): void => {
      timer?.[Symbol.dispose]();
      listening[Symbol.dispose]();
    };
    const run = async (): Promise<T> => make(own.signal);
    run().then(resolve, reject).finally(end);
  }
  return promise;
}

/** Waits `ms` milliseconds, or throws the signal's reason as soon as it aborts. */
export function sleep(
  ms: number, o: { readonly clock: Clock; readonly signal?: AbortSignal | undefined },
): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  if (o.signal?.aborted) {
    reject(o.signal.reason);
    return promise;
  }
  const timer = o.clock.after(Math.max(0, ms), () => {
    listening[Symbol.dispose]();
    resolve();
  });
  const listening = onAbort(o.signal, (reason) => {
    timer[Symbol.dispose]();
    reject(reason);
  });
  return promise;
}
