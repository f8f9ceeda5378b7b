/** The view as it was, for looking back (spec: mob 5.11). */
import { mobError } from "../errors.ts";
import { readEntry } from "../ledger/body.ts";
import { LEDGER_JOURNAL } from "../ledger/create-ledger.ts";
import type { Ledger } from "../ledger/ledger.ts";
import { View } from "./view.ts";

const PAGE = 1_000;

/** After that entry, folded from the beginning. Throws `mob.stale_cursor` for what is past the head, or the reason of the signal. */
export async function viewAt(ledger: Pick<Ledger, "store" | "head" | "cursor">, seq: number, signal?: AbortSignal): Promise<View> {
  if (seq > ledger.head) {
    const [after_cursor, latest_cursor] = [ledger.cursor(seq), ledger.cursor(ledger.head)];
    throw mobError("mob.stale_cursor", `the newest entry is ${ledger.head}, not ${seq}`, { facts: { after_cursor, latest_cursor } });
  }
  const view = new View();
  for (let at = 0; at < seq;) {
    signal?.throwIfAborted();
    const page = await ledger.store.journal(LEDGER_JOURNAL, { after: at, limit: PAGE });
    if (page.length === 0) break;
    for (const row of page) {
      at = row.seq;
      if (at > seq) break;
      view.fold(readEntry(row));
    }
  }
  return view;
}
