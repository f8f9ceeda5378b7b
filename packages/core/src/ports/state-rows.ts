/** What a `StateStore` gives to its readers. Times are the owner's milliseconds; bodies are never looked into. */

export const PRIORITIES = { normal: 0, high: 1 } as const;
export type Priority = keyof typeof PRIORITIES;

/** Who asked for what: together with the scope it is there once, in mailbox and answers together. */
export interface RequestName {
  readonly sender: string;
  readonly route: string;
  readonly request_id: string;
}

/** A message as it is accepted. */
export interface NewMail extends RequestName {
  /** Of the payload: tells a duplicate from another message under the same name. */
  readonly hash: string;
  readonly priority: Priority;
  /** Rows with one key are offered one at a time, by `seq`; null = no order. */
  readonly key: string | null;
  readonly body: Uint8Array;
  /** JSON text of the owner: kind, proof, trace, metadata. */
  readonly about: string;
  readonly accepted_at_ms: number;
  /** Null = never. */
  readonly expires_at_ms: number | null;
  /** Not offered before; 0 = at once. */
  readonly ready_at_ms: number;
}

/** A message without its body. */
export interface MailHead extends Omit<NewMail, "body"> {
  /** Rises with every commit, has holes, orders everything. */
  readonly seq: number;
  readonly bytes: number;
  /** Failures that were counted. */
  readonly attempts: number;
  /** Attaches that found it leased: its process died while it ran. */
  readonly crashes: number;
  /** Rises with every change of hands; who names an older one is refused. */
  readonly fence: number;
  readonly leased: boolean;
  /** Name of the wake-up that it waits for, besides `ready_at_ms`. */
  readonly parked: string | null;
}

/** `ready_at_ms` of a leased row is the end of the lease. */
export interface Mail extends MailHead {
  readonly body: Uint8Array;
}

/** The remembered answer to a request. */
export interface Answer extends RequestName {
  readonly hash: string;
  /** JSON text of the owner: outcome, code. */
  readonly outcome: string;
  readonly reply: Uint8Array | null;
  readonly done_at_ms: number;
  /** End of the window. Until then it is never dropped. */
  readonly forget_at_ms: number;
}

/** A message that was given up. */
export interface NewLetter {
  readonly reason: string;
  /** False for frames that were never accepted: their owner may drop the oldest. */
  readonly accepted: boolean;
  readonly sender: string | null;
  readonly route: string | null;
  readonly body: Uint8Array;
  /** JSON text of the owner: code, text, stack, request id, key, kind, attempts, trace, lane. */
  readonly about: string;
  readonly dead_at_ms: number;
}

export interface Letter extends NewLetter {
  readonly seq: number;
  readonly redrives: number;
  /** Being handled once more. */
  readonly redriving: boolean;
}

/** Something to be sent until it was taken. */
export interface NewParcel {
  readonly to: string;
  readonly kind: "reply" | "tell";
  readonly body: Uint8Array;
  /** JSON text of the owner: route, request id, trace. */
  readonly about: string;
  readonly send_at_ms: number;
  readonly expires_at_ms: number;
}

export interface Parcel extends NewParcel {
  readonly seq: number;
  readonly attempts: number;
}

export interface Document {
  /** JSON text. */
  readonly value: string;
  /** `seq` of the commit that put it. A document that is not there has version 0. */
  readonly version: number;
}

export interface JournalEntry {
  readonly seq: number;
  readonly scope: string;
  readonly at_ms: number;
  /** JSON text. */
  readonly body: string;
}

/** What a scope holds. */
export interface Usage {
  readonly rows: number;
  readonly bytes: number;
  readonly answers: number;
  readonly answer_bytes: number;
  readonly letters: number;
  readonly letter_bytes: number;
  readonly parcels: number;
}

/** The next instants at which the owner has something to do; null = none. A row that waits for its key counts not. */
export interface Wakes {
  readonly ready_at_ms: number | null;
  readonly expires_at_ms: number | null;
  readonly send_at_ms: number | null;
  readonly forget_at_ms: number | null;
}
