/**
 * Port of all durable state of nodes and mobs: mailbox, answers (dedup), outbox, dead letters, documents, journals.
 * takes batches of ops, which are data; gives what was committed; promises that a batch is done as a whole or not at
 * all, and that it is durable when `commit` resolves; refuses, as a value, what another writer made impossible;
 * never looks into a body, never reads a clock: `at_ms` of the batch is the time.
 *
 * A batch belongs to ONE scope (a node, a mob): the scope is a field of the batch and not of its ops, so that no
 * batch can span two. A driver on a log (NATS) writes a batch as one message, subject = scope, and may put the batches
 * of one scope that wait together into one message. Only journals are read across scopes; their `seq` is that of the
 * whole store.
 */
import type { StoreCall } from "./kv.ts";
import type {
  Answer, Document, JournalEntry, Letter, Mail, MailHead, NewLetter, NewMail, NewParcel, Parcel, Priority, RequestName,
  Usage, Wakes,
} from "./state-rows.ts";

export type StateOp =
  /**
   * Raises the epoch of the scope; older epochs can commit nothing from now on. Rows that they leased are free again,
   * with `crashes` + 1. Alone in its batch. Value: the new epoch.
   */
  | { readonly op: "attach" }
  /** Value: its `seq`. With `lease_until_at_ms` it is leased at once, with fence 1. Refused: `duplicate`. */
  | { readonly op: "accept"; readonly mail: NewMail; readonly lease_until_at_ms: number | null }
  /**
   * Whoever knows the present fence takes (or keeps) the row; with `expires_at_ms` its time ends then instead, null: never. Value: the new
   * fence. Refused: `stale_row`.
   */
  | { readonly op: "lease"; readonly seq: number; readonly fence: number; readonly until_at_ms: number; readonly expires_at_ms?: number | null }
  /** Gives the row back, to wait until that time or until its owner wakes it. Value: the new fence. */
  | {
    readonly op: "release"; readonly seq: number; readonly fence: number; readonly ready_at_ms: number;
    readonly parked: string | null;
    /** True when this was an attempt that failed. */
    readonly counted: boolean;
    readonly expires_at_ms?: number | null;
  }
  /** Removes the row; the next one with its key is offered. Refused: `stale_row`. */
  | { readonly op: "settle"; readonly seq: number; readonly fence: number }
  /** Refused: `duplicate`, when the request has a row or an answer whose window is open. */
  | { readonly op: "remember"; readonly answer: Answer }
  /** Drops answers whose window is over, at most `limit`. Value: how many. */
  | { readonly op: "forget"; readonly limit: number }
  /** Value: `seq` of the letter. */
  | { readonly op: "bury"; readonly letter: NewLetter }
  /** Refused: `not_found`. `about` replaces the text of the letter; setting `redriving` counts one redrive. */
  | { readonly op: "mark"; readonly seq: number; readonly redriving: boolean; readonly about: string | null }
  /** Drops a letter. Value: 1, or 0 when there is none. */
  | { readonly op: "purge"; readonly seq: number }
  /** Into the outbox. Value: its `seq`. */
  | { readonly op: "send"; readonly parcel: NewParcel }
  /** An attempt to send failed. Refused: `not_found`. */
  | { readonly op: "resend"; readonly seq: number; readonly send_at_ms: number }
  /** Out of the outbox. Value: 1, or 0 when there is none. */
  | { readonly op: "sent"; readonly seq: number }
  /**
   * Null removes it. Refused: `moved`, when `if_version` is given and is not the present one. Value: the new version, 0
   * when removed.
   */
  | {
    readonly op: "put"; readonly space: string; readonly key: string; readonly value: string | null;
    readonly if_version: number | null;
  }
  /** Refused: `moved`. Value: the version. */
  | { readonly op: "check"; readonly space: string; readonly key: string; readonly version: number }
  /** To the end of a journal. Value: `seq` of the entry. */
  | { readonly op: "append"; readonly journal: string; readonly body: string }
  /** Drops entries with a `seq` below that (and above `above`), the oldest first, at most `limit`. Value: how many. */
  | { readonly op: "trim"; readonly journal: string; readonly above?: number; readonly below: number; readonly limit: number };

export interface Batch {
  readonly scope: string;
  /** As `attach` gave it. Null = not fenced: for `attach`, and for whoever holds the lock without being the owner. */
  readonly epoch: number | null;
  /** The owner's time, milliseconds. */
  readonly at_ms: number;
  readonly ops: readonly StateOp[];
}

