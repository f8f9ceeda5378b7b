/** What a table offers to the file it lives in. */
import type { DatabaseSync } from "node:sqlite";
import { FIXED_LIMITS } from "@atoll-run/core";

/** UTF-16 units of one answer; larger ones are refused, never cut. */
export const ANSWER_CHARS_MAX = 64 * 1024 * 1024;
/** Rows read between two looks at the deadline and at other requests. */
export const SLICE_ROWS = FIXED_LIMITS.storeSliceRowsMax.default;

export type Operation =
  /** Changes rows: part of the next commit, answered after it. */
  | { readonly kind: "write"; run(args: readonly unknown[]): unknown }
  /** Reads a row or two: run where it stands in the queue. */
  | { readonly kind: "read"; run(args: readonly unknown[]): unknown }
  /** Reads any number of rows: each `yield` ends a slice. */
  | { readonly kind: "scan"; run(args: readonly unknown[]): Iterator<undefined, unknown> };

export interface StoreTable {
  /** Run at every open; must leave an existing table as it is. */
  readonly schema: string;
  /** Compiles the statements. */
  open(db: DatabaseSync): Readonly<Record<string, Operation>>;
}

export function tooLarge(): Error {
  return new Error(`the result is larger than ${ANSWER_CHARS_MAX >> 20} MiB; ask for less at a time`);
}
