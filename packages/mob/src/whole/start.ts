/**
 * The start of a mob, stage by stage (spec: mob 2.2).
 *
 * takes stages, and with each what ends it; gives what they open; promises that after a failure all that was begun has ended, in the
 * order of an orderly end; refuses a stage after its caller has given up; never leaves the reason or the stage untold.
 */
import { isFault } from "@atoll-run/core";
import type { StepWatch } from "@atoll-run/node";
import { mobError, type MobError } from "../errors.ts";
import type { PhaseReport, Shutdown } from "./shutdown.ts";

/** In this order. `stores` is that of whoever opens the folder. */
export const STAGES = [
  "stores", "ledger", "lease", "recover", "members", "pre_spawn", "continuity", "reconcile", "flows", "outside", "http", "started",
] as const;

export type Stage = typeof STAGES[number];

/** Facts of `mob.start_failed`. */
export interface StartFailed {
  readonly stage: Stage;
  /** What was ended again, and what of it would not. */
  readonly rollback: readonly PhaseReport[];
}

export interface StartOptions {
  readonly mob: string;
  readonly shutdown: Shutdown;
  readonly watch: StepWatch | undefined;
  readonly signal: AbortSignal | undefined;
}

export class Start {
  readonly #o: StartOptions;
  #at: Stage = "stores";

  constructor(o: StartOptions) {
    this.#o = o;
  }

  async stage<T>(name: Stage, run: () => T | Promise<T>): Promise<T> {
    const { watch, signal } = this.#o;
    const at = { step: STAGES.indexOf(name) + 1, name };
    this.#at = name;
    signal?.throwIfAborted();
    await watch?.enter?.(at);
    const made = await run();
    await watch?.leave?.(at);
    return made;
  }

  /** Ends all that was begun; gives what to throw. */
  async failed(error: unknown): Promise<MobError> {
    const { mob, shutdown } = this.#o;
    return startFailed(mob, error, { stage: this.#at, rollback: await shutdown.run({ drainMs: 0 }) });
  }
}

export function startFailed(mob: string, error: unknown, facts: StartFailed): MobError {
  return mobError("mob.start_failed", `the mob ${mob} did not start (${facts.stage}): ${error instanceof Error ? error.message : String(error)}`, {
    cause: error, facts: { ...facts }, ...isFault(error) ? { retry: error.retry, ...error.hint === undefined ? {} : { hint: error.hint } } : {},
  });
}
