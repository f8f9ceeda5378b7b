/**
 * Conformance of `SqlDatabase`: values, texts of errors, transactions, cancel. Real files, in a folder of
 * its own.
 */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import type { SqlCall, SqlDatabase, SqlValue } from "@atoll-run/core";
import { cancelChapter, ENDLESS } from "./sql-cancel.ts";
import { restrictedChapter } from "./sql-escapes.ts";

export interface SqlUnderTest {
  /** Title of the chapters. */
  readonly name: string;
  /** A fresh handle on the file; `":memory:"` too. */
  open(o: { readonly path: string; readonly restricted: boolean }): SqlDatabase;
}

const A: SqlCall = { owner: "main/t1", timeoutMs: 20_000 };
const B: SqlCall = { owner: "main/t2", timeoutMs: 20_000 };

/** Registers the tests with node:test. */
export function sqlChapters(under: SqlUnderTest): void {
  describe(`${under.name}: sql`, () => {
    const folder = mkdtempSync(join(tmpdir(), "atoll-sql-chapters-"));
    const opened: SqlDatabase[] = [];
    let files = 0;
    const open = (o: { path?: string; restricted?: boolean } = {}): SqlDatabase => {
      const path = o.path ?? join(folder, `${++files}`, "db.sqlite");
      const database = under.open({ path, restricted: o.restricted ?? false });
      opened.push(database);
      return database;
    };
    after(async () => {
      await Promise.all(opened.map((database) => database[Symbol.asyncDispose]()));
      rmSync(folder, { recursive: true, force: true });
    });
    valueChapter(open);
    statementChapter(open);
    errorChapter(open, folder);
    cancelChapter(open);
    lifeChapter(open, folder);
    restrictedChapter(open, folder);
  });
}

type Open = (o?: { path?: string; restricted?: boolean }) => SqlDatabase;

function valueChapter(open: Open): void {
  const VALUES: readonly (readonly [title: string, sql: string, params: readonly SqlValue[], rows: string])[] = [
    ["INTEGER comes as digits, exact in int64", "SELECT ? AS v", [9223372036854775807n], '[{"v":9223372036854775807}]'],
    ["9007199254740993 is unchanged and still an integer", "SELECT ? AS v", [9007199254740993n], '[{"v":9007199254740993}]'],
    ["the smallest int64 is exact", "SELECT ? AS v", [-(2n ** 63n)], '[{"v":-9223372036854775808}]'],
    ["REAL keeps its point when it is integral", "SELECT ? AS v, 3.0 AS w", [6], '[{"v":6.0,"w":3.0}]'],
    ["REAL keeps its exponent", "SELECT 1e300 AS v, 2.5e-9 AS w", [], '[{"v":1e+300,"w":2.5e-9}]'],
    ["an infinite REAL is written as 1e999", "SELECT 9e999 AS v, -9e999 AS w", [], '[{"v":1e999,"w":-1e999}]'],
    ["NULL is null and keeps its key", "SELECT NULL AS v, ? AS w", [null], '[{"v":null,"w":null}]'],
    ["TEXT may hold any character, NUL too", "SELECT ? AS v", ['é"\u0000\n🌊'], '[{"v":"é\\"\\u0000\\n🌊"}]'],
    ["keys are as selected and in that order", "SELECT 1 AS z, 2 AS a, 3", [], '[{"z":1,"a":2,"3":3}]'],
    ["of columns with one name the last wins", "SELECT 1 AS v, 2 AS w, 3 AS v", [], '[{"w":2,"v":3}]'],
    ["no rows are an empty array", "SELECT 1 WHERE 0", [], "[]"],
    ["? takes values in order", "SELECT ? AS a, ? AS b", [1n, "x"], '[{"a":1,"b":"x"}]'],
    ["?N takes a value by its number", "SELECT ?2 AS a, ?1 AS b", [1n, 2n], '[{"a":2,"b":1}]'],
    [":name takes values in order of appearance", "SELECT :b AS a, @c AS b, :b AS c, ? AS d", [1n, 2n, 3n],
      '[{"a":1,"b":2,"c":1,"d":3}]'],
    ["a parameter in a string or a comment is none", "SELECT '?:a' AS a, ? AS b -- ? :c", [1n], '[{"a":"?:a","b":1}]'],
  ];
  for (const [title, sql, params, rows] of VALUES) {
    test(title, async () => assert.equal(await open({ path: ":memory:" }).query(sql, params, A), rows));
  }

  test("exec reports rows changed and the last row id", async () => {
    const db = open();
    assert.deepEqual(await db.exec("CREATE TABLE t(a)", [], A), { affected: 0n, last_id: 0n });
    assert.deepEqual(await db.exec("INSERT INTO t VALUES (1), (2), (3)", [], A), { affected: 3n, last_id: 3n });
    assert.deepEqual(await db.exec("UPDATE t SET a = 9 WHERE a > 1", [], A), { affected: 2n, last_id: 3n });
    assert.deepEqual(await db.exec("CREATE INDEX i ON t(a)", [], A), { affected: 0n, last_id: 3n });
    assert.deepEqual(await db.exec("DELETE FROM t", [], A), { affected: 3n, last_id: 3n });
  });

  test("INSERT … RETURNING works in query and in exec", async () => {
    const db = open();
    await db.exec("CREATE TABLE t(a)", [], A);
    assert.equal(await db.query("INSERT INTO t VALUES (?), (?) RETURNING a", [1n, 2n], A), '[{"a":1},{"a":2}]');
    assert.deepEqual(await db.exec("INSERT INTO t VALUES (3), (4) RETURNING a", [], A), { affected: 2n, last_id: 4n });
    assert.equal(await db.query("SELECT count(*) AS n FROM t", [], A), '[{"n":4}]');
  });

  test("a result of many rows arrives whole", async () => {
    const text = await open({ path: ":memory:" }).query(
      "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 50000) SELECT i, 'row ' || i AS t FROM n", [], A);
    const rows = JSON.parse(text) as { i: number; t: string }[];
    assert.equal(rows.length, 50_000);
    assert.deepEqual(rows.at(-1), { i: 50_000, t: "row 50000" });
  });
}

