/**
 * Ways out of a restricted database: each must be refused with the verb, the object, the reason and the
 * grant.
 */
import assert from "node:assert/strict";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { SqlCall, SqlDatabase, SqlValue } from "@atoll-run/core";

const CALL: SqlCall = { owner: "main/t1", timeoutMs: 20_000 };
const DENIED = /^denied: sql .+ \(.+\); needs grant all$/;

type Escape = readonly [what: string, sql: string, params?: readonly SqlValue[]];

const ESCAPES: readonly Escape[] = [
  ["ATTACH of a file", "ATTACH 'elsewhere.db' AS e"],
  ["ATTACH in other letters behind a comment", "/* x */ aTTacH\n'elsewhere.db' AS e"],
  ["ATTACH of a bound name", "ATTACH ? AS e", ["elsewhere.db"]],
  ["ATTACH of a computed name", "ATTACH 'else' || 'where.db' AS e"],
  ["ATTACH of a URI", "ATTACH 'file:elsewhere.db?mode=rwc' AS e"],
  ["ATTACH of a URI that says memory", "ATTACH 'file:elsewhere.db?mode=rwc&cache=:memory:' AS e"],
  ["ATTACH as the second statement", "SELECT 1; ATTACH 'elsewhere.db' AS e"],
  ["VACUUM INTO a file", "VACUUM INTO 'elsewhere.db'"],
  ["VACUUM main INTO a computed name", "VACUUM main INTO 'else' || 'where.db'"],
  ["load_extension", "SELECT load_extension('elsewhere.so')"],
  ["fts3_tokenizer", "SELECT fts3_tokenizer('simple')"],
  ["PRAGMA writable_schema", "PRAGMA writable_schema = ON"],
  ["PRAGMA writable_schema of a schema", "PRAGMA main.writable_schema(1)"],
  ["PRAGMA journal_mode", "PRAGMA journal_mode = DELETE"],
  ["PRAGMA journal_mode as a table", "SELECT * FROM pragma_journal_mode"],
  ["PRAGMA journal_size_limit", "PRAGMA journal_size_limit = 0"],
  ["PRAGMA temp_store_directory", "PRAGMA temp_store_directory = '.'"],
  ["EXPLAIN of ATTACH", "EXPLAIN ATTACH 'elsewhere.db' AS e"],
];

/** Registers the tests; `folder` is looked at for what must not be there. */
export function restrictedChapter(open: (o: { path?: string; restricted: boolean }) => SqlDatabase, folder: string): void {
  for (const [what, sql, params = []] of ESCAPES) {
    test(`in restricted mode ${what} is denied`, async () => {
      const db = open({ restricted: true });
      for (const run of [db.exec(sql, params, CALL), db.query(sql, params, CALL)]) {
        await assert.rejects(run, (error: { code: string; message: string; facts: { grant: string } }) => {
          assert.match(error.message, DENIED);
          assert.equal(error.code, "grant.denied");
          assert.equal(error.facts.grant, "all");
          return true;
        });
      }
      assert.deepEqual(readdirSync(folder).filter((name) => name.includes("elsewhere")), []);
      assert.equal(existsSync("elsewhere.db"), false);
    });
  }

  test("in restricted mode the schema table cannot be written", async () => {
    const db = open({ restricted: true });
    await db.exec("CREATE TABLE t(a)", [], CALL);
    await assert.rejects(db.exec("UPDATE sqlite_schema SET sql = 'CREATE TABLE t(a, b)'", [], CALL),
      { code: "sql.failed", message: /may not be modified/ });
  });

  test("in restricted mode a view or trigger cannot call load_extension for the script", async () => {
    const db = open({ restricted: true });
    await assert.rejects(db.exec("CREATE VIEW v AS SELECT load_extension('elsewhere.so'); SELECT * FROM v", [], CALL),
      { code: "sql.failed", message: /unsafe use of load_extension/ });
  });

  test("in restricted mode plain VACUUM, '' and ':memory:' work", async () => {
    const db = open({ restricted: true });
    await db.exec("CREATE TABLE t(a); INSERT INTO t VALUES (1); VACUUM", [], CALL);
    await db.exec("ATTACH '' AS scratch; ATTACH ':memory:' AS quick; CREATE TABLE quick.u(b)", [], CALL);
    await db.exec("CREATE TEMP TABLE w(c); INSERT INTO w VALUES (1)", [], CALL);
    assert.equal(await db.query("SELECT count(*) AS n FROM t, w", [], CALL), '[{"n":1}]');
  });

  test("without restrictions ATTACH and VACUUM INTO reach any file", async () => {
    const db = open({ restricted: false });
    const other = join(folder, "granted.db");
    await db.exec("CREATE TABLE t(a); INSERT INTO t VALUES (1)", [], CALL);
    await db.exec(`VACUUM INTO '${other}'`, [], CALL);
    await db.exec("ATTACH ? AS o", [other], CALL);
    assert.equal(await db.query("SELECT a FROM o.t", [], CALL), '[{"a":1}]');
  });
}
