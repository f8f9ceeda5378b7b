/**
 * The start of a node as one owned scope (spec: node 3.1).
 *
 * takes steps in order, each with what undoes it; gives what they made; promises that after a failure all that was done
 * is undone, the last first; refuses a step after the time is over; never leaves an undo out because another failed.
 */
import {
  Closing, Deadline, Fault, isFault, nodeError, withDeadline, type Clock, type CloseReport, type CloseStep,
} from "@atoll-run/core";
import type { LimitsOf } from "../limits.ts";

/** Hears each step; what it throws fails the step. For tests, and for programs that show progress. */
export interface StepWatch {
  enter?(step: StepName): void | Promise<void>;
  leave?(step: StepName): void | Promise<void>;
}

export interface StepName {
  /** 1-14, as in the table of the specification. */
  readonly step: number;
  readonly name: string;
}

/** How the undoing went: part of the error of a start that failed. */
export interface Rollback {
  /** Undone, in that order. */
  readonly undone: readonly string[];
  /** Given up because their time was over. */
  readonly unfinished: readonly string[];
  readonly failed: readonly { readonly name: string; readonly text: string }[];
}

/** Registers what undoes a step; called before the step does anything. It must do no harm twice. */
export type Undo = (name: string, undo: CloseStep) => void;

export interface StepContext {
  readonly undo: Undo;
  /** Aborts when the time of the start is over, or its caller gives up. */
  readonly signal: AbortSignal;
}

export class StartScope {
  readonly #clock: Clock;
  readonly #limits: LimitsOf<"life">;
  readonly #watch: StepWatch;
  readonly #closing: Closing;
  readonly #names: string[] = [];

  constructor(parts: { readonly clock: Clock; readonly watch?: StepWatch | undefined }, limits: LimitsOf<"life">) {
    this.#clock = parts.clock;
    this.#limits = limits;
    this.#watch = parts.watch ?? {};
    this.#closing = new Closing({ clock: parts.clock, withinMs: limits.undoMsMax });
  }

  /** Time for all steps of one call of the program. */
  deadline(what: string, ms: number = this.#limits.startMsMax): Deadline {
    return new Deadline(this.#clock, ms, what);
  }

  /** Runs one step. When it fails everything is undone, and the fault says at which step and how that went. */
  async step<T>(
    at: StepName, o: { readonly deadline: Deadline; readonly signal?: AbortSignal | undefined },
    run: (context: StepContext) => T | Promise<T>,
  ): Promise<T> {
    const undo: Undo = (name, fn) => {
      this.#names.push(name);
      this.#closing.defer(fn, { name, withinMs: this.#limits.undoStepMsMax });
    };
    try {
      return await withDeadline(async (signal) => {
        await this.#watch.enter?.(at);
        const made = await run({ undo, signal });
        await this.#watch.leave?.(at);
        return made;
      }, { clock: this.#clock, ms: o.deadline.leftMs(), signal: o.signal, what: `step ${at.step} (${at.name})` });
    } catch (cause) {
      throw toStartFault(cause, at, await this.undoAll());
    }
  }

  /** Undoes all that is left, the last first. Never throws. */
  async undoAll(): Promise<Rollback> {
    const { unfinished, failed }: CloseReport = await this.#closing.close();
    const bad = new Set([...unfinished, ...failed.map(({ name }) => name)]);
    return {
      undone: this.#names.toReversed().filter((name) => !bad.has(name)), unfinished,
      failed: failed.map(({ name, error }) => ({ name, text: error instanceof Error ? error.message : String(error) })),
    };
  }
}

/** The same code, so that a caller finds what it must look at, with the step and the rollback among its facts. */
function toStartFault(error: unknown, { step, name }: StepName, rollback: Rollback): Fault {
  const cause = toNodeFault(error);
  const { code, facts, retry, hint, retry_after_ms } = cause;
  return new Fault({
    code, retry, text: `the node did not start: step ${step} (${name}): ${cause.message}`,
    facts: { ...facts, step, step_name: name, rollback }, cause,
    ...hint === undefined ? {} : { hint }, ...retry_after_ms === undefined ? {} : { retry_after_ms },
  });
}

function toNodeFault(error: unknown): Fault {
  if (!isFault(error)) return nodeError("node.internal", error instanceof Error ? error.message : String(error), { cause: error });
  return error.code === "core.timed_out" ? nodeError("node.unavailable", error.message, { cause: error }) : error;
}
