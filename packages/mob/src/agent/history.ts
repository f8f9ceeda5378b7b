/** What an agent remembers: the newest snapshot of its session, and what came after what that covers (spec: mob 6.5). */
import type { StateReader } from "@atoll-run/core";
import { journalOf, readRecord, type SessionRecord } from "../sessions/record.ts";

export interface History {
  /** Instead of the records that it covers. */
  readonly snapshot?: SessionRecord;
  /** Ascending. */
  readonly tail: readonly SessionRecord[];
  /** Of the tail, as it is stored. */
  readonly bytes: number;
}

const PAGE = 256;

/** The newest records, up to so many bytes. */
export async function readHistory(store: StateReader, session: string, bytesMax: number): Promise<History> {
  const tail: SessionRecord[] = [];
  let bytes = 0;
  let snapshot: SessionRecord | undefined;
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
      if (bytes + row.body.length > bytesMax && tail.length > 0) return history();
      bytes += row.body.length;
      tail.push(record);
    }
    if (page.length < PAGE) return history();
    before = page.at(-1)?.seq ?? 0;
  }
}
