/** Many databases on few children: none hurts another, and none is left waiting. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import type { SqlDatabase } from "@atoll-run/core";
import { createSqlPool, type SqlPool } from "@atoll-run/sqlite";
import { noProc, sqlChildrenOf } from "./fixtures/processes.ts";

const CALL = { owner: "main", timeoutMs: 20_000 };
const ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n";
const folder = mkdtempSync(join(tmpdir(), "atoll-sql-pool-"));
after(() => rmSync(folder, { recursive: true, force: true }));
let files = 0;

function open(pool: SqlPool): SqlDatabase {
  const path = join(folder, `${++files}.sqlite`);
  return pool.open({ path, restricted: true, busyTimeoutMs: 1_000, journalMode: "WAL" });
}

test("many databases share few children and all get their turn", { skip: noProc }, async () => {
  await using pool = createSqlPool({ children: 2 });
  const databases = Array.from({ length: 80 }, () => open(pool));
  await Promise.all(databases.map(async (db, i) => {
    await db.exec("CREATE TABLE t(a)", [], CALL);
    await Promise.all(Array.from({ length: 5 }, () => db.exec("INSERT INTO t VALUES (?)", [BigInt(i)], CALL)));
    assert.equal(await db.query("SELECT DISTINCT a, count(*) AS n FROM t", [], CALL), `[{"a":${i},"n":5}]`);
  }));
  assert.equal(sqlChildrenOf(process.pid).length, 2);
});

test("killing the statement of one database touches no transaction of another", async () => {
  await using pool = createSqlPool({ children: 2 });
  const one = open(pool);
  const two = open(pool);
  await one.exec("CREATE TABLE t(a); BEGIN; INSERT INTO t VALUES (1)", [], CALL);
  await assert.rejects(two.query(ENDLESS, [], { ...CALL, timeoutMs: 200 }), { code: "sql.timeout" });
  await one.exec("COMMIT", [], CALL);
  assert.equal(await one.query("SELECT a FROM t", [], CALL), '[{"a":1}]');
});

test("a database goes on in another child while its own is busy, and keeps its settings", async () => {
  await using pool = createSqlPool({ children: 2 });
  const one = open(pool);
  const two = open(pool);
  await one.exec("CREATE TABLE t(a); INSERT INTO t VALUES (1); PRAGMA cache_size = -1234", [], CALL);
  const stop = new AbortController();
  const endless = two.query(ENDLESS, [], { ...CALL, signal: stop.signal });
  assert.equal(await one.query("SELECT a FROM t", [], CALL), '[{"a":1}]');
  assert.equal(await one.query("PRAGMA cache_size", [], CALL), '[{"cache_size":-1234}]');
  stop.abort();
  await assert.rejects(endless, { code: "sql.cancelled" });
});

test("a database with a temporary table waits for the child that has it", async () => {
  await using pool = createSqlPool({ children: 2 });
  const one = open(pool);
  const two = open(pool);
  await one.exec("CREATE TEMP TABLE t(a); INSERT INTO t VALUES (1)", [], CALL);
  const busy = two.query("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 300000) SELECT max(i) AS m FROM n", [], CALL);
  assert.equal(await one.query("SELECT a FROM t", [], CALL), '[{"a":1}]');
  assert.equal(await busy, '[{"m":300000}]');
});

test("a transaction that nobody goes on with is rolled back when others wait for a child", async () => {
  await using pool = createSqlPool({ children: 1, idleTransactionMs: 100 });
  const one = open(pool);
  const two = open(pool);
  await one.exec("CREATE TABLE t(a)", [], CALL);
  await one.exec("BEGIN; INSERT INTO t VALUES (1)", [], CALL);
  assert.equal(await two.query("SELECT 2 AS a", [], CALL), '[{"a":2}]');
  await assert.rejects(one.exec("COMMIT", [], CALL), { code: "sql.aborted", message: /idle while other databases waited/ });
  assert.equal(await one.query("SELECT count(*) AS n FROM t", [], CALL), '[{"n":0}]');
});

test("a database that waits longer for a child than it may wait for its turn fails with sql.timeout", async () => {
  await using pool = createSqlPool({ children: 1 });
  const one = open(pool);
  const two = open(pool);
  await one.exec("BEGIN", [], CALL);
  await assert.rejects(two.query("SELECT 1", [], { ...CALL, queueMs: 100 }), { code: "sql.timeout", message: "sql.query timeout (100ms)" });
});

test("an unknown journal mode is refused when the database is opened", async () => {
  await using pool = createSqlPool({ children: 1 });
  assert.throws(() => pool.open({ path: "x", restricted: true, busyTimeoutMs: 0, journalMode: "WAL; DROP TABLE t" }),
    { code: "config.invalid", message: /^config error: unknown journal mode/ });
});
