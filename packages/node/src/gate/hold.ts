/** The entry of one ask in the table and its ears for who gives it up, until they are released. */
import { onAbort } from "@atoll-run/core";
import type { Plan } from "./ask.ts";
import { cancelledFault } from "./ask-faults.ts";
import type { Delivered } from "./delivered.ts";
import { PendingAsk, type PendingTable } from "./pending.ts";

const NONE: readonly Disposable[] = [];

export class Hold {
  readonly ask: PendingAsk;
  readonly #pending: PendingTable;
  readonly #listening: readonly Disposable[];
  #answered = false;

  /** Throws `node.overloaded` over the caps. */
  constructor(pending: PendingTable, plan: Plan, peer: string, signals: readonly AbortSignal[]) {
    const ask = new PendingAsk(peer, plan);
    pending.open(ask);
    this.ask = ask;
    this.#pending = pending;
    this.#listening = signals.length === 0 ? NONE : signals.map((signal) => onAbort(signal, (reason) => {
      ask.tell({ is: "ended", fault: cancelledFault(plan, reason, ask) });
    }));
  }

  /** Notes whether an answer may still come. */
  done(delivered: Delivered): Delivered {
    this.#answered = delivered.is !== "failed" || delivered.ran !== "maybe";
    return delivered;
  }

  release(): void {
    this.#pending.close(this.ask, this.#answered);
    for (const one of this.#listening) one[Symbol.dispose]();
  }
}
