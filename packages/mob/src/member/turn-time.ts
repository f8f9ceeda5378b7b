/**
 * The ends of a turn's time (spec: mob 3.1, 3.9): its deadline, where its message has none any more, and the running time of its budget.
 *
 * takes a turn that runs; gives the end it has come to; promises that code which does not stop is let go of; refuses nothing; never runs
 * while the turn waits for a decision.
 */
import type { Clock } from "@atoll-run/core";
import { mobError, type MobError } from "../errors.ts";

/** What ends a turn from outside. */
export interface TurnStop {
  readonly kind: "turn_cancelled" | "turn_failed" | "turn_expired";
  readonly error: MobError;
}

/** What is left of a budget, milliseconds, and what a turn ends with when nothing is. */
export interface WallLeft {
  readonly leftMs: number;
  readonly error: MobError;
}

export interface TimedTurn {
  remainingMs(): number;
  /** Undefined: its running time is not bounded. */
  wallLeft(): WallLeft | undefined;
  stop(why: TurnStop): void;
  /** It has been told to stop and goes on. */
  letGo(): void;
}

/** How long code that is told to stop may take for it. */
const STOP_MS = 5_000;
const NOTHING: Disposable = { [Symbol.dispose]: () => undefined };

export class TurnTime implements Disposable {
  readonly #clock: Clock;
  readonly #turn: TimedTurn;
  #deadline = NOTHING;
  #wall = NOTHING;

  constructor(clock: Clock, turn: TimedTurn) {
    this.#clock = clock;
    this.#turn = turn;
  }

  /** Ends it at its deadline, in place of the node. */
  arm(): void {
    this.#deadline = this.#clock.after(this.#turn.remainingMs(), () =>
      this.#end({ kind: "turn_expired", error: mobError("mob.deadline", "the time of the turn is over") }));
  }

  /** Ends it when its budget is used up, by it or by others of its member. */
  bound(): void {
    const wall = this.#turn.wallLeft();
    if (wall === undefined) return;
    this.#wall = this.#clock.after(wall.leftMs, () => {
      const now = this.#turn.wallLeft();
      if (now !== undefined && now.leftMs <= 0) this.#end({ kind: "turn_failed", error: now.error });
      else this.bound();
    });
  }

  /** It does not run any more. */
  [Symbol.dispose](): void {
    this.#deadline[Symbol.dispose]();
    this.#wall[Symbol.dispose]();
  }

  #end(why: TurnStop): void {
    this[Symbol.dispose]();
    this.#turn.stop(why);
    this.#deadline = this.#clock.after(STOP_MS, () => this.#turn.letGo());
  }
}
