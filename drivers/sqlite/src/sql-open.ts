/** The two ways to open a user database: with a child of its own, or in a pool for many. */
import { availableParallelism } from "node:os";
import { resolve } from "node:path";
import type { Log, SqlDatabase } from "@atoll-run/core";
import { toJournalMode } from "./journal-mode.ts";
import { PooledDatabase } from "./sql-database.ts";
import { ProcessPool } from "./sql-pool.ts";

const IDLE_TRANSACTION_MS = 5_000;

export interface SqlOptions {
  /** File, made with its folder when missing; `":memory:"` = a private temporary file, deleted at the end. */
  readonly path: string;
  /** Refuse what reaches outside of the file (block 8.2). */
  readonly restricted: boolean;
  /** How long a statement waits for another program that writes to the file, milliseconds. */
  readonly busyTimeoutMs: number;
  /** `WAL`, `DELETE`, …; ignored for `":memory:"`. Throws `config.invalid` for an unknown word. */
  readonly journalMode: string;
  readonly log?: Log;
}

export interface SqlPoolOptions {
  /** Children at most; default: the cores that this process may use. */
  readonly children?: number;
  /**
   * Open transactions not used for so long are rolled back while others wait for a child; default 5,000 ms.
   */
  readonly idleTransactionMs?: number;
}

/** Children shared by the databases of many blocks. Close the databases first. */
export interface SqlPool extends AsyncDisposable {
  open(o: SqlOptions): SqlDatabase;
}

/** Starts nothing: children are started when statements come. */
export function createSqlPool(o: SqlPoolOptions = {}): SqlPool {
  const { children = availableParallelism(), idleTransactionMs = IDLE_TRANSACTION_MS } = o;
  const pool = new ProcessPool({ children, idleTransactionMs });
  const open = new Set<SqlDatabase>();
  return {
    open: (options) => {
      const database = openIn(pool, options);
      open.add(database);
      return withClosing(database, () => void open.delete(database));
    },
    async [Symbol.asyncDispose]() {
      await Promise.all([...open].map((database) => database[Symbol.asyncDispose]()));
      await pool.close();
    },
  };
}

/** A database with one child of its own, started at first use. */
export function openSqlDatabase(o: SqlOptions): SqlDatabase {
  const pool = new ProcessPool({ children: 1, idleTransactionMs: IDLE_TRANSACTION_MS });
  return withClosing(openIn(pool, o), () => pool.close());
}

function openIn(pool: ProcessPool, o: SqlOptions): PooledDatabase {
  const temporary = o.path === ":memory:";
  return new PooledDatabase({
    pool, log: o.log,
    opening: {
      path: temporary ? "" : resolve(o.path), temporary, restricted: o.restricted,
      busyTimeoutMs: o.busyTimeoutMs, journalMode: toJournalMode(o.journalMode), pragmas: [],
    },
  });
}

function withClosing(database: SqlDatabase, after: () => void | Promise<void>): SqlDatabase {
  let closing: Promise<void> | undefined;
  const close = async (): Promise<void> => {
    await database[Symbol.asyncDispose]();
    await after();
  };
  return {
    query: (sql, params, call) => database.query(sql, params, call),
    exec: (sql, params, call) => database.exec(sql, params, call),
    [Symbol.asyncDispose]: () => closing ??= close(),
  };
}
