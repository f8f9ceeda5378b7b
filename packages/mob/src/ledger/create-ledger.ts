/** The ledger on a `StateStore`: one journal, whose seq is that of the whole store (spec: mob 5). */
import { isFault, type Commit, type JournalEntry, type Json, type StateOp, type StateStore } from "@atoll-run/core";
import { shortHash } from "../ids.ts";
import type { MobLimits } from "../limits.ts";
import { place, readEntry, redactValue, toBody, toUnplaced, type BodyParts, type Unplaced } from "./body.ts";
import { degraded, refused } from "./commit-faults.ts";
import { prunedCursor, readCursor, toCursor } from "./cursor.ts";
import type { Entry, EntryFilter, EntryLabels, Live, NewEntry } from "./entry.ts";
import { toMatch } from "./filter.ts";
import type { AlsoSlice, Ledger, LedgerParts, ReplayOptions, Writer } from "./ledger.ts";
import { LiveTexts } from "./live-texts.ts";
import { KEY_OF_ENTRY, LEDGER_JOURNAL, LEDGER_SPACE, MOB_SCOPE } from "./names.ts";
import { Notes } from "./notes.ts";
import { openPast, rowBytes, type Past } from "./past.ts";
import { queryEntries } from "./query.ts";
import { Reader } from "./reader.ts";
import { Slices } from "./slices.ts";
import { Storage, type Degraded } from "./storage.ts";
import { Tail } from "./tail.ts";
import { watchStore } from "./watched-store.ts";

const PAGE = 1_000;
/** What one reader holds of the store. */
const READER_CHARS_MAX = 524_288;
const CATCH_UP_MS = 50;

export interface LedgerOptions {
  readonly mob: string;
  readonly limits: MobLimits;
}

/** Goes on with what is in the store, or begins an epoch. Throws the fault of the store. */
export async function openLedger(parts: LedgerParts, o: LedgerOptions): Promise<Ledger> {
  const { store, clock, newId } = parts;
  const found = await store.get(MOB_SCOPE, LEDGER_SPACE, "epoch");
  const epoch = found?.value ?? shortHash(newId("e")).slice(0, 8);
  if (found === undefined) {
    await store.commit({ scope: MOB_SCOPE, epoch: null, at_ms: clock.now(), ops: [
      { op: "put", space: LEDGER_SPACE, key: "epoch", value: epoch, if_version: 0 },
    ] });
  }
  const past = await openPast(store);
  const [newest] = await store.journalBack(LEDGER_JOURNAL, { before: Number.MAX_SAFE_INTEGER, limit: 1 });
  return new StoreLedger(parts, o, { epoch, past, head: newest?.seq ?? past.pruned });
}

class StoreLedger implements Ledger {
  readonly store: StateStore;
  readonly epoch: string;
  readonly #parts: LedgerParts;
  readonly #limits: MobLimits;
  readonly #body: BodyParts;
  readonly #past: Past;
  readonly #storage: Storage;
  readonly #tail: Tail;
  readonly #notes: Notes;
  readonly #slices: Slices;
  /** What was made into an op is not read again when it is committed. */
  readonly #made = new WeakMap<StateOp, Unplaced>();
  readonly #folds = new Set<(entry: Entry) => void>();
  readonly #readers = new Set<Reader>();
  #written = 0;
  #labelsOf: (entry: NewEntry) => EntryLabels | undefined = () => undefined;
  /** Entries that came while what was before them is looked for. */
  #held: Entry[] | undefined;
  #ended = false;
  readonly #texts = new LiveTexts();

