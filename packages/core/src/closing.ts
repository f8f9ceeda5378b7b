/**
 * Owned things close themselves, in reverse order, all of them, even when one fails or hangs.
 *
 * ```ts
 * await using closing = new Closing({ clock, withinMs: 5_000 });
 * const store = closing.use(openStore(), { name: "store", withinMs: 1_000 });
 * closing.defer(() => log.flush(), { name: "log" });
 * ```
 */
import type { Clock } from "./clock.ts";
import { Deadline, withDeadline } from "./deadline.ts";
import { assert } from "./must.ts";

/** A step that closes something. The signal aborts when its time is over. */
export type CloseStep = (signal: AbortSignal) => void | Promise<void>;

export interface CloseStepOptions {
  /** Names the step in `CloseReport`. */
  readonly name?: string;
  /** Milliseconds the step may take; absent = as long as the whole may. Needs a clock. */
  readonly withinMs?: number;
}

export interface CloseReport {
  /** Steps that were given up because their time was over, in the order they were given up. */
  readonly unfinished: readonly string[];
  /** Steps that threw. */
  readonly failed: readonly { readonly name: string; readonly error: unknown }[];
}

interface Step {
  readonly name: string;
  readonly run: CloseStep;
  readonly withinMs: number;
}

export class Closing implements AsyncDisposable {
  readonly #clock: Clock | undefined;
  readonly #withinMs: number;
  readonly #steps: Step[] = [];
  readonly #late: unknown[] = [];
  #report: Promise<CloseReport> | undefined;

  /** `withinMs` bounds the sum of all steps; each is started in any case. Bounds need a clock. */
  constructor(o: { readonly clock?: Clock; readonly withinMs?: number } = {}) {
    this.#clock = o.clock;
    this.#withinMs = o.withinMs ?? Infinity;
    assert(this.#clock !== undefined || this.#withinMs === Infinity, "a bounded Closing needs a clock");
  }

  /** Has closing begun? Nothing can be added from then on. */
  get begun(): boolean {
    return this.#report !== undefined;
  }

  /** Owns `thing` and gives it back. */
  use<T extends AsyncDisposable | Disposable>(thing: T, o: CloseStepOptions = {}): T {
    this.defer(
      async () => {
        if (Symbol.asyncDispose in thing) await thing[Symbol.asyncDispose]();
        else thing[Symbol.dispose]();
      },
      { ...o, name: o.name ?? thing.constructor.name },
    );
    return thing;
  }

  /**
   * Adds a step that runs before those added earlier. Throws when closing has begun: the caller then closes
   * itself.
   */
  defer(run: CloseStep, o: CloseStepOptions = {}): void {
    assert(!this.begun, "closing has begun, nothing can be added");
    assert(this.#clock !== undefined || o.withinMs === undefined, "a bounded step needs a clock");
    const { name = `step ${this.#steps.length + 1}`, withinMs = Infinity } = o;
    this.#steps.push({ run, name, withinMs });
  }

  /** Runs every step once, last added first; later calls get the same report. Never throws. */
  close(): Promise<CloseReport> {
    this.#report ??= this.#runAll();
    return this.#report;
  }

  /** As `close`, but throws an AggregateError of all that failed or was given up. */
  async [Symbol.asyncDispose](): Promise<void> {
    const { failed, unfinished } = await this.close();
    const errors = [...failed.map((f) => f.error), ...this.#late];
    if (errors.length > 0) {
      const names = [...failed.map((f) => f.name), ...unfinished];
      throw new AggregateError(errors, `could not close: ${names.join(", ")}`);
    }
  }

  async #runAll(): Promise<CloseReport> {
    const whole = this.#clock === undefined ? undefined : new Deadline(this.#clock, this.#withinMs);
    const unfinished: string[] = [];
    const failed: { name: string; error: unknown }[] = [];
    for (const step of this.#steps.toReversed()) {
      try {
        if (!(await this.#runOne(step, whole))) unfinished.push(step.name);
      } catch (error) {
        failed.push({ name: step.name, error });
      }
    }
    return { unfinished, failed };
  }

  /** False when the step was given up. */
  async #runOne(step: Step, whole: Deadline | undefined): Promise<boolean> {
    if (this.#clock === undefined || whole === undefined) {
      await step.run(new AbortController().signal);
      return true;
    }
    // A step that comes when nothing is left still gets one turn of the clock: many steps need no more.
    const ms = Math.max(1, Math.min(step.withinMs, whole.leftMs()));
    let over = false;
    const run = (signal: AbortSignal): void | Promise<void> => {
      signal.addEventListener("abort", () => (over = true), { once: true });
      return step.run(signal);
    };
    try {
      await withDeadline(run, { clock: this.#clock, ms, what: `closing ${step.name}` });
      return true;
    } catch (error) {
      if (!over) throw error;
      this.#late.push(error);
      return false;
    }
  }
}
