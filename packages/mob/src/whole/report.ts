/** How a mob has ended (spec: mob 12.2), counted where it is true: in the fold of its ledger. */
import type { Entry } from "../ledger/entry.ts";
import type { Ledger } from "../ledger/ledger.ts";
import { FINAL_TURNS } from "../member/turn.ts";
import type { View } from "../roster/view.ts";
import type { PhaseReport } from "./shutdown.ts";

export interface ShutdownReport {
  /** Every phase ended in time, and left nothing. */
  readonly clean: boolean;
  readonly took_ms: number;
  readonly phases: readonly PhaseReport[];
  /** Turns that ran when the end began, and ended. */
  readonly drained_turns: number;
  /** Turns that were taken from their code: they run again at the next start. */
  readonly aborted_turns: number;
  /** All turns that have not ended, those included. */
  readonly queued_left: number;
  readonly approvals_open: number;
  /** The stores are closed: another process may have the mob. False also when its store was brought along and stays open. */
  readonly leases_released: boolean;
  /** `seq` of the last entry. */
  readonly head: number;
}

export class TurnCount {
  readonly #view: View;
  readonly #aborted = new Set<string>();
  #drained = 0;
  #counting = false;

  constructor(view: View) {
    this.#view = view;
  }

  readonly hear = ({ kind, turn_id = "" }: Entry): void => {
    if (!this.#counting || !kind.startsWith("turn_")) return;
    const turn = this.#view.turns.get(turn_id);
    if (turn !== undefined && FINAL_TURNS.has(turn.state) && turn.started_at_ms !== null) this.#drained += 1;
  };

  begin(): void {
    this.#counting = true;
  }

  readonly aborted = (turnIds: readonly string[]): void => {
    for (const id of turnIds) this.#aborted.add(id);
  };

  report(ledger: Pick<Ledger, "head">, phases: readonly PhaseReport[]): ShutdownReport {
    const { turns, approvals } = this.#view;
    const isOpen = (id: string): boolean => !FINAL_TURNS.has(turns.get(id)?.state ?? "done");
    return {
      clean: phases.every(({ timed_out, left }) => !timed_out && left.length === 0),
      took_ms: phases.reduce((sum, { took_ms }) => sum + took_ms, 0), phases,
      drained_turns: this.#drained, aborted_turns: [...this.#aborted].filter(isOpen).length,
      queued_left: [...turns.keys()].filter(isOpen).length, approvals_open: [...approvals.values()].filter(({ state }) => state === "open").length,
      leases_released: phases.some(({ name, left }) => name === "stores" && left.length === 0), head: ledger.head,
    };
  }
}
