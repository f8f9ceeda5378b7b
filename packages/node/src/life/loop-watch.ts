/** Notices when functions of this process hold its event loop (spec: node 9.1): everything else waits meanwhile. */
import type { Clock, Log } from "@atoll-run/core";
import type { Histogram } from "../observe/histogram.ts";
import { NODE_LIMITS } from "../limits.ts";

const { loopLookMs, loopDelayMsMax } = NODE_LIMITS.life;

export interface LoopWatchParts {
  readonly clock: Clock;
  readonly log: Log;
  /** Who looks, as its line of the log says. */
  readonly of: { readonly target: string; readonly name: string };
  /** Of each look. */
  readonly delay?: Histogram;
}

/** @example using loop = new LoopWatch({ clock, log, of: { target: "node", name: "a" } }); */
export class LoopWatch implements Disposable {
  /** The longest delay so far, milliseconds. */
  maxMs = 0;
  readonly #parts: LoopWatchParts;
  #timer: Disposable | undefined;

  constructor(parts: LoopWatchParts) {
    this.#parts = parts;
    this.#look();
  }

  [Symbol.dispose](): void {
    this.#timer?.[Symbol.dispose]();
  }

  #look(): void {
    const { clock, log, of, delay } = this.#parts;
    const due = clock.monotonic() + loopLookMs;
    this.#timer = clock.after(loopLookMs, () => {
      const lateMs = clock.monotonic() - due;
      this.maxMs = Math.max(this.maxMs, lateMs);
      delay?.observe(Math.max(0, lateMs) / 1_000);
      if (lateMs > loopDelayMsMax) {
        log.write({
          level: "warn", target: of.target, msg: "the event loop of this process was held",
          fields: { [of.target]: of.name, held_ms: Math.round(lateMs), hint: "Work that computes belongs in a worker, or in a block." },
        });
      }
      this.#look();
    });
  }
}