function statementChapter(open: Open): void {
  test("several statements run in order and the last is reported", async () => {
    const db = open();
    const done = await db.exec("CREATE TABLE t(a); INSERT INTO t VALUES (?), (?); /* ; */ INSERT INTO t VALUES (?);\n-- end", [1n, 2n, 3n], A);
    assert.deepEqual(done, { affected: 1n, last_id: 3n });
    assert.equal(await db.query("SELECT 1 AS x; SELECT a FROM t ORDER BY a;", [], A), '[{"a":1},{"a":2},{"a":3}]');
  });

  test("a trigger with statements inside is one statement", async () => {
    const db = open();
    await db.exec("CREATE TABLE t(a); CREATE TABLE u(b); CREATE TRIGGER g AFTER INSERT ON t BEGIN "
      + "INSERT INTO u VALUES (new.a); INSERT INTO u VALUES (new.a + 1); END; INSERT INTO t VALUES (7)", [], A);
    assert.equal(await db.query("SELECT b FROM u", [], A), '[{"b":7},{"b":8}]');
  });

  for (const empty of ["", "  ;; ", "-- nothing", "/* nothing */ ;"]) {
    test(`a text without a statement does nothing: ${JSON.stringify(empty)}`, async () => {
      const db = open({ path: ":memory:" });
      assert.equal(await db.query(empty, [], A), "[]");
      assert.deepEqual(await db.exec(empty, [], A), { affected: 0n, last_id: 0n });
    });
  }

  test("a table that changes between two runs of one text shows its new columns", async () => {
    const db = open();
    await db.exec("CREATE TABLE t(a); INSERT INTO t VALUES (1)", [], A);
    assert.equal(await db.query("SELECT * FROM t", [], A), '[{"a":1}]');
    await db.exec("ALTER TABLE t ADD COLUMN b DEFAULT 2", [], A);
    assert.equal(await db.query("SELECT * FROM t", [], A), '[{"a":1,"b":2}]');
  });

  test("a neighbour's statement between BEGIN and COMMIT belongs to the transaction", async () => {
    const db = open();
    await db.exec("CREATE TABLE t(a)", [], A);
    await db.exec("BEGIN", [], A);
    await db.exec("INSERT INTO t VALUES (1)", [], B);
    await db.exec("ROLLBACK", [], A);
    assert.equal(await db.query("SELECT count(*) AS n FROM t", [], A), '[{"n":0}]');
  });

  test("statements of one database run one at a time, in the order of the calls", async () => {
    const db = open();
    await db.exec("CREATE TABLE t(a)", [], A);
    const calls = Array.from({ length: 100 }, (_, i) => db.exec("INSERT INTO t VALUES (?)", [BigInt(i)], i % 2 ? A : B));
    const ids = (await Promise.all(calls)).map((done) => done.last_id);
    assert.deepEqual(ids, Array.from({ length: 100 }, (_, i) => BigInt(i + 1)));
  });
}

