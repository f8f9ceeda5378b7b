/** How much of a mob is stored, and how far back (spec: mob 11.5, `status`). */
import type { Ledger } from "./ledger.ts";

export interface Extent {
  /** Of all that the mob has stored: ledger, mail, sessions. */
  readonly storage_bytes: number;
  /** Cursor of the newest entry. */
  readonly head: string;
  /** What came before that cursor is pruned, but entries of audit. */
  readonly oldest: string;
  /** When the oldest entry was written; null: there is none. */
  readonly oldest_at_ms: number | null;
}

/** Throws the fault of the store. */
export async function extentOf(ledger: Pick<Ledger, "store" | "head" | "pruned" | "cursor" | "rows">): Promise<Extent> {
  const { store, head, pruned } = ledger;
  const [storage_bytes, [oldest]] = await Promise.all([store.size(), ledger.rows(pruned, 1)]);
  return { storage_bytes, head: ledger.cursor(head), oldest: ledger.cursor(pruned + 1), oldest_at_ms: oldest?.at_ms ?? null };
}
