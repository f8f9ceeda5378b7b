/**
 * A workload that dies is built again (spec: node 9.2).
 *
 * takes the word that it has died; gives a new one after a growing pause; promises that nothing of the mailbox is handed
 * out meanwhile; refuses to go on when it dies five times in a minute: the node then ends; never hides a death.
 */
import { nodeError, toFault, toFaultData, type Clock, type Fault } from "@atoll-run/core";
import type { Report } from "../hooks/report.ts";
import { NODE_LIMITS } from "../limits.ts";

export interface RebuildParts {
  readonly clock: Clock;
  readonly report: Report;
  /** Closes what is left of it and starts it anew. */
  readonly build: () => Promise<void>;
  /** Nothing is handed out while it is true. */
  readonly pause: (paused: boolean) => void;
  /** `host`: somebody else decides when it is built. */
  readonly by: "node" | "host";
  /** It has died too often. */
  readonly giveUp: (fault: Fault) => void;
}

const { rebuildMs, rebuildMsMax, deathsMax, deathsWithinMs } = NODE_LIMITS.life;

export class Rebuild implements Disposable {
  readonly #parts: RebuildParts;
  readonly #deaths: number[] = [];
  #timer: Disposable | undefined;
  #closed = false;
  #up = true;

  constructor(parts: RebuildParts) {
    this.#parts = parts;
  }

  get up(): boolean {
    return this.#up;
  }

  died(fault: Fault): void {
    if (this.#closed) return;
    const { clock, report, pause, giveUp } = this.#parts;
    this.#up = false;
    pause(true);
    report("error", { error: fault, category: "handler_panic", context: "the workload has died" });
    if (this.#parts.by === "host") return;
    const now = clock.monotonic();
    this.#deaths.push(now);
    while (now - (this.#deaths[0] ?? now) > deathsWithinMs) this.#deaths.shift();
    if (this.#deaths.length >= deathsMax) {
      this.#closed = true;
      const text = `the workload died ${deathsMax} times within ${deathsWithinMs} ms: ${fault.message}`;
      return giveUp(nodeError("node.internal", text, { cause: toFault(toFaultData(fault)) }));
    }
    const ms = Math.min(rebuildMsMax, rebuildMs * 2 ** (this.#deaths.length - 1));
    this.#timer = clock.after(ms, () => void this.#build());
  }

  /** Builds it now, dead or alive; nothing is handed out meanwhile. Throws what its start throws. */
  async now(): Promise<void> {
    if (this.#closed) throw nodeError("node.wrong_state", "the node is closing");
    this.#timer?.[Symbol.dispose]();
    this.#up = false;
    this.#parts.pause(true);
    await this.#parts.build();
    this.#built();
  }

  [Symbol.dispose](): void {
    this.#closed = true;
    this.#timer?.[Symbol.dispose]();
  }

  async #build(): Promise<void> {
    try {
      await this.#parts.build();
    } catch (error) {
      return this.died(nodeError("node.internal", `the workload did not start again: ${String(error)}`, { cause: error }));
    }
    this.#built();
  }

  #built(): void {
    if (this.#closed) return;
    this.#up = true;
    this.#parts.pause(false);
  }
}
