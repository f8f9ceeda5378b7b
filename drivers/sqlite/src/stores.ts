/** `std.kv` and `std.ts` on SQLite: one worker thread owns both files. */
import { resolve } from "node:path";
import type { KvStore, Log, SeriesQuery, SeriesStore, TagValue } from "@atoll-run/core";
import { toJournalMode } from "./journal-mode.ts";
import { KvReader } from "./kv-reader.ts";
import { AGGS } from "./series-aggregate.ts";
import { StoreClient } from "./store-client.ts";
import { badNamespace, badSeries } from "./store-faults.ts";

export interface StoreOptions {
  /** File, made with its folder when missing; `":memory:"` = kept in memory. */
  readonly kvPath: string;
  readonly tsPath: string;
  /** How long a request waits for another program that writes to the file, milliseconds. */
  readonly busyTimeoutMs: number;
  /** `WAL`, `DELETE`, …; throws `config.invalid` for an unknown word. */
  readonly journalMode: string;
  readonly log?: Log;
}

export interface Stores extends AsyncDisposable {
  readonly kv: KvStore;
  readonly series: SeriesStore;
}

/**
 * Starts nothing: the worker is started and each file opened at first use. At most 4,096 requests wait for
 * an answer. An acknowledged write has been flushed to the disk.
 */
export function openStores(o: StoreOptions): Stores {
  const journalMode = toJournalMode(o.journalMode);
  const file = (path: string): { path: string; busyTimeoutMs: number; journalMode: typeof journalMode } => ({
    path: path === ":memory:" ? path : resolve(path), busyTimeoutMs: o.busyTimeoutMs, journalMode,
  });
  const client = new StoreClient({ kv: file(o.kvPath), ts: file(o.tsPath) }, o.log);
  const reader = o.kvPath === ":memory:" || journalMode !== "WAL" ? undefined : new KvReader(resolve(o.kvPath));
  const closeKv = (): Promise<void> => {
    reader?.close();
    return client.close("kv");
  };
  const kv = openKv(client, reader, closeKv);
  const series = openSeries(client);
  return {
    kv, series,
    [Symbol.asyncDispose]: async () => void await Promise.all([closeKv(), client.close("ts")]),
  };
}

/** `reader`: answers what it can while no request is under way, so that nobody overtakes his own write. */
function openKv(client: StoreClient, reader: KvReader | undefined, close: () => Promise<void>): KvStore {
  return {
    get: async (ns, key, call) => {
      checkNamespace(ns);
      const read = client.isQuiet && call.signal?.aborted !== true ? reader?.get(ns, key) : undefined;
      if (read !== undefined) return read.value;
      const value = await client.call("kv.get", [ns, key], call) as string | undefined;
      reader?.answered();
      return value;
    },
    set: async (ns, key, json, call) => {
      checkNamespace(ns);
      await client.call("kv.set", [ns, key, json], call);
    },
    delete: async (ns, key, call) => {
      checkNamespace(ns);
      return await client.call("kv.delete", [ns, key], call) as boolean;
    },
    list: async (ns, prefix, call) => {
      checkNamespace(ns);
      return await client.call("kv.list", [ns, prefix], call) as string[];
    },
    [Symbol.asyncDispose]: close,
  };
}

function openSeries(client: StoreClient): SeriesStore {
  return {
    // The port has five parameters.
    append: async (...[series, json, tags, atMs, call]) => {
      checkTags(tags);
      await client.call("ts.append", [series, json, tags, atMs], call);
    },
    query: async (series, query, call) => {
      checkQuery(query);
      return await client.call("ts.query", [series, query], call) as string;
    },
    last: async (series, tags, call) => {
      checkTags(tags);
      return await client.call("ts.last", [series, tags], call) as string | undefined;
    },
    [Symbol.asyncDispose]: () => client.close("ts"),
  };
}

function checkNamespace(ns: string): void {
  if (ns === "" || /[/\\\0]/.test(ns) || ns.includes("..")) throw badNamespace(ns);
}

function checkTags(tags: Readonly<Record<string, TagValue>>): void {
  for (const key of Object.keys(tags)) {
    if (!/^[a-zA-Z0-9_]+$/.test(key)) throw badSeries("ts tag key must be [a-zA-Z0-9_]+");
  }
}

function checkQuery({ tags = {}, agg, bucket_ms, limit = 0, offset = 0 }: SeriesQuery): void {
  checkTags(tags);
  if (bucket_ms !== undefined && !(bucket_ms > 0)) throw badSeries("ts bucket_ms must be positive");
  if (bucket_ms !== undefined && agg === undefined) throw badSeries("ts bucket_ms requires agg");
  if (!(limit >= 0)) throw badSeries("ts opts.limit must be >= 0");
  if (!(offset >= 0)) throw badSeries("ts opts.offset must be >= 0");
  if (agg !== undefined && !AGGS.includes(agg)) throw badSeries(`unknown agg: ${agg}`);
}
