/**
 * Session logs of members (spec: mob 6.5, 7.4): what went in and out, for reading and for agents that go on.
 *
 * takes ids of sessions and cursors; gives records in order; promises that a session stays readable after its member has begun
 * another or is gone; refuses ids that are none, and what is damaged; never writes a record: those are written with what they tell of.
 */
import type { StateStore } from "@atoll-run/core";
import { mobError } from "../errors.ts";
import { memberScope } from "../ids.ts";
import type { Ledger, Writer } from "../ledger/ledger.ts";
import { MOB_LIMITS } from "../limits.ts";
import type { View } from "../roster/view.ts";
import { damaged, journalOf, readRecord, scopeOfSession, type SessionRecord } from "./record.ts";

export interface SessionRow {
  readonly session_id: string;
  readonly member: string;
  /** Of the member when it began. */
  readonly generation: number;
  /** `seq` of its last record; 0 = none. */
  readonly head: number;
  /** Nothing is added any more. */
  readonly archived: boolean;
}

export interface SessionQuery {
  readonly session_id: string;
  /** `recent`, unless there is an `after`: the newest records below `before`. `since`: those above `after`, 0 without one. */
  readonly mode?: "recent" | "since" | undefined;
  readonly after?: number | undefined;
  readonly before?: number | undefined;
  /** Default 256, at most 1,000. */
  readonly limit?: number | undefined;
}

export interface SessionPage {
  readonly session_id: string;
  readonly member: string;
  /** Ascending. */
  readonly records: readonly SessionRecord[];
  readonly head: number;
  /** There is more: `after` of the next page, in mode `recent` its `before`. */
  readonly next?: number;
}

/** What is stored of a session itself: enough to find it once its member has begun another. */
interface Head {
  readonly member: string;
  readonly generation: number;
}

const SPACE = "session";
const LAST = Number.MAX_SAFE_INTEGER;
const KEYS_PAGE = 256;

/** Sessions of a member, the oldest first. Throws `mob.not_found`. */
export async function listSessions({ store, view }: { readonly store: StateStore; readonly view: View }, member: string): Promise<readonly SessionRow[]> {
  const row = view.row(member);
  if (row === undefined) throw mobError("mob.not_found", `there is no member ${member}`, { facts: { member } });
  const found: SessionRow[] = [];
  for (let after: string | null = null; ;) {
    const keys: readonly string[] = await store.keys(memberScope(member), SPACE, { prefix: "", after, limit: KEYS_PAGE });
    for (const id of keys) {
      const { generation } = await headOf(store, id);
      found.push({ session_id: id, member, generation, head: await lastOf(store, id), archived: row.final || row.session?.id !== id });
    }
    if (keys.length < KEYS_PAGE) break;
    after = keys.at(-1) as string;
  }
  return found.sort((x, y) => x.generation - y.generation);
}

/** Throws `mob.session_not_found`, `mob.storage_degraded`. */
export async function readSession(store: StateStore, q: SessionQuery): Promise<SessionPage> {
  const { session_id, after, before = LAST, mode = after === undefined ? "recent" : "since", limit = MOB_LIMITS.queryDefault } = q;
  const { member } = await headOf(store, session_id);
  const journal = journalOf(session_id);
  const count = Math.min(limit, MOB_LIMITS.queryMax);
  const rows = mode === "recent"
    ? (await store.journalBack(journal, { before, limit: count })).toReversed()
    : (await store.journal(journal, { after: after ?? 0, limit: count })).filter(({ seq }) => seq < before);
  const records = rows.map((row) => readRecord(session_id, row));
  const [first, last] = [records[0]?.seq, records.at(-1)?.seq];
  const head = await lastOf(store, session_id);
  const more = mode === "recent"
    ? first !== undefined && (await store.journalBack(journal, { before: first, limit: 1 })).length > 0
    : last !== undefined && last < Math.min(head, before - 1);
  return { session_id, member, records, head, ...more ? { next: (mode === "recent" ? first : last) as number } : {} };
}

/**
 * Before the code of a member starts: the session is there from its first start on, and what was written last can be read.
 * Throws `mob.storage_degraded` for a damaged one and for one that was `begun` before and is gone, `mob.stale_fence`.
 */
export async function openSession(
  { ledger, writer }: { readonly ledger: Ledger; readonly writer: Writer }, session: string, { begun, ...head }: Head & { readonly begun: boolean },
): Promise<void> {
  const { store } = ledger;
  if (await store.get(writer.scope, SPACE, session) === undefined) {
    // A fresh one is what its member does not know.
    if (begun) throw damaged(session, "snapshot_missing", "is not there any more");
    await ledger.append(writer, [], [{ op: "put", space: SPACE, key: session, value: JSON.stringify(head), if_version: null }]);
  }
  const [last] = await store.journalBack(journalOf(session), { before: LAST, limit: 1 });
  if (last !== undefined) readRecord(session, last);
}

/** The generation in which a session of that member began. Throws `mob.session_not_found`, also for one of somebody else. */
export async function generationOf(store: StateStore, { member, session }: { readonly member: string; readonly session: string }): Promise<number> {
  const head = await headOf(store, session);
  if (head.member === member) return head.generation;
  throw mobError("mob.session_not_found", `${session} is no session of ${member}`, { facts: { session_id: session, member } });
}

async function headOf(store: StateStore, session: string): Promise<Head> {
  const scope = scopeOfSession(session);
  const found = scope === undefined ? undefined : await store.get(scope, SPACE, session);
  if (found === undefined) throw mobError("mob.session_not_found", `there is no session ${session}`, { facts: { session_id: session } });
  return JSON.parse(found.value) as Head;
}

async function lastOf(store: StateStore, session: string): Promise<number> {
  const [last] = await store.journalBack(journalOf(session), { before: LAST, limit: 1 });
  return last?.seq ?? 0;
}
