/**
 * Port of a script's time series (`std.ts`). Values are JSON text; rows come back as JSON text.
 *
 * Faults: `ts.invalid` (the texts are in `SeriesQuery`), `ts.failed` (`ts.<op> sql error: …`), `ts.timeout`
 * (`ts.<op> timeout (Nms)`), `task.cancelled` (`task cancelled during ts.<op>`).
 */
import type { StoreCall } from "./kv.ts";

export type TagValue = string | number | bigint | boolean;
export type Tags = Readonly<Record<string, TagValue>>;

export interface SeriesQuery {
  /** Milliseconds, inclusive. */
  readonly from?: number;
  /** Milliseconds, inclusive. */
  readonly to?: number;
  /**
   * Rows that have all of these: the type must match too, `1` is not `"1"` (1 and 1.0 are one number).
   * `ts tag key must be [a-zA-Z0-9_]+`.
   */
  readonly tags?: Tags;
  /** `count`, `sum`, `avg` or `last`; else `unknown agg: …`. */
  readonly agg?: string;
  /** Width of a bucket, milliseconds: `ts bucket_ms must be positive`, `ts bucket_ms requires agg`. */
  readonly bucket_ms?: number;
  /** Rows of the answer at most: `ts opts.limit must be >= 0`. */
  readonly limit?: number;
  /** Rows of the answer to leave out first: `ts opts.offset must be >= 0`. */
  readonly offset?: number;
}

export interface SeriesStore extends AsyncDisposable {
  append(series: string, json: string, tags: Tags, atMs: number, call: StoreCall): Promise<void>;
  /**
   * JSON array of rows. Raw: `{ts, value, tags}` by time, then by insertion. With `agg` one row `{value}`
   * (`last` adds `tags` and `ts`, and gives no row when nothing matches). With `bucket_ms` one row
   * `{bucket_ts, value}` for each bucket that has rows, by time; the bucket of a time is the largest
   * multiple of the width that is not above it. `count` counts all rows; `sum` and `avg` skip values that
   * are not numbers, and are null when none is. Integral results are integers (`6`, not `6.0`), exact
   * within int64; `last` gives the value as it was stored.
   */
  query(series: string, query: SeriesQuery, call: StoreCall): Promise<string>;
  /**
   * JSON object `{ts, value, tags}` of the last row by time, then by insertion; undefined when there is
   * none.
   */
  last(series: string, tags: Tags, call: StoreCall): Promise<string | undefined>;
}
