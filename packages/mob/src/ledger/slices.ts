/**
 * Which parts of the ledger need not be read by who asks for a member, turn, run, session, principal, class, kind or time
 * (spec: mob 5.6).
 *
 * takes entries as they are committed, and those of before it began; gives whoever asks for little the next place where that may
 * be; promises that nothing is passed over; refuses nothing; never holds up a writer: it writes a row for each 1,024 entries,
 * behind them, into a journal of its own, and what has none is read.
 */
import type { Clock, JournalEntry, StateStore } from "@atoll-run/core";
import { readEntry } from "./body.ts";
import type { Entry, EntryQuery } from "./entry.ts";
import { LEDGER_JOURNAL, MOB_SCOPE, SLICES_JOURNAL } from "./names.ts";
import { OpenSlice, toMayHave, type Slice } from "./slice.ts";

export interface SlicesParts {
  readonly store: StateStore;
  readonly clock: Pick<Clock, "now">;
  /** `seq` of the last entry that was heard. */
  readonly head: () => number;
  readonly sliceEntries: number;
}

const PAGE = 1_000;
const SLICES_PAGE = 64;
const SLICES_BEHIND = 4;
/** A mob that lives shortly does not look for what those before it have left. */
const HEARD_BEFORE_LOOKING = 4;

export class Slices implements Disposable {
  readonly #parts: SlicesParts;
  #open: OpenSlice | undefined;
  /** Everything up to there is in a row or in {@link #open}. */
  #at = 0;
  #heard = 0;
  #looking = false;
  #ended = false;

  constructor(parts: SlicesParts) {
    this.#parts = parts;
  }

  /** In order. */
  hear(entry: Entry): void {
    if (this.#open !== undefined) return this.#add(entry);
    this.#heard += 1;
    if (this.#looking || this.#ended || this.#heard * HEARD_BEFORE_LOOKING < this.#parts.sliceEntries) return;
    this.#looking = true;
    // The store is away: what comes next begins anew.
    void this.#look().catch(() => undefined).finally(() => { [this.#looking, this.#heard] = [false, 0]; });
  }

  [Symbol.dispose](): void {
    this.#ended = true;
    this.#open = undefined;
  }

  /** Goes on after the newest row, until it has come to what is heard. */
  async #look(): Promise<void> {
    const { store, head } = this.#parts;
    const [newest] = await store.journalBack(SLICES_JOURNAL, { before: Number.MAX_SAFE_INTEGER, limit: 1 });
    this.#at = newest === undefined ? 0 : readSlice(newest).to;
    let open = new OpenSlice(this.#at, this.#parts.sliceEntries);
    for (;;) {
      const rows = await store.journal(LEDGER_JOURNAL, { after: this.#at, limit: PAGE });
      if (this.#ended) return;
      for (const row of rows) open = this.#into(open, readEntry(row));
      if (rows.length > 0 || this.#at < head()) continue;
      this.#open = open;
      return;
    }
  }

  #add(entry: Entry): void {
    // Read before it was heard.
    if (entry.seq > this.#at) this.#open = this.#into(this.#open as OpenSlice, entry);
  }

  #into(open: OpenSlice, entry: Entry): OpenSlice {
    open.add(entry);
    this.#at = entry.seq;
    if (open.entries < this.#parts.sliceEntries) return open;
    const { store, clock } = this.#parts;
    const op = { op: "append", journal: SLICES_JOURNAL, body: JSON.stringify(open.close()) } as const;
    // One that is not written is read. Whoever wrote the entries: the row says no more than they do.
    void store.commit({ scope: MOB_SCOPE, epoch: null, at_ms: clock.now(), ops: [op] }).catch(() => undefined);
    return new OpenSlice(this.#at, this.#parts.sliceEntries);
  }
}

/** Of one question. */
export class SliceWalk {
  readonly #store: Pick<StateStore, "journal" | "journalBack">;
  readonly #mayHave: ((slice: Slice) => boolean) | undefined;
  /** Rising, as they lie in the store: the row of a slice comes after its entries. */
  #rows: readonly { readonly seq: number; readonly slice: Slice }[] = [];
  readonly #isOver: () => boolean;
  /** Slices that were passed over. */
  passed = 0;

  /** `isOver`: enough was looked at for now. */
  constructor(store: Pick<StateStore, "journal" | "journalBack">, query: EntryQuery, isOver: () => boolean) {
    this.#store = store;
    this.#mayHave = toMayHave(query);
    this.#isOver = isOver;
  }

  /** Nothing above `at` up to there matches; not beyond `end`. */
  async forward(at: number, end: number): Promise<number> {
    if (this.#mayHave === undefined) return at;
    while (at < end && !this.#isOver()) {
      const last = this.#rows.at(-1);
      if (last === undefined || last.slice.to <= at) {
        const page = await this.#store.journal(SLICES_JOURNAL, { after: last?.seq ?? at, limit: SLICES_PAGE });
        if (page.length === 0) return at;
        this.#rows = page.map((row) => ({ seq: row.seq, slice: readSlice(row) }));
      }
      const next = this.#passed(({ after, to }) => after <= at && at < to);
      if (next !== undefined) at = next.to;
      else if ((this.#rows.at(-1)?.slice.to ?? 0) > at) return at;
    }
    return Math.min(at, end);
  }

  /** Nothing from there on below `below` matches; not beyond `end`, the last place that counts. */
  async backward(below: number, end: number): Promise<number> {
    if (this.#mayHave === undefined) return below;
    while (below > end + 1 && !this.#isOver()) {
      const first = this.#rows[0];
      if (first === undefined || first.slice.after >= below - 1) {
        // The first time, the rows that stand right behind it, too: one of them has what is right before it.
        const behind = first !== undefined ? []
          : await this.#store.journal(SLICES_JOURNAL, { after: below - 1, limit: SLICES_BEHIND });
        const older = await this.#store.journalBack(SLICES_JOURNAL, { before: first?.seq ?? below, limit: SLICES_PAGE });
        const page = [...behind.toReversed(), ...older];
        if (page.length === 0) return below;
        this.#rows = page.toReversed().map((row) => ({ seq: row.seq, slice: readSlice(row) }));
      }
      const next = this.#passed(({ after, to }) => after < below - 1 && below - 1 <= to);
      if (next !== undefined) below = next.after + 1;
      else if ((this.#rows[0]?.slice.after ?? Infinity) < below - 1) return below;
    }
    return Math.max(below, end + 1);
  }

  /** The one that is meant, when it has nothing of what is asked for. */
  #passed(is: (slice: Slice) => boolean): Slice | undefined {
    const found = this.#rows.find(({ slice }) => is(slice))?.slice;
    if (found === undefined || this.#mayHave?.(found) !== false) return undefined;
    this.passed += 1;
    return found;
  }
}

export function readSlice({ body }: Pick<JournalEntry, "body">): Slice {
  return JSON.parse(body) as Slice;
}
