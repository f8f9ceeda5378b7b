/** Pages of the ledger, forward and backward (spec: mob 5.6). */
import type { JournalEntry } from "@atoll-run/core";
import { mobError } from "../errors.ts";
import type { MobLimits } from "../limits.ts";
import { readEntry } from "./body.ts";
import { readCursor, toCursor, type History } from "./cursor.ts";
import type { Entry, EntryPage, EntryQuery } from "./entry.ts";
import { toMatch } from "./filter.ts";

export interface QueryParts {
  readonly history: History & { readonly oldest: number };
  readonly limits: Pick<MobLimits, "queryMax" | "queryDefault" | "queryBytesMax" | "scanMax">;
  forward(after: number, limit: number): Promise<readonly JournalEntry[]>;
  /** Below that, the newest first. */
  backward(before: number, limit: number): Promise<readonly JournalEntry[]>;
}

const PAGE = 1_000;

/** A page ends at its limit, at 4 MiB or at 100,000 entries looked at, and moves `next` all the same. */
export async function queryEntries(query: EntryQuery, parts: QueryParts): Promise<EntryPage> {
  const { history, limits } = parts;
  const limit = query.limit ?? limits.queryDefault;
  if (!Number.isInteger(limit) || limit < 0 || limit > limits.queryMax) {
    throw mobError("mob.invalid_params", `limit is a whole number from 0 to ${limits.queryMax}`, { facts: { path: "limit" } });
  }
  const after = query.after === undefined ? undefined : readCursor(query.after, history);
  const before = query.before === undefined ? history.head + 1 : readCursor(query.before, history);
  const forward = after !== undefined || query.mode === "since";
  const from = after ?? 0;
  if (limit === 0) return toPage([], { history, next: forward ? from : before - 1, exhausted: false });
  const walk: Walk = { query, limit, from, before, matches: toMatch(query), bytes: 0, scanned: 0 };
  return forward ? goForward(walk, parts) : goBackward(walk, parts);
}

interface Walk {
  readonly query: EntryQuery;
  readonly limit: number;
  readonly from: number;
  readonly before: number;
  readonly matches: (entry: Entry) => boolean;
  bytes: number;
  scanned: number;
}

async function goForward(walk: Walk, parts: QueryParts): Promise<EntryPage> {
  const { history } = parts;
  const found: Entry[] = [];
  let at = walk.from;
  for (;;) {
    const page = await parts.forward(at, PAGE);
    for (const row of page) {
      if (row.seq >= walk.before) return toPage(found, { history, next: at, exhausted: true });
      if (isFull(walk, found.length, parts)) return toPage(found, { history, next: at, exhausted: false });
      at = row.seq;
      take(walk, row, found);
    }
    if (page.length === 0) return toPage(found, { history, next: Math.max(at, walk.from), exhausted: true });
  }
}

/** Gives them in rising order all the same; `next` is where live reading goes on. */
async function goBackward(walk: Walk, parts: QueryParts): Promise<EntryPage> {
  const { history } = parts;
  const found: Entry[] = [];
  let below = walk.before;
  let exhausted = false;
  scan: for (;;) {
    const page = await parts.backward(below, Math.min(PAGE, Math.max(walk.limit * 2, 64)));
    for (const row of page) {
      if (isFull(walk, found.length, parts)) break scan;
      below = row.seq;
      take(walk, row, found);
    }
    if (page.length > 0) continue;
    exhausted = true;
    break;
  }
  return toPage(found.reverse(), { history, next: walk.before - 1, exhausted });
}

function isFull(walk: Walk, found: number, { limits }: QueryParts): boolean {
  return found >= walk.limit || walk.bytes >= limits.queryBytesMax || walk.scanned >= limits.scanMax;
}

function take(walk: Walk, row: JournalEntry, found: Entry[]): void {
  walk.scanned += 1;
  const entry = readEntry(row);
  const { since_at_ms = -Infinity, until_at_ms = Infinity } = walk.query;
  if (entry.ts_ms < since_at_ms || entry.ts_ms >= until_at_ms || !walk.matches(entry)) return;
  walk.bytes += row.body.length;
  found.push(entry);
}

function toPage(
  entries: readonly Entry[], { history, next, exhausted }: { history: QueryParts["history"]; next: number; exhausted: boolean },
): EntryPage {
  const { epoch, head, oldest } = history;
  return { entries, next: toCursor(epoch, next), head: toCursor(epoch, head), oldest: toCursor(epoch, oldest), exhausted };
}