export type Refusal =
  /** `answer` when it was answered; else `seq` of the row that is in the mailbox. */
  | { readonly why: "duplicate"; readonly seq: number; readonly hash: string; readonly answer: Answer | null }
  | { readonly why: "stale_epoch"; readonly epoch: number }
  /** The row is gone, or has another fence. */
  | { readonly why: "stale_row"; readonly seq: number }
  | { readonly why: "not_found"; readonly seq: number }
  | { readonly why: "moved"; readonly space: string; readonly key: string; readonly version: number };

/** `values`: one for each op, 0 where none is named. `at`: the op that was refused; nothing of the batch was done. */
export type Commit =
  | { readonly ok: true; readonly values: readonly number[] }
  | { readonly ok: false; readonly at: number; readonly refusal: Refusal };

/** Rows from `after` on (0 = the oldest), ascending by `seq`. Pages end at `limit` or `STATE_LIMITS.pageBytesMax`. */
export interface Page {
  readonly after: number;
  readonly limit: number;
}

export interface ReadyQuery {
  readonly priority: Priority;
  readonly at_ms: number;
  readonly limit: number;
  /** Senders that are left out, at most 64: those that have had their turn. */
  readonly except?: readonly string[];
}

/**
 * A read sees every batch whose `commit` was called before it and resolved, and perhaps later ones. Faults as in
 * `StateFault`.
 */
export interface StateReader {
  /** Rows that may start: free or with a lease that ran out, due, and first of their key; by `ready_at_ms`, `seq`. */
  ready(scope: string, query: ReadyQuery, call?: StoreCall): Promise<readonly Mail[]>;
  mail(scope: string, seq: number, call?: StoreCall): Promise<Mail | undefined>;
  rows(scope: string, page: Page, call?: StoreCall): Promise<readonly MailHead[]>;
  /** Rows whose time is over, whoever holds them, the longest over first. */
  expired(scope: string, at_ms: number, limit: number, call?: StoreCall): Promise<readonly MailHead[]>;
  parked(scope: string, name: string, limit: number, call?: StoreCall): Promise<readonly MailHead[]>;
  /** The row, or else the answer (the window may be over), of a request. */
  find(scope: string, request: RequestName, call?: StoreCall): Promise<MailHead | Answer | undefined>;
  /** Due parcels, by `send_at_ms`, `seq`. */
  outbox(scope: string, at_ms: number, limit: number, call?: StoreCall): Promise<readonly Parcel[]>;
  /** All parcels for one receiver, by `seq`: it is back. */
  outboxTo(scope: string, to: string, page: Page, call?: StoreCall): Promise<readonly Parcel[]>;
  letters(scope: string, page: Page, call?: StoreCall): Promise<readonly Letter[]>;
  get(scope: string, space: string, key: string, call?: StoreCall): Promise<Document | undefined>;
  /** Keys after `after` that begin with `prefix`, sorted by bytes. */
  keys(
    scope: string, space: string, query: { prefix: string; after: string | null; limit: number }, call?: StoreCall,
  ): Promise<readonly string[]>;
  /** Entries with a `seq` above `after`, of all scopes. */
  journal(journal: string, page: Page, call?: StoreCall): Promise<readonly JournalEntry[]>;
  /** Entries with a `seq` below `before`, of all scopes, the newest first. */
  journalBack(
    journal: string, page: { readonly before: number; readonly limit: number }, call?: StoreCall,
  ): Promise<readonly JournalEntry[]>;
  usage(scope: string, call?: StoreCall): Promise<Usage>;
  /** Bytes that all of the store takes; what is free in its file is not counted. */
  size(call?: StoreCall): Promise<number>;
  /** Instants later than that; for what is due already, see the reads above. */
  wakes(scope: string, after_ms: number, call?: StoreCall): Promise<Wakes>;
}

export interface StateSupports {
  /** What was committed survives the process. */
  readonly durable: boolean;
  /** Several processes may write at the same time; epochs keep them apart. */
  readonly shared: boolean;
}

export interface StateStore extends StateReader, AsyncDisposable {
  readonly supports: StateSupports;
  /**
   * Batches of one store are committed in the order of the calls, and those that are done are told so in that order. Throws a `StateFault`; `uncertain` says that it may
   * have been done.
   */
  commit(batch: Batch, call?: StoreCall): Promise<Commit>;
}
