/** The view as it was, for looking back (spec: mob 5.11). */
import { mobError } from "../errors.ts";
import type { Ledger } from "../ledger/ledger.ts";
import { loadSnapshot } from "./snapshot.ts";
import { View } from "./view.ts";

export interface ViewAtOptions {
  readonly signal?: AbortSignal | undefined;
  /** Folded from the oldest entry that is there, however near the newest snapshot is: for comparing with it. */
  readonly anew?: boolean;
}

/**
 * After that entry: a snapshot and what came after it. Throws `mob.stale_cursor` for what is past the head or before the oldest state
 * that can be told, or the reason of the signal.
 */
export async function viewAt(
  ledger: Pick<Ledger, "store" | "head" | "cursor" | "pruned" | "replay">, seq: number, { signal, anew = false }: ViewAtOptions = {},
): Promise<View> {
  if (seq > ledger.head) {
    const [after_cursor, latest_cursor] = [ledger.cursor(seq), ledger.cursor(ledger.head)];
    throw mobError("mob.stale_cursor", `the newest entry is ${ledger.head}, not ${seq}`, { facts: { after_cursor, latest_cursor } });
  }
  const newest = anew ? undefined : await loadSnapshot(ledger.store, "fold");
  const view = new View(newest !== undefined && newest.seq <= seq ? newest : await loadSnapshot(ledger.store, "base"));
  if (view.seq > seq || view.seq < ledger.pruned) {
    const oldest = Math.max(view.seq, ledger.pruned);
    throw mobError("mob.stale_cursor", `what was before ${oldest} was pruned: there is no state after ${seq} any more`, {
      facts: { after_cursor: ledger.cursor(seq), oldest_cursor: ledger.cursor(oldest) }, hint: `Ask for the state after ${oldest}, or later.`,
    });
  }
  await ledger.replay(view.seq, view.fold, { upTo: seq, signal });
  return view;
}
