/** The stores of a block on SQLite: where their files are, and how they are opened. */
import { type BlockLimits, LIMITS, type KvStore, type Log, type SeriesStore } from "@atoll-run/core";
import type { StoreOpeners } from "@atoll-run/block";
import { openSqlDatabase, openStores, type Stores } from "@atoll-run/sqlite";
import { countSetting, type Env, envSetting, storePath } from "./settings.ts";

/** What wins over the environment. */
export interface StoreSettings {
  readonly limits?: Partial<BlockLimits> | undefined;
  readonly sqlPath?: string | undefined;
  readonly kvPath?: string | undefined;
  readonly tsPath?: string | undefined;
}

/**
 * Openers for one run; nothing is opened before its first use. `std.kv` and `std.ts` share one worker thread.
 * Each throws `config.invalid` when no home is set, or the journal mode is unknown.
 */
export function storeOpeners(given: StoreSettings, log: Log | undefined): StoreOpeners {
  let shared: Stores | undefined;
  const both = (env: Env): Stores => shared ??= openStores({
    // The path that is not asked for may be missing: its own opener says so.
    kvPath: pathOr(":memory:", () => kvPath(env)), tsPath: pathOr(":memory:", () => tsPath(env)),
    ...opening(env),
  });
  const opening = (env: Env): { busyTimeoutMs: number; journalMode: string; log?: Log } => ({
    busyTimeoutMs: given.limits?.sqlBusyMs ?? countSetting(env, "SQL_BUSY_TIMEOUT_MS", LIMITS.sqlBusyMs.default),
    journalMode: envSetting(env, "SQL_JOURNAL_MODE")?.text ?? "WAL", ...(log === undefined ? {} : { log }),
  });
  const kvPath = (env: Env): string => given.kvPath ?? storePath(env, "KV_PATH", "kv.sqlite");
  const tsPath = (env: Env): string => given.tsPath ?? storePath(env, "TS_PATH", "ts.sqlite");
  return {
    sql: ({ restricted, env }) => openSqlDatabase({
      path: given.sqlPath ?? storePath(env, "SQL_PATH", "db.sqlite"), restricted, ...opening(env),
    }),
    kv: ({ env }): KvStore => {
      kvPath(env);
      return both(env).kv;
    },
    series: ({ env }): SeriesStore => {
      tsPath(env);
      return both(env).series;
    },
  };
}

function pathOr(fallback: string, path: () => string): string {
  try {
    return path();
  } catch {
    return fallback;
  }
}
