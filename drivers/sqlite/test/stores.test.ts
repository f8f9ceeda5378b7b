/** The chapters of kv and ts on SQLite: in files, and in memory. */
import { join } from "node:path";
import type { KvStore, SeriesStore } from "@atoll-run/core";
import { openStores, type Stores } from "@atoll-run/sqlite";
import { kvChapters, seriesChapters } from "@atoll-run/testkit";

const SETTINGS = { busyTimeoutMs: 1_000, journalMode: "WAL" };

function inFiles(folder: string): Stores {
  return openStores({ kvPath: join(folder, "kv.sqlite"), tsPath: join(folder, "ts.sqlite"), ...SETTINGS });
}

function inMemory(): Stores {
  return openStores({ kvPath: ":memory:", tsPath: ":memory:", ...SETTINGS });
}

const durable = { skip: "it is memory" };

kvChapters({ name: "SQLite file", open: (folder) => kvOf(inFiles(folder)), durable: true });
kvChapters({ name: "SQLite in memory", open: () => kvOf(inMemory()), durable });
seriesChapters({ name: "SQLite file", open: (folder) => seriesOf(inFiles(folder)), durable: true });
seriesChapters({ name: "SQLite in memory", open: () => seriesOf(inMemory()), durable });

// Closing one of a pair ends the pair here: the other is never used.
function kvOf(stores: Stores): KvStore {
  return { ...stores.kv, [Symbol.asyncDispose]: () => stores[Symbol.asyncDispose]() };
}

function seriesOf(stores: Stores): SeriesStore {
  return { ...stores.series, [Symbol.asyncDispose]: () => stores[Symbol.asyncDispose]() };
}
