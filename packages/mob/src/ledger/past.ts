/**
 * What the store still has of a ledger, and how the oldest of it is taken away (spec: mob 5.7, 5.11).
 *
 * takes places; gives rows; promises that nobody is moved on in silence: when a page comes, `horizon` is beyond whatever was taken
 * away before it was read; refuses nothing; never takes entries of audit together with the others, nor half a slice.
 */
import type { JournalEntry, StateOp, StateStore } from "@atoll-run/core";
import { readEntry } from "./body.ts";
import { KINDS, type EntryFilter, type EntryQuery, type NewEntry } from "./entry.ts";
import type { AlsoSlice, Slice } from "./ledger.ts";
import { LEDGER_JOURNAL, LEDGER_SPACE, MOB_SCOPE, SLICES_JOURNAL } from "./names.ts";
import { SliceWalk } from "./slices.ts";

/** Rows that one slice looks at, and places where it may be cut apart by what stays. */
const SLICE_ROWS = 5_000;
const RANGES_MAX = 480;
const LOOK_PAGE = 1_000;

interface Horizons {
  /** Everything up to there is gone, but entries of audit. */
  readonly pruned: number;
  /** These too. */
  readonly audit: number;
}

/** Throws when it was not done, or when that is not known. */
type CommitSlice = (entry: NewEntry, ops: readonly StateOp[]) => Promise<unknown>;

/** What one slice does, for one commit. */
interface Cut {
  readonly slice: Slice;
  readonly ops: readonly StateOp[];
  readonly left: Horizons;
}

export async function openPast(store: StateStore): Promise<Past> {
  return new Past(store, await readHorizons(store));
}

export class Past {
  readonly #store: StateStore;
  #at: Horizons;
  /** A slice that is being taken away. */
  #pruning: Promise<unknown> | undefined;
  /** Whether it was is not known. */
  #doubt = false;

  constructor(store: StateStore, at: Horizons) {
    this.#store = store;
    this.#at = at;
  }

  get pruned(): number {
    return this.#at.pruned;
  }

  /** Up to there, nothing is left that such a filter would match. */
  horizon({ classes, kinds }: Pick<EntryFilter, "classes" | "kinds">): number {
    const audit = classes?.every((one) => one === "audit") === true || kinds?.every((one) => KINDS[one] === "audit") === true;
    return audit ? this.#at.audit : this.#at.pruned;
  }

  async forward(after: number, limit: number): Promise<readonly JournalEntry[]> {
    return this.#settled(await this.#store.journal(LEDGER_JOURNAL, { after, limit }));
  }

  async backward(before: number, limit: number): Promise<readonly JournalEntry[]> {
    return this.#settled(await this.#store.journalBack(LEDGER_JOURNAL, { before, limit }));
  }

  /** Whether an entry was written above that. Its id is part of the body: no other is the same. */
  async has(body: string, above: number): Promise<boolean> {
    for (let at = above; ;) {
      const rows = await this.#store.journal(LEDGER_JOURNAL, { after: at, limit: LOOK_PAGE });
      const last = rows.at(-1);
      if (last === undefined) return false;
      if (rows.some((row) => row.body === body)) return true;
      at = last.seq;
    }
  }

  /** Undefined: there is nothing of that to take. Throws what `commit` throws. */
  async prune(of: { readonly upTo: number } | { readonly auditBeforeMs: number }, commit: CommitSlice, also?: AlsoSlice): Promise<Slice | undefined> {
    await this.#settled(undefined);
    const cut = "upTo" in of ? await this.#cut(of.upTo) : await this.#cutAudit(of.auditBeforeMs);
    if (cut === undefined) return undefined;
    const data = { ...cut.slice, reason: "retention", ..."upTo" in of ? {} : { classes: ["audit"] } };
    const pruning = this.#pruning = commit({ kind: "retention_pruned", source: "mob", data }, [...cut.ops, ...also?.(cut.slice) ?? []]).then(
      () => { this.#at = cut.left; }, (error: unknown) => {
        this.#doubt = true;
        throw error;
      });
    try {
      await pruning;
      return cut.slice;
    } finally {
      this.#pruning = undefined;
    }
  }

  /** For one question: what need not be read. */
  slices(query: EntryQuery, isOver: () => boolean): SliceWalk {
    return new SliceWalk(this.#store, query, isOver);
  }

  async #settled<T>(page: T): Promise<T> {
    await this.#pruning?.catch(() => undefined);
    if (this.#doubt) {
      this.#at = await readHorizons(this.#store);
      this.#doubt = false;
    }
    return page;
  }

  async #cut(upTo: number): Promise<Cut | undefined> {
    const { pruned, audit } = this.#at;
    const rows = (await this.forward(pruned, SLICE_ROWS)).filter(({ seq }) => seq <= upTo);
    const ops: StateOp[] = [];
    let [entries, bytes, to] = [0, 0, pruned];
    /** Of the range that is open: all above `from`, so many. */
    let [from, count] = [pruned, 0];
    const end = (below: number): void => {
      if (count > 0) ops.push({ op: "trim", journal: LEDGER_JOURNAL, above: from, below, limit: count });
      [from, count] = [below, 0];
    };
    for (const row of rows) {
      if (isAudit(row)) end(row.seq);
      else {
        count += 1;
        entries += 1;
        bytes += rowBytes(row);
      }
      to = row.seq;
      if (ops.length === RANGES_MAX) break;
    }
    end(to + 1);
    if (to === pruned) return undefined;
    // Their rows stand behind them.
    ops.push({ op: "trim", journal: SLICES_JOURNAL, below: to + 1, limit: SLICE_ROWS });
    return { slice: { from: pruned + 1, to, entries, bytes }, ops: [...ops, putMark("pruned", to)], left: { pruned: to, audit } };
  }

  /** Below the other horizon nothing else is left. */
  async #cutAudit(beforeMs: number): Promise<Cut | undefined> {
    const { pruned, audit } = this.#at;
    const page = (await this.forward(audit, SLICE_ROWS)).filter(({ seq }) => seq <= pruned);
    const young = page.findIndex(({ at_ms }) => at_ms >= beforeMs);
    const rows = young < 0 ? page : page.slice(0, young);
    const last = rows.at(-1);
    if (last === undefined) return undefined;
    const bytes = rows.reduce((sum, row) => sum + rowBytes(row), 0);
    const trim: StateOp = { op: "trim", journal: LEDGER_JOURNAL, above: audit, below: last.seq + 1, limit: rows.length };
    return {
      slice: { from: audit + 1, to: last.seq, entries: rows.length, bytes }, ops: [trim, putMark("audit_pruned", last.seq)],
      left: { pruned, audit: last.seq },
    };
  }
}

/** What an entry takes in the store, nearly. */
export function rowBytes({ body }: Pick<JournalEntry, "body">): number {
  return body.length + 64;
}

function isAudit(row: JournalEntry): boolean {
  // Most are not, and need not be read to see it.
  return row.body.includes('"class":"audit"') && readEntry(row).class === "audit";
}

async function readHorizons(store: StateStore): Promise<Horizons> {
  const [pruned, audit] = await Promise.all(["pruned", "audit_pruned"].map((key) => store.get(MOB_SCOPE, LEDGER_SPACE, key)));
  return { pruned: Number(pruned?.value ?? 0), audit: Number(audit?.value ?? 0) };
}

function putMark(key: string, seq: number): StateOp {
  return { op: "put", space: LEDGER_SPACE, key, value: String(seq), if_version: null };
}
