/** What a cancel, a deadline or a kill ends, and what it must leave alone. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { SqlCall, SqlDatabase } from "@atoll-run/core";

/** A statement that never ends. */
export const ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n";
const A: SqlCall = { owner: "main/t1", timeoutMs: 20_000 };
const B: SqlCall = { owner: "main/t2", timeoutMs: 20_000 };

export function cancelChapter(open: () => SqlDatabase): void {
  test("a query that takes too long fails with its limit in the text", async () => {
    const db = open();
    await db.query("SELECT 1", [], A);
    await assert.rejects(db.query(ENDLESS, [], { ...A, timeoutMs: 150 }),
      { code: "sql.timeout", retry: "later", message: "sql.query timeout (150ms)" });
    // a fresh child first: what never began is not uncertain
    await db.query("SELECT 1", [], A);
    await assert.rejects(db.exec(ENDLESS, [], { ...A, timeoutMs: 150 }),
      { code: "sql.timeout", uncertain: true, message: "sql.exec timeout (150ms)" });
  });

  test("a cancel of the running statement fails it with its text", async () => {
    const db = open();
    await db.query("SELECT 1", [], A);
    const cancel = new AbortController();
    const running = db.query(ENDLESS, [], { ...A, signal: cancel.signal });
    setTimeout(() => cancel.abort(), 50);
    await assert.rejects(running, { code: "sql.cancelled", message: "task cancelled during sql.query" });
  });

  test("given two tasks on one database, when one is cancelled in a long query, then only it fails", async () => {
    const db = open();
    await db.exec("CREATE TABLE t(a)", [], A);
    const cancel = new AbortController();
    const long = db.query(ENDLESS, [], { ...A, signal: cancel.signal });
    const neighbours = Array.from({ length: 20 }, (_, i) => db.exec("INSERT INTO t VALUES (?)", [BigInt(i)], B));
    cancel.abort();
    await assert.rejects(long, { code: "sql.cancelled" });
    await Promise.all(neighbours);
    assert.equal(await db.query("SELECT count(*) AS n FROM t", [], B), '[{"n":20}]');
  });

  test("only the caller's statement times out: those that wait go on in a new child, each with its whole time", async () => {
    const db = open();
    await db.exec("CREATE TABLE t(a)", [], A);
    const slow = db.query(ENDLESS, [], { ...A, timeoutMs: 2_000 });
    // were the wait counted, this one would be over before its turn
    const waiting = db.exec("INSERT INTO t VALUES (1)", [], { ...B, timeoutMs: 1_900 });
    await assert.rejects(slow, { code: "sql.timeout", message: "sql.query timeout (2000ms)" });
    assert.deepEqual(await waiting, { affected: 1n, last_id: 1n });
  });

  test("a neighbour's open BEGIN fails with sql.aborted and its changes are gone", async () => {
    const db = open();
    await db.exec("CREATE TABLE t(a)", [], A);
    await db.exec("BEGIN", [], B);
    await db.exec("INSERT INTO t VALUES (1)", [], B);
    await assert.rejects(db.query(ENDLESS, [], { ...A, timeoutMs: 100 }), { code: "sql.timeout" });
    assert.equal(await db.query("SELECT count(*) AS n FROM t", [], A), '[{"n":0}]', "the caller itself goes on");
    await assert.rejects(db.exec("INSERT INTO t VALUES (2)", [], B), { code: "sql.aborted", retry: "later", message: /^sql aborted: / });
    await db.exec("INSERT INTO t VALUES (3)", [], B);
    assert.equal(await db.query("SELECT a FROM t", [], B), '[{"a":3}]', "it hears it once");
  });

  test("the owner of a transaction that its own kill rolled back hears it too, so that nothing is half applied", async () => {
    const db = open();
    await db.exec("CREATE TABLE t(a)", [], A);
    await db.exec("BEGIN; INSERT INTO t VALUES (1)", [], A);
    await assert.rejects(db.query(ENDLESS, [], { ...A, timeoutMs: 100 }), { code: "sql.timeout" });
    await assert.rejects(db.exec("INSERT INTO t VALUES (2)", [], A), { code: "sql.aborted" });
    assert.equal(await db.query("SELECT count(*) AS n FROM t", [], A), '[{"n":0}]');
  });

  test("a statement that waits is cancelled without touching the one that runs", async () => {
    const db = open();
    await db.query("SELECT 1", [], A);
    const stop = new AbortController();
    const running = db.query(ENDLESS, [], { ...A, signal: stop.signal });
    const waiting = db.query("SELECT 1", [], { ...B, queueMs: 50 });
    await assert.rejects(waiting, { code: "sql.timeout", message: "sql.query timeout (50ms)" });
    const cancel = new AbortController();
    const second = db.exec("SELECT 1", [], { ...B, signal: cancel.signal });
    cancel.abort();
    await assert.rejects(second, { code: "sql.cancelled", message: "task cancelled during sql.exec" });
    stop.abort();
    await assert.rejects(running, { code: "sql.cancelled" });
  });

  test("a signal that has aborted before runs nothing", async () => {
    const db = open();
    await db.exec("CREATE TABLE t(a)", [], A);
    await assert.rejects(db.exec("INSERT INTO t VALUES (1)", [], { ...A, signal: AbortSignal.abort() }), { code: "sql.cancelled" });
    assert.equal(await db.query("SELECT count(*) AS n FROM t", [], A), '[{"n":0}]');
  });

  test("the queue is bounded and says so with a retry hint", async () => {
    const db = open();
    await db.query("SELECT 1", [], A);
    const stop = new AbortController();
    const running = db.query(ENDLESS, [], { ...A, signal: stop.signal });
    const waiting = Array.from({ length: 256 }, () => db.query("SELECT 1 AS a", [], B));
    await assert.rejects(db.query("SELECT 1", [], B),
      (error: { code: string; retry: string; retry_after_ms: number; facts: { overloaded: boolean } }) =>
        error.code === "sql.failed" && error.retry === "later" && error.retry_after_ms > 0 && error.facts.overloaded);
    stop.abort();
    await assert.rejects(running, { code: "sql.cancelled" });
    assert.deepEqual(new Set(await Promise.all(waiting)), new Set(['[{"a":1}]']));
  });

  test("settings of the connection outlive a kill", async () => {
    const db = open();
    await db.exec("PRAGMA foreign_keys = OFF; PRAGMA cache_size = -4321", [], A);
    await assert.rejects(db.query(ENDLESS, [], { ...A, timeoutMs: 100 }), { code: "sql.timeout" });
    assert.equal(await db.query("PRAGMA foreign_keys", [], A), '[{"foreign_keys":0}]');
    assert.equal(await db.query("PRAGMA cache_size", [], A), '[{"cache_size":-4321}]');
  });
}
