/**
 * Port of a script's own SQL database (`std.sql`). takes SQL text and bound values; gives rows as JSON
 * text; promises one statement at a time and that a cancel ends only the caller's statement; refuses when
 * over its queue; never lets a statement outlive its deadline.
 *
 * Faults: `sql.failed` (`sql error: …`), `sql.timeout`, `sql.cancelled`, `sql.aborted` (the transaction
 * that the owner had opened was rolled back because its process ended; reported once, on the owner's next
 * statement) and `grant.denied`.
 */

/** `bigint` binds as INTEGER (int64), `number` always as REAL, `string` as TEXT, `null` as NULL. */
export type SqlValue = null | bigint | number | string;

export interface SqlCall {
  /** Who asks: isle and task. A transaction opened by BEGIN belongs to its owner. */
  readonly owner: string;
  /** Milliseconds for running, counted from its turn on: neighbours take nothing of it. Absent = no bound. */
  readonly timeoutMs?: number;
  /** Milliseconds to wait for its turn; absent = the default of `sqlQueueMsMax`. */
  readonly queueMs?: number;
  readonly signal?: AbortSignal;
}

/**
 * A text may hold several statements: they run in order and the first that fails ends the call; those
 * before it stay done, unless a transaction is open. Each takes as many values as it has parameters from
 * the front of the list; too few or too many is `sql.failed`.
 */
export interface SqlDatabase extends AsyncDisposable {
  /**
   * Rows of the last statement as a JSON array of objects: INTEGER as digits, REAL always with a point or
   * exponent (an infinite one as ±1e999), NULL as null, keys in the order of the columns; of columns with
   * one name the last wins.
   */
  query(sql: string, params: readonly SqlValue[], call: SqlCall): Promise<string>;
  /**
   * Rows changed by the last statement (0 when it is not INSERT, UPDATE or DELETE) and the last row id of
   * the connection.
   */
  exec(
    sql: string, params: readonly SqlValue[], call: SqlCall,
  ): Promise<{ affected: bigint; last_id: bigint }>;
}
