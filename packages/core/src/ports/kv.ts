/**
 * Port of a script's key-value store (`std.kv`). Values are JSON text and pass through untouched.
 * Promises that what was acknowledged is durable; refuses with a retry hint when over its queue.
 *
 * Faults: `kv.namespace` (`Invalid namespace: '…'`: empty, or with `/`, `\`, NUL or `..`), `kv.failed`
 * (`kv.<op> sql error: …`), `kv.timeout` (`kv.<op> timeout (Nms)`), `kv.cancelled` (`task cancelled during
 * kv.<op>`). A write that timed out or was cancelled may still happen: its fault says `uncertain`.
 */
export interface StoreCall {
  /** Milliseconds; absent = no bound. Checked between slices of 1,000 rows. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

export interface KvStore extends AsyncDisposable {
  get(ns: string, key: string, call: StoreCall): Promise<string | undefined>;
  set(ns: string, key: string, json: string, call: StoreCall): Promise<void>;
  /** True when the key was there. */
  delete(ns: string, key: string, call: StoreCall): Promise<boolean>;
  /** Keys of the namespace that begin with `prefix`, sorted by bytes. */
  list(ns: string, prefix: string, call: StoreCall): Promise<string[]>;
}
