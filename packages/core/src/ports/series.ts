/**
 * Port of a script's time series (`std.ts`). Values are JSON text; rows come back as JSON text.
 */
import type { StoreCall } from "./kv.ts";

export type TagValue = string | number | bigint | boolean;

export interface SeriesQuery {
  readonly from?: number;
  readonly to?: number;
  readonly tags?: Readonly<Record<string, TagValue>>;
  readonly agg?: string;
  readonly bucket_ms?: number;
  readonly limit?: number;
  readonly offset?: number;
}

export interface SeriesStore extends AsyncDisposable {
  append(series: string, json: string, tags: Readonly<Record<string, TagValue>>, atMs: number, call: StoreCall): Promise<void>;
  /** JSON array of rows. */
  query(series: string, query: SeriesQuery, call: StoreCall): Promise<string>;
  /** JSON object of the last row, or undefined. */
  last(series: string, tags: Readonly<Record<string, TagValue>>, call: StoreCall): Promise<string | undefined>;
}