  constructor(parts: LedgerParts, { mob, limits }: LedgerOptions, at: { epoch: string; past: Past; head: number }) {
    const { clock, newId, log } = parts;
    this.#parts = parts;
    this.#limits = limits;
    this.epoch = at.epoch;
    this.#past = at.past;
    this.#tail = new Tail(at.head, limits.tailEntries);
    this.#body = {
      mob, epoch: at.epoch, dataBytesMax: limits.entryBytesMax, id: () => newId("e"), now: () => clock.now(),
      redact: parts.redact ?? ((value) => value), labelsOf: (entry) => this.#labelsOf(entry),
    };
    this.#storage = new Storage({ clock, log, probeMs: limits.storageProbeMs });
    this.store = watchStore(this.#storage.guard(parts.store), {
      journal: LEDGER_JOURNAL, committed: (entries, ops) => this.#committed(entries, ops), unsure: () => this.#unsure(),
    });
    this.#slices = new Slices({ store: this.store, clock, head: () => this.head, sliceEntries: limits.sliceEntries });
    this.#notes = new Notes({
      clock, log, head: () => this.head, commit: (by, ops) => this.#commit(by, ops), isThere: (op, above) => this.#past.has(op.body, above),
    }, limits.uncommittedMax);
  }

  get head(): number {
    return this.#tail.head;
  }

  get pruned(): number {
    return this.#past.pruned;
  }

  get degraded(): Degraded | undefined {
    return this.#storage.degraded;
  }

  get written(): number {
    return this.#written;
  }

  async append(by: Writer, entries: readonly NewEntry[], ops: readonly StateOp[] = []): Promise<readonly Entry[]> {
    const own = entries.map((entry) => this.#toOps(entry));
    const all = [...ops, ...own.flat()];
    const commit = await this.#commit(by, all);
    if (!commit.ok) throw refused(commit, by);
    let at = ops.length;
    return own.map((made) => {
      at += made.length;
      const op = made[made.length - 1] as StateOp;
      return place(commit.values[at - 1] as number, this.#made.get(op) as Unplaced);
    });
  }

  tryAppend(by: Writer, entries: readonly NewEntry[], ops: readonly StateOp[]): Promise<Commit> {
    return this.#commit(by, [...ops, ...entries.flatMap((entry) => this.#toOps(entry))]);
  }

  note(by: Writer, entry: NewEntry): Promise<void> {
    return this.#notes.add(by, this.toOp(entry));
  }

  flush(): Promise<void> {
    return this.#notes.flush();
  }

  toOp(entry: NewEntry): StateOp & { op: "append" } {
    const unplaced = toUnplaced(entry, this.#body);
    const op = { op: "append", journal: LEDGER_JOURNAL, body: toBody(unplaced, this.#body) } as const;
    this.#made.set(op, unplaced);
    return op;
  }

  toWrite(entry: NewEntry): ReturnType<Ledger["toWrite"]> {
    const { journal, body } = this.toOp(entry);
    return { write: "append", journal, body };
  }

  redact(value: Json): Json {
    return redactValue(value, this.#body);
  }

  hear(fold: (entry: Entry) => void): Disposable {
    this.#folds.add(fold);
    return { [Symbol.dispose]: () => void this.#folds.delete(fold) };
  }

  async replay(after: number, fold: (entry: Entry) => void, { upTo = Infinity, signal }: ReplayOptions = {}): Promise<void> {
    for (let at = after; at < Math.min(upTo, this.head);) {
      signal?.throwIfAborted();
      const page = await this.rows(at, PAGE);
      if (at < this.pruned) throw prunedCursor(this.cursor(at), this.cursor(this.pruned));
      if (page.length === 0) return;
      for (const row of page) {
        at = row.seq;
        if (at > upTo) return;
        fold(readEntry(row));
      }
    }
  }

  rows(after: number, limit: number): Promise<readonly JournalEntry[]> {
    return this.#past.forward(after, limit);
  }

  prune(by: Writer, upTo: number, also?: AlsoSlice): ReturnType<Ledger["prune"]> {
    return this.#past.prune({ upTo }, (entry, ops) => this.append(by, [entry], ops), also);
  }

  pruneAudit(by: Writer, auditBeforeMs: number, also?: AlsoSlice): ReturnType<Ledger["pruneAudit"]> {
    return this.#past.prune({ auditBeforeMs }, (entry, ops) => this.append(by, [entry], ops), also);
  }

  query(...[query, only]: Parameters<Ledger["query"]>): ReturnType<Ledger["query"]> {
    return queryEntries(query, { ...only === undefined ? {} : { only }, history: this, past: this.#past, limits: this.#limits });
  }

  subscribe(filter: EntryFilter, { after, signal }: Parameters<Ledger["subscribe"]>[1]): ReturnType<Ledger["subscribe"]> {
    const at = after === undefined ? this.head : readCursor(after, this);
    return this.#read(new Reader(at, {
      matches: toMatch(filter), prunedTo: () => this.#past.horizon(filter), next: (from, most) => this.#next(from, most),
      matchesLive: ({ member, turn_id }) => (filter.member === undefined || filter.member === member)
        && (filter.turn_id === undefined || filter.turn_id === turn_id),
    }), signal);
  }

  passOver(filter: EntryFilter, signal: AbortSignal): (at: number) => Promise<number> {
    const walk = this.#past.slices(filter, () => signal.aborted);
    return async (at) => (at < this.#past.horizon({}) || at >= this.#tail.floor ? at : await walk.forward(at, this.#tail.floor));
  }

  live(signal: Omit<Live, "after_seq">): void {
    const live = { ...this.#texts.hear(signal), after_seq: this.head };
    for (const reader of this.#readers) reader.hear(live);
  }

  readonly partials = (): readonly Live[] => this.#texts.partials(this.head);

  stamp(labelsOf: (entry: NewEntry) => EntryLabels | undefined): void {
    this.#labelsOf = labelsOf;
  }

  tend(by: Writer): Disposable {
    return this.#storage.tend((entries) => this.append(by, entries), () => this.live({ live: "storage_degraded", data: { ...this.degraded } }));
  }

  cursor(seq: number): string {
    return toCursor(this.epoch, seq);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#notes.close();
    this.#storage[Symbol.dispose]();
    // The log was told what was not written.
    await this.#notes.flush().catch(() => undefined);
    this.#ended = true;
    this.#slices[Symbol.dispose]();
  }

  async *#read(reader: Reader, signal: AbortSignal): ReturnType<Reader["read"]> {
    this.#readers.add(reader);
    try {
      yield* reader.read(signal);
    } finally {
      this.#readers.delete(reader);
    }
  }

  #next(after: number, most: number): readonly Entry[] | Promise<readonly Entry[]> {
    const here = this.#tail.after(after, Math.min(most, this.#limits.readerEntriesMax));
    if (here !== undefined) return here;
    return this.rows(after, most).then((page) => {
      let chars = 0;
      const over = page.findIndex(({ body }) => (chars += body.length) > READER_CHARS_MAX);
      return page.slice(0, over < 0 ? page.length : Math.max(1, over)).map(readEntry);
    });
  }

  /** With `dedupe_key` the batch is refused when there is an entry with it; the op of the entry is the last one. */
  #toOps(entry: NewEntry): readonly StateOp[] {
    const op = this.toOp(entry);
    if (entry.dedupe_key === undefined) return [op];
    const nowMs = this.#parts.clock.now();
    return [{ op: "remember", answer: {
      sender: KEY_OF_ENTRY, route: entry.kind, request_id: entry.dedupe_key, hash: "", outcome: "", reply: null, done_at_ms: nowMs,
      forget_at_ms: nowMs + this.#limits.retentionMs,
    } }, op];
  }

  #commit({ scope, epoch }: Writer, ops: readonly StateOp[]): Promise<Commit> {
    return this.store.commit({ scope, epoch, at_ms: this.#parts.clock.now(), ops }).catch((error: unknown) => {
      throw isFault(error) ? degraded(error) : error;
    });
  }

  #committed(rows: readonly JournalEntry[], ops: readonly StateOp[]): void {
    for (const row of rows) this.#written += rowBytes(row);
    const entries = rows.map((row, i): Entry => {
      const made = this.#made.get(ops[i] as StateOp);
      return made === undefined ? readEntry(row) : place(row.seq, made);
    });
    if (this.#held !== undefined) return void this.#held.push(...entries);
    for (const entry of entries) this.#place(entry);
    for (const reader of this.#readers) reader.woken();
  }

  #place(entry: Entry): void {
    if (entry.seq <= this.head) return;
    this.#tail.push(entry);
    this.#slices.hear(entry);
    this.#texts.entry(entry);
    for (const fold of this.#folds) fold(entry);
  }

  /** What may have been written is read back, before anything later is told. */
  #unsure(): void {
    if (this.#held !== undefined || this.#ended) return;
    this.#held = [];
    void this.#catchUp();
  }

  async #catchUp(): Promise<void> {
    while (!this.#ended) {
      try {
        // Without a look at what is pruned: a slice may be what is in doubt.
        const page = await this.store.journal(LEDGER_JOURNAL, { after: this.head, limit: PAGE });
        for (const row of page) this.#place(readEntry(row));
        if (page.length > 0) continue;
        const held = this.#held ?? [];
        this.#held = undefined;
        for (const entry of held) this.#place(entry);
        for (const reader of this.#readers) reader.woken();
        return;
      } catch {
        // The store is away: so is whoever waits for it.
        await new Promise<void>((resolve) => void this.#parts.clock.after(CATCH_UP_MS, resolve));
      }
    }
  }
}
