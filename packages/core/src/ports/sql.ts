/**
 * Port of a script's own SQL database (`std.sql`).
 * takes SQL text and bound values; gives rows as JSON text; promises one statement at a time and that a cancel ends only
 * the caller's statement; refuses when over its queue; never lets a statement outlive its deadline.
 */
export type SqlValue = null | bigint | number | string;

export interface SqlCall {
  /** Who asks: isle and task. A transaction opened by BEGIN belongs to its owner. */
  readonly owner: string;
  /** Milliseconds for queueing and running; absent = no bound. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

export interface SqlDatabase extends AsyncDisposable {
  /** Rows as a JSON array of objects: INTEGER as digits, REAL always with a point or exponent, NULL as null. */
  query(sql: string, params: readonly SqlValue[], call: SqlCall): Promise<string>;
  exec(sql: string, params: readonly SqlValue[], call: SqlCall): Promise<{ affected: bigint; last_id: bigint }>;
}
