/** What an agent remembers: the newest snapshot of its session, and what came after what that covers (spec: mob 6.5). */
import type { StateReader } from "@atoll-run/core";
import type { Blobs } from "../blobs/blobs.ts";
import { journalOf, readRecord, wholeRecord, type SessionRecord } from "../sessions/record.ts";

export interface History {
  /** Instead of the records that it covers. */
  readonly snapshot?: SessionRecord;
  /** Ascending. */
  readonly tail: readonly SessionRecord[];
  /** Of the tail, as it is stored. */
  readonly bytes: number;
}

export interface HistoryAsk {
  readonly session: string;
  /** Of its newest records. */
  readonly bytesMax: number;
  /** A turn that goes on: its own records come, whole, however many bytes they have. */
  readonly turnId?: string;
}

const PAGE = 256;

/** The newest records, up to so many bytes; of what is kept apart the block that names it, but for the turn that goes on. */
export async function readHistory({ store, blobs }: { readonly store: StateReader; readonly blobs: Pick<Blobs, "get"> }, { session, bytesMax, turnId }: HistoryAsk): Promise<History> {
  const tail: SessionRecord[] = [];
  let bytes = 0;
  let snapshot: SessionRecord | undefined;
  // Its prompt is its first record.
  let ownLeft = turnId !== undefined;
  let full = false;
  const history = (): History => ({ ...snapshot === undefined ? {} : { snapshot }, tail: tail.toReversed(), bytes });
  for (let before = Number.MAX_SAFE_INTEGER; ;) {
    const page = await store.journalBack(journalOf(session), { before, limit: PAGE });
    for (const row of page) {
      if (row.seq <= (snapshot?.covers ?? 0)) return history();
      const record = readRecord(session, row);
      if (record.role === "snapshot") {
        snapshot ??= record;
        continue;
      }
      const own = turnId !== undefined && record.turn_id === turnId;
      full ||= bytes + row.body.length > bytesMax && tail.length > 0;
      if (full && !ownLeft) return history();
      if (own && record.role === "user") ownLeft = false;
      if (full && !own) continue;
      bytes += row.body.length;
      tail.push(own ? await wholeRecord(record, blobs) : record);
    }
    if (page.length < PAGE) return history();
    before = page.at(-1)?.seq ?? 0;
  }
}
