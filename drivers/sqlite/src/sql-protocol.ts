/**
 * What is said between us and the SQL child. The child answers each request, in order, and runs one at a
 * time.
 */
import type { SqlValue } from "@atoll-run/core";
import type { JournalMode } from "./journal-mode.ts";

/** All that is needed to open a database; sent with the first statement in a child. */
export interface Opening {
  readonly path: string;
  /** A private file that ends with its owner: nothing is flushed to the disk. */
  readonly temporary: boolean;
  readonly restricted: boolean;
  readonly busyTimeoutMs: number;
  readonly journalMode: JournalMode;
  /** Settings of an earlier connection, set again so that a new child behaves as the old one did. */
  readonly pragmas: readonly Pragma[];
}

export type Pragma = readonly [name: string, value: string];

export interface RunRequest {
  readonly op: "query" | "exec";
  readonly db: number;
  readonly sql: string;
  readonly params: readonly SqlValue[];
  readonly open?: Opening;
}

export interface CloseRequest {
  readonly op: "close";
  readonly db: number;
}

export type ChildRequest = RunRequest | CloseRequest;

/** State of the connection after a statement; absent = it is not open. */
export interface ConnectionState {
  readonly inTransaction: boolean;
  /** It holds what no other connection has: temporary tables, attached databases, a lasting lock. */
  readonly pinned: boolean;
  /** Settings that this statement changed. */
  readonly pragmas: readonly Pragma[];
}

export interface RunAnswer {
  readonly ok: true;
  /** JSON text; of a query. */
  readonly rows?: string;
  readonly affected?: bigint;
  readonly last_id?: bigint;
  readonly state?: ConnectionState;
}

export interface FailAnswer {
  readonly ok: false;
  readonly code: "sql.failed" | "grant.denied";
  readonly text: string;
  readonly facts: Readonly<Record<string, unknown>>;
  readonly retry: "never" | "later";
  readonly hint?: string;
  readonly state?: ConnectionState;
}

export type ChildAnswer = RunAnswer | FailAnswer;

/** The first frame of a child. */
export const READY = "ready";
