/** Drops remembered answers whose window is over (spec: node 4.9): by index, together, with one timer. */
import type { Clock, Refusal, StateStore } from "@atoll-run/core";
import type { LimitsOf } from "../limits.ts";
import type { Commits, Unit } from "./commits.ts";
import type { SteadyNow } from "./steady-clock.ts";

export interface RetentionParts {
  readonly store: StateStore;
  readonly scope: string;
  readonly clock: Clock;
  readonly now: SteadyNow;
  readonly commits: Commits;
  /** So many were dropped. */
  forgotten(answers: number): void;
}

/** Of one write. */
const BATCH = 1_000;

export class Retention {
  readonly #parts: RetentionParts;
  readonly #limits: LimitsOf<"mailbox">;
  #timer: Disposable | undefined;
  #untilMs: number | undefined;
  #busy = false;
  #ended = false;

  constructor(parts: RetentionParts, limits: LimitsOf<"mailbox">) {
    this.#parts = parts;
    this.#limits = limits;
  }

  /** When the window of the oldest answer is over, nearly; undefined when none is known. */
  get oldestUntilMs(): number | undefined {
    return this.#untilMs;
  }

  /** An answer is over at that time. */
  note(untilMs: number): void {
    if (this.#timer !== undefined || this.#busy || this.#ended) return;
    this.#untilMs = untilMs;
    const waitMs = Math.max(this.#limits.forgetEveryMs, untilMs - this.#parts.now());
    this.#timer = this.#parts.clock.after(waitMs, () => {
      this.#timer = undefined;
      this.#busy = true;
      this.#forget();
    });
  }

  end(): void {
    this.#ended = true;
    this.#timer?.[Symbol.dispose]();
  }

  #forget(): void {
    if (this.#ended) return;
    const unit: Unit = {
      alone: true, bytes: 0,
      prepare: () => [{ op: "forget", limit: BATCH }],
      done: ([dropped = 0]) => {
        this.#parts.forgotten(dropped);
        if (dropped === BATCH) this.#forget();
        else void this.#plan();
      },
      refused: (_refusal: Refusal) => this.#rest(),
      failed: () => this.#rest(),
    };
    this.#parts.commits.add(unit);
  }

  #rest(): void {
    this.#busy = false;
    this.note(0);
  }

  async #plan(): Promise<void> {
    const { store, scope, now } = this.#parts;
    let next: number | null = 0;
    try {
      next = (await store.wakes(scope, now())).forget_at_ms;
    } catch {
      // The store fails: its next look is as good as any.
    }
    this.#busy = false;
    this.#untilMs = undefined;
    if (next !== null) this.note(next);
  }
}
