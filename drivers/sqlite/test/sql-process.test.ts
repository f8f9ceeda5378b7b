/** The life of the SQL child as a process: what it inherits, what ends it, what it leaves. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { openSqlDatabase } from "@atoll-run/sqlite";
import { until } from "@atoll-run/testkit";
import { environmentOf, isAlive, noProc, sqlChildrenOf } from "./fixtures/processes.ts";

const CALL = { owner: "main", timeoutMs: 20_000 };
const ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n";
const folder = mkdtempSync(join(tmpdir(), "atoll-sql-process-"));
after(() => rmSync(folder, { recursive: true, force: true }));
let files = 0;

function open(): ReturnType<typeof openSqlDatabase> {
  const path = join(folder, `${++files}.sqlite`);
  return openSqlDatabase({ path, restricted: false, busyTimeoutMs: 1_000, journalMode: "WAL" });
}

test("the child is spawned at first use and gone after the close", { skip: noProc }, async () => {
  const db = open();
  assert.deepEqual(sqlChildrenOf(process.pid), []);
  await db.query("SELECT 1", [], CALL);
  const [pid = 0] = sqlChildrenOf(process.pid);
  assert.ok(isAlive(pid));
  await db[Symbol.asyncDispose]();
  assert.deepEqual(sqlChildrenOf(process.pid), []);
});

test("a database that was never used starts nothing and makes no file", { skip: noProc }, async () => {
  const db = open();
  await db[Symbol.asyncDispose]();
  assert.deepEqual(sqlChildrenOf(process.pid), []);
  assert.equal(existsSync(join(folder, `${files}.sqlite`)), false);
});

test("the child inherits no variable but the time zone", { skip: noProc }, async () => {
  await using db = open();
  await db.query("SELECT 1", [], CALL);
  const names = environmentOf(sqlChildrenOf(process.pid)[0] ?? 0).map((line) => line.split("=")[0]);
  assert.deepEqual(names, ["TZ"]);
});

test("the signals of a terminal are left to the parent", { skip: noProc }, async () => {
  await using db = open();
  await db.exec("CREATE TABLE t(a); BEGIN; INSERT INTO t VALUES (1)", [], CALL);
  const [pid = 0] = sqlChildrenOf(process.pid);
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.kill(pid, signal);
  await db.exec("COMMIT", [], CALL);
  assert.equal(await db.query("SELECT a FROM t", [], CALL), '[{"a":1}]');
});

test("a child killed from outside fails its statement alone, and the next one runs in a new child", { skip: noProc }, async () => {
  await using db = open();
  await db.exec("CREATE TABLE t(a)", [], CALL);
  await db.exec("BEGIN", [], { ...CALL, owner: "other" });
  const [pid = 0] = sqlChildrenOf(process.pid);
  const running = db.query(ENDLESS, [], CALL);
  process.kill(pid, "SIGKILL");
  await assert.rejects(running, { code: "sql.failed", retry: "later", message: /^sql error: the SQL process ended/ });
  assert.equal(await db.query("SELECT count(*) AS n FROM t", [], CALL), '[{"n":0}]');
  await assert.rejects(db.exec("COMMIT", [], { ...CALL, owner: "other" }), { code: "sql.aborted" });
});

test("a parent that dies by SIGKILL leaves neither the child nor the file of :memory:", { skip: noProc }, async () => {
  const temporary = mkdtempSync(join(folder, "tmp-"));
  const program = fileURLToPath(new URL("./fixtures/endless-query.ts", import.meta.url));
  const parent = spawn(process.execPath, [program], {
    stdio: ["ignore", "pipe", "inherit"], env: { ...process.env, TMPDIR: temporary },
  });
  await once(parent.stdout, "data");
  const children = sqlChildrenOf(parent.pid ?? 0);
  assert.equal(children.length, 1);
  assert.equal(readdirSync(temporary).length, 1);
  parent.kill("SIGKILL");
  await until(() => children.every((pid) => !isAlive(pid)), { what: "the child is gone" });
  await until(() => readdirSync(temporary).length === 0, { what: "the folder is gone" });
});

test("a close ends a statement that does not end", { skip: noProc }, async () => {
  const db = open();
  await db.query("SELECT 1", [], CALL);
  const running = assert.rejects(db.query(ENDLESS, [], { owner: "main" }), { code: "sql.failed" });
  await db[Symbol.asyncDispose]();
  await running;
  assert.deepEqual(sqlChildrenOf(process.pid), []);
});
