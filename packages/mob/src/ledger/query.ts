/** Pages of the ledger, forward and backward (spec: mob 5.6). */
import type { JournalEntry } from "@atoll-run/core";
import { mobError } from "../errors.ts";
import type { MobLimits } from "../limits.ts";
import { readEntry } from "./body.ts";
import { readCursor, toCursor, type History } from "./cursor.ts";
import type { Entry, EntryPage, EntryQuery, Gap } from "./entry.ts";
import { toMatch } from "./filter.ts";
import type { Past } from "./past.ts";
import type { SliceWalk } from "./slices.ts";

export interface QueryParts {
  readonly history: History;
  readonly past: Past;
  readonly only?: (entry: Entry) => boolean;
  readonly limits: Pick<MobLimits, "queryMax" | "queryDefault" | "queryBytesMax" | "scanMax">;
}

const PAGE = 1_000;
/** Entries that could be read while a slice is passed over. */
const ENTRIES_A_SLICE = 16;

/** A page ends at its limit, at 4 MiB or at 100,000 entries looked at, and moves `next` all the same; slices without a match are not looked at. */
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
  const walk = new Walk(query, { limit, from, before }, parts);
  if (limit === 0) return walk.page(forward ? from : before - 1, false);
  return forward ? goForward(walk) : goBackward(walk);
}

class Walk {
  readonly limit: number;
  readonly from: number;
  readonly before: number;
  readonly past: Past;
  readonly found: Entry[] = [];
  gap: Gap["gap"] | undefined;
  /** Backward: everything from there on was looked at. */
  below: number | undefined;
  readonly #query: EntryQuery;
  readonly #parts: QueryParts;
  readonly #matches: (entry: Entry) => boolean;
  readonly #slices: SliceWalk;
  #bytes = 0;
  #scanned = 0;

  constructor(query: EntryQuery, { limit, from, before }: { readonly limit: number; readonly from: number; readonly before: number }, parts: QueryParts) {
    [this.limit, this.from, this.before, this.past] = [limit, from, before, parts.past];
    this.#query = query;
    this.#parts = parts;
    const wanted = toMatch(query);
    const { only = () => true } = parts;
    this.#matches = (entry) => wanted(entry) && only(entry);
    this.#slices = parts.past.slices(query, () => this.full);
  }

  get horizon(): number {
    return this.past.horizon(this.#query);
  }

  get full(): boolean {
    const { queryBytesMax, scanMax } = this.#parts.limits;
    return this.found.length >= this.limit || this.#bytes >= queryBytesMax || this.#scanned + this.#slices.passed * ENTRIES_A_SLICE >= scanMax;
  }

  /** Where the next match may be, from there on. */
  async forward(at: number): Promise<number> {
    return at < this.horizon ? at : await this.#slices.forward(at, Math.min(this.before - 1, this.#parts.history.head));
  }

  /** Where the next match may be, below that. */
  backward(below: number): Promise<number> {
    return this.#slices.backward(below, this.horizon);
  }

  take(row: JournalEntry): void {
    this.#scanned += 1;
    const entry = readEntry(row);
    const { since_at_ms = -Infinity, until_at_ms = Infinity } = this.#query;
    if (entry.ts_ms < since_at_ms || entry.ts_ms >= until_at_ms || !this.#matches(entry)) return;
    this.#bytes += Buffer.byteLength(row.body);
    this.found.push(entry);
  }

  page(next: number, exhausted: boolean): EntryPage {
    const { epoch, head } = this.#parts.history;
    return {
      entries: this.found, next: toCursor(epoch, next), head: toCursor(epoch, head), oldest: toCursor(epoch, this.past.pruned + 1), exhausted,
      ...this.gap === undefined ? {} : { gap: this.gap }, ...this.below === undefined ? {} : { before: toCursor(epoch, this.below) },
    };
  }
}

async function goForward(walk: Walk): Promise<EntryPage> {
  for (let at = walk.from; ;) {
    at = await walk.forward(at);
    const rows = await walk.past.forward(at, PAGE);
    if (at < walk.horizon) {
      // What was taken away while the page was made is told with the next one.
      if (walk.found.length > 0) return walk.page(at, false);
      walk.gap = { from: (walk.gap?.from ?? at + 1), to: walk.horizon, reason: "retention" };
      at = walk.horizon;
      continue;
    }
    for (const row of rows) {
      if (row.seq >= walk.before) return walk.page(at, true);
      if (walk.full) return walk.page(at, false);
      at = row.seq;
      walk.take(row);
    }
    if (rows.length === 0) return walk.page(Math.max(at, walk.from), true);
  }
}

/** Gives them in rising order all the same; `next` is where live reading goes on. */
async function goBackward(walk: Walk): Promise<EntryPage> {
  scan: for (let below = walk.before; ;) {
    below = await walk.backward(below);
    const rows = (await walk.past.backward(below, Math.min(PAGE, Math.max(walk.limit * 2, 64)))).filter(({ seq }) => seq > walk.horizon);
    for (const row of rows) {
      if (walk.full) {
        walk.below = below;
        break scan;
      }
      below = row.seq;
      walk.take(row);
    }
    if (rows.length === 0) break;
  }
  walk.found.reverse();
  return walk.page(walk.before - 1, walk.below === undefined);
}
