/** Notices when functions of this process hold its event loop (spec: node 9.1): everything else waits meanwhile. */
import type { Clock, Log } from "@atoll-run/core";
import { NODE_LIMITS } from "../limits.ts";

const { loopLookMs, loopDelayMsMax } = NODE_LIMITS.life;

export class LoopWatch implements Disposable {
  /** The longest delay so far, milliseconds. */
  maxMs = 0;
  readonly #parts: { readonly clock: Clock; readonly log: Log; readonly node: string };
  #timer: Disposable | undefined;

  constructor(parts: { readonly clock: Clock; readonly log: Log; readonly node: string }) {
    this.#parts = parts;
    this.#look();
  }

  [Symbol.dispose](): void {
    this.#timer?.[Symbol.dispose]();
  }

  #look(): void {
    const { clock, log, node } = this.#parts;
    const due = clock.monotonic() + loopLookMs;
    this.#timer = clock.after(loopLookMs, () => {
      const lateMs = clock.monotonic() - due;
      this.maxMs = Math.max(this.maxMs, lateMs);
      if (lateMs > loopDelayMsMax) {
        log.write({
          level: "warn", target: "node", msg: "the event loop of this process was held",
          fields: { node, held_ms: Math.round(lateMs), hint: "Work that computes belongs in a worker, or in a block." },
        });
      }
      this.#look();
    });
  }
}
