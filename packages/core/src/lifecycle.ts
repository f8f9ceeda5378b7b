/**
 * A lifecycle is a table of phases and the phases that may follow, with one place that moves.
 *
 * ```ts
 * const NEXT = { idle: ["running"], running: ["stopped"], stopped: [] } as const;
 * const life = lifecycle(NEXT, "idle", { what: "mailbox", onMove: (from, to) => log(from, to) });
 * life.move("running");
 * ```
 */
import { Bug } from "./must.ts";

/** Phases by name, each with the phases that may follow it. */
export type LifecycleTable<P extends string> = Readonly<Record<P, readonly P[]>>;

export interface LifecycleOptions<P extends string> {
  /** Names the owner in the error text. */
  readonly what?: string;
  /** Hears each move after it happened. Contract: must not throw. */
  readonly onMove?: (from: P, to: P) => void;
}

export interface Lifecycle<P extends string> {
  readonly phase: P;
  /** Is the phase one of these? */
  is(...phases: readonly P[]): boolean;
  /** May `move(to)` be called now? */
  can(to: P): boolean;
  /**
   * Goes on to a phase that the table allows; any other edge is our own bug and throws, the phase unchanged.
   */
  move(to: P): void;
}

/** A lifecycle that begins in `start` and never leaves `next`. */
export function lifecycle<P extends string>(
  next: LifecycleTable<P>, start: NoInfer<P>, options: LifecycleOptions<NoInfer<P>> = {},
): Lifecycle<P> {
  let phase: P = start;
  const can = (to: P): boolean => next[phase].includes(to);
  return {
    get phase() {
      return phase;
    },
    is: (...phases) => phases.includes(phase),
    can,
    move(to) {
      if (!can(to)) throw new Bug(`${options.what ?? "lifecycle"}: no way from ${phase} to ${to}`);
      const from = phase;
      phase = to;
      options.onMove?.(from, to);
    },
  };
}
