/**
 * The SQL chapters of the testkit, on a database with a child of its own and on databases that share a
 * pool.
 */
import { after } from "node:test";
import { createSqlPool, openSqlDatabase } from "@atoll-run/sqlite";
import { sqlChapters } from "@atoll-run/testkit";

const SETTINGS = { busyTimeoutMs: 1_000, journalMode: "WAL" };

sqlChapters({ name: "a child of its own", open: (o) => openSqlDatabase({ ...o, ...SETTINGS }) });

const pool = createSqlPool({ children: 2, idleTransactionMs: 200 });
after(() => pool[Symbol.asyncDispose]());
sqlChapters({ name: "a pool of two children", open: (o) => pool.open({ ...o, ...SETTINGS }) });
