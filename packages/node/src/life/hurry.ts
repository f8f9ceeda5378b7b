/** The time of each step of an end, which whoever ends the node may cut short while it runs (spec: node 3.3). */
import { nodeError, type Clock } from "@atoll-run/core";

export interface StepTime extends Disposable {
  /** Aborts when the step is over. */
  readonly signal: AbortSignal;
}

export class Hurry {
  readonly #clock: Clock;
  readonly #steps = new Set<(ms: number) => void>();
  #stepMs = Infinity;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** From now on no step has more than that; the one that runs has that much more. */
  press(stepMs: number): void {
    this.#stepMs = Math.min(this.#stepMs, stepMs);
    for (const cut of this.#steps) cut(this.#stepMs);
  }

  atMost(ms: number): number {
    return Math.min(ms, this.#stepMs);
  }

  within(ms: number): StepTime {
    const over = new AbortController();
    const timers: Disposable[] = [];
    const cut = (afterMs: number): void => {
      timers.push(this.#clock.after(afterMs, () => over.abort(nodeError("node.draining", "the node is closing"))));
    };
    cut(this.atMost(ms));
    this.#steps.add(cut);
    return {
      signal: over.signal,
      [Symbol.dispose]: () => {
        this.#steps.delete(cut);
        for (const timer of timers) timer[Symbol.dispose]();
      },
    };
  }
}