function errorChapter(open: Open, folder: string): void {
  const fails = (sql: string, params: readonly SqlValue[], text: RegExp): Promise<void> =>
    assert.rejects(open({ path: ":memory:" }).query(sql, params, A), { code: "sql.failed", message: text });

  test("an error of SQLite keeps its text", () => fails("SELECT * FROM nope", [], /^sql error: no such table: nope$/));
  test("a syntax error keeps its text", () => fails("SELEC 1", [], /^sql error: near "SELEC": syntax error$/));
  test("blob columns are not supported", () => fails("SELECT x'01' AS b", [], /^sql error: blob columns not supported$/));
  test("too few parameters are an error", () => fails("SELECT ?, ?", [1n], /^sql error: wrong number of parameters/));
  test("too many parameters are an error", () => fails("SELECT ?", [1n, 2n], /^sql error: wrong number of parameters/));
  test("an integer beyond int64 is an error", () => fails("SELECT ?", [2n ** 63n], /^sql error: /));
  test("NUL in a text is an error", () => fails("SELECT 1 \0; SELECT 2", [], /^sql error: .*NUL/));

  test("a file that is no database is named, with what to do, and left as it is", async () => {
    const path = join(folder, "broken.sqlite");
    writeFileSync(path, "this is not a database, but somebody may still want it\n".repeat(100));
    const before = readFileSync(path);
    await assert.rejects(open({ path }).exec("CREATE TABLE t(a)", [], A), (error: { code: string; message: string; hint: string }) => {
      assert.equal(error.code, "sql.failed");
      assert.equal(error.message, `sql error: not a SQLite database: ${path}`);
      assert.match(error.hint, /move it aside or name another file/);
      return true;
    });
    assert.deepEqual(readFileSync(path), before);
  });

  test("a path that is a folder is named", async () => {
    await assert.rejects(open({ path: folder }).query("SELECT 1", [], A),
      { code: "sql.failed", message: `sql error: unable to open database file: ${folder}` });
  });

  test("after a failed open the next call tries again", async () => {
    const path = join(folder, "mended.sqlite");
    writeFileSync(path, "x".repeat(5000));
    const db = open({ path });
    await assert.rejects(db.query("SELECT 1 AS a", [], A), { code: "sql.failed" });
    rmSync(path);
    assert.equal(await db.query("SELECT 1 AS a", [], A), '[{"a":1}]');
  });

  test("a statement that failed can be run again", async () => {
    const db = open();
    await db.exec("CREATE TABLE t(a UNIQUE); INSERT INTO t VALUES (1)", [], A);
    for (const value of [1n, 1n]) await assert.rejects(db.exec("INSERT INTO t VALUES (?)", [value], A), /UNIQUE/);
    assert.deepEqual(await db.exec("INSERT INTO t VALUES (?)", [2n], A), { affected: 1n, last_id: 2n });
  });

  test("a statement that fails leaves the open transaction to its owner", async () => {
    const db = open();
    await db.exec("CREATE TABLE t(a UNIQUE)", [], A);
    await db.exec("BEGIN", [], A);
    await db.exec("INSERT INTO t VALUES (1)", [], A);
    await assert.rejects(db.exec("INSERT INTO t VALUES (1)", [], A), /^Fault: sql error: UNIQUE constraint failed: t\.a$/);
    await db.exec("COMMIT", [], A);
    assert.equal(await db.query("SELECT a FROM t", [], A), '[{"a":1}]');
  });
}

function lifeChapter(open: Open, folder: string): void {
  test("what was answered is in the file when it is opened again", async () => {
    const path = join(folder, "again", "deep", "db.sqlite");
    await using first = open({ path });
    await first.exec("CREATE TABLE t(a); INSERT INTO t VALUES (1)", [], A);
    await first[Symbol.asyncDispose]();
    assert.equal(await open({ path }).query("SELECT a FROM t", [], A), '[{"a":1}]');
  });

  test(":memory: is private, outlives a kill and starts empty", async () => {
    const one = open({ path: ":memory:" });
    const two = open({ path: ":memory:" });
    await one.exec("CREATE TABLE t(a); INSERT INTO t VALUES (1)", [], A);
    await assert.rejects(one.query(ENDLESS, [], { ...A, timeoutMs: 100 }), { code: "sql.timeout" });
    assert.equal(await one.query("SELECT a FROM t", [], A), '[{"a":1}]');
    await assert.rejects(two.query("SELECT a FROM t", [], A), /no such table/);
  });

  test("a close rolls back what was not committed and refuses later calls", async () => {
    const path = join(folder, "closed.sqlite");
    const db = open({ path });
    await db.exec("CREATE TABLE t(a)", [], A);
    await db.exec("BEGIN", [], A);
    await db.exec("INSERT INTO t VALUES (1)", [], A);
    await db[Symbol.asyncDispose]();
    await db[Symbol.asyncDispose]();
    await assert.rejects(db.query("SELECT 1", [], A), { code: "sql.failed", message: "sql error: the database is closed" });
    assert.equal(await open({ path }).query("SELECT count(*) AS n FROM t", [], A), '[{"n":0}]');
  });
}
