/**
 * What is said between us and the store worker. Batches go both ways: one message holds what one turn
 * produced.
 */
import type { JournalMode } from "./journal-mode.ts";
import type { SqliteFailure } from "./sqlite-failure.ts";

export type StoreName = "kv" | "ts";

export type StoreOp =
  | "kv.get" | "kv.set" | "kv.delete" | "kv.list"
  | "ts.append" | "ts.query" | "ts.last";

/** `leftMs` is the caller's time, Infinity = none. */
export type StoreRequest =
  | readonly [id: number, op: StoreOp, leftMs: number, args: readonly unknown[]]
  /** The caller no longer waits for `id`: not answered. */
  | readonly [id: number, op: "cancel"]
  | readonly [id: number, op: "close", file: StoreName];

export const DONE = 0;
export const FAILED = 1;
export const LATE = 2;

export type StoreAnswer =
  | readonly [id: number, status: typeof DONE, value: unknown]
  | readonly [id: number, status: typeof FAILED, failure: SqliteFailure]
  | readonly [id: number, status: typeof LATE];

export interface StoreFileOptions {
  readonly path: string;
  readonly busyTimeoutMs: number;
  readonly journalMode: JournalMode;
}

export type StoreWorkerData = Readonly<Record<StoreName, StoreFileOptions>>;
