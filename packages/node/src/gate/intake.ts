/**
 * Whether the node takes work (spec: node 3.1 step 12, 3.2, 3.3 step 2). Shared by both gates.
 *
 * shut → open: the workload runs, rows of the last process come first. open → draining: the node ends; whoever asks is
 * told so. Any → closed: nothing is let in or out.
 */
import { onAbort, type Clock } from "@atoll-run/core";

const NEXT = {
  shut: ["open", "draining", "closed"], open: ["draining", "closed"], draining: ["closed"], closed: [],
} as const satisfies Record<string, readonly string[]>;

export type IntakeState = keyof typeof NEXT;

export class Intake {
  readonly #clock: Clock;
  readonly #waiting = new Set<() => void>();
  #state: IntakeState = "shut";

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get state(): IntakeState {
    return this.#state;
  }

  /** A state that cannot follow is ignored: closing twice is no fault. */
  move(to: IntakeState): void {
    if (!(NEXT[this.#state] as readonly string[]).includes(to)) return;
    this.#state = to;
    for (const wake of [...this.#waiting]) wake();
  }

  /** Waits until it is no longer shut; false when the time was over first. In order of the calls. */
  opened(ms: number, signal?: AbortSignal): Promise<boolean> {
    if (this.#state !== "shut") return Promise.resolve(true);
    if (!(ms > 0) || signal?.aborted) return Promise.resolve(false);
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const end = (): void => {
      this.#waiting.delete(end);
      timer[Symbol.dispose]();
      listening[Symbol.dispose]();
      resolve(this.#state !== "shut");
    };
    this.#waiting.add(end);
    const timer = this.#clock.after(ms, end);
    const listening = onAbort(signal, end);
    return promise;
  }
}
