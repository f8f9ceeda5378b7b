/**
 * The ledger as the other rooms see it (spec: mob 5). Types only; `create-ledger.ts` makes one.
 *
 * takes entries; gives them a place in one order; promises that each is there once and whole, and that readers get
 * every one of them or are told of a gap; refuses a cursor that is not of this history; never waits for a reader.
 */
import type { Clock, Commit, JournalEntry, Json, Log, StateOp, StateStore, Write } from "@atoll-run/core";
import type { NewId } from "../ids.ts";
import type { Degraded } from "./storage.ts";
import type { Cursor, Entry, EntryFilter, EntryLabels, EntryPage, EntryQuery, Gap, Live, NewEntry } from "./entry.ts";

export interface LedgerParts {
  readonly store: StateStore;
  readonly clock: Clock;
  readonly newId: NewId;
  readonly log: Log;
  /** Masks registered secrets. */
  readonly redact?: (value: Json) => Json;
}

/** Who writes: rows of a scope that has moved on are refused (spec: mob 3.5). */
export interface Writer {
  /** `mob`, or `memberScope(id)`. */
  readonly scope: string;
  /** As the attach of that scope gave it: the fence of a member is the epoch of its scope. */
  readonly epoch: number;
}

export interface ReplayOptions {
  /** The last one that is wanted. */
  readonly upTo?: number;
  readonly signal?: AbortSignal | undefined;
}

/** What was taken away at once. */
export interface Slice {
  readonly from: number;
  readonly to: number;
  readonly entries: number;
  readonly bytes: number;
}

/** What is committed with it. */
export type AlsoSlice = (slice: Slice) => readonly StateOp[];

export interface Ledger extends AsyncDisposable {
  /** The same store, watched: whatever of the mob writes, writes here, so that the ledger sees what is appended. */
  readonly store: StateStore;
  readonly epoch: string;
  /** `seq` of the last committed entry; 0 = none. */
  readonly head: number;
  /** Everything up to there was taken away, but entries of audit; 0: nothing. */
  readonly pruned: number;
  /** Bytes that entries have taken in the store since it was opened, nearly. */
  readonly written: number;
  /** While its disk takes nothing; see {@link tend}. */
  readonly degraded: Degraded | undefined;
  /**
   * From now on, a disk that is full or fails makes the ledger {@link degraded}: what is to be written is refused at once, until it
   * could be written again, which is tried every 5 s and told with `storage_degraded` and `storage_recovered`. Until it is disposed of.
   */
  tend(by: Writer): Disposable;
  /** Commits entries with `ops` of the same scope, all or nothing. Throws `mob.stale_fence`, `mob.storage_degraded`. */
  append(by: Writer, entries: readonly NewEntry[], ops?: readonly StateOp[]): Promise<readonly Entry[]>;
  /** The same for ops that may be refused: gives the refusal instead of throwing it. */
  tryAppend(by: Writer, entries: readonly NewEntry[], ops: readonly StateOp[]): Promise<Commit>;
  /** Pipelined: resolves when its writer has room, before it is committed. What cannot be written is told to the log and by {@link flush}. */
  note(by: Writer, entry: NewEntry): Promise<void>;
  /** Resolves when all that was noted by who may write is committed. Throws `mob.storage_degraded` when some of it could not be. */
  flush(): Promise<void>;
  /** Which labels entries have from now on. */
  stamp(labelsOf: (entry: NewEntry) => EntryLabels | undefined): void;
  /** For a batch that somebody else commits through `store`. */
  toOp(entry: NewEntry): StateOp;
  /** For a handler that records it with its answer. */
  toWrite(entry: NewEntry): Write;
  /** A value as entries have it: secrets are masked. */
  redact(value: Json): Json;
  /** Called in order, at once when an entry is committed; must not throw. */
  hear(fold: (entry: Entry) => void): Disposable;
  /**
   * All entries up to the head, in order, then none is missing for {@link hear}: for folds. Throws `mob.stale_cursor` when some of
   * them were taken away, and the reason of the signal.
   */
  replay(after: number, fold: (entry: Entry) => void, o?: ReplayOptions): Promise<void>;
  /** As they are stored, from there on: a page. Those of audit are there even below {@link pruned}. */
  rows(after: number, limit: number): Promise<readonly JournalEntry[]>;
  /**
   * Takes away the oldest entries up to that one, but those of audit, at most 5,000, in one commit that says so (`retention_pruned`).
   * Undefined: there are none. Throws like {@link append}.
   */
  prune(by: Writer, upTo: number, also?: AlsoSlice): Promise<Slice | undefined>;
  /** The same for what is left below {@link pruned}, entries of audit, written before that time. */
  pruneAudit(by: Writer, beforeMs: number, also?: AlsoSlice): Promise<Slice | undefined>;
  /** `only`: what whoever asks may see; the rest is passed over before it is counted. */
  query(query: EntryQuery, only?: (entry: Entry) => boolean): Promise<EntryPage>;
  /**
   * From the store up to the head, then live, on one path. Throws `mob.stale_cursor` for what is past the head or of
   * another epoch. A reader that is slow is served from the store, at its own pace.
   */
  subscribe(filter: EntryFilter, o: { readonly after?: Cursor; readonly signal: AbortSignal }): AsyncIterable<Entry | Gap | Live>;
  /**
   * For one reader on its way up: the place up to where, above `at`, nothing matches that filter; `at` when that is not known. What
   * retention has taken, and what is in memory, is not passed over.
   */
  passOver(filter: EntryFilter, signal: AbortSignal): (at: number) => Promise<number>;
  /** Tells present readers; not stored. Pieces of a text, `text` and `reasoning`, get their offset. */
  live(signal: Omit<Live, "after_seq">): void;
  /** Texts that are being written, as far as they have come: for a reader that has not heard all of them. */
  partials(): readonly Live[];
  /** `<epoch>-<seq>`. */
  cursor(seq: number): string;
}
