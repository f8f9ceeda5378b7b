/** kv and ts under pressure: locks of others, deadlines, long scans, too many requests, broken files. */
import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { after, test } from "node:test";
import type { LogEvent } from "@atoll-run/core";
import { openStores, type StoreOptions, type Stores } from "@atoll-run/sqlite";
import { until } from "@atoll-run/testkit";

const CALL = { timeoutMs: 20_000 };
const folder = mkdtempSync(join(tmpdir(), "atoll-stores-"));
after(() => rmSync(folder, { recursive: true, force: true }));
let folders = 0;

function open(o: Partial<StoreOptions> = {}): Stores & { readonly at: string } {
  const at = join(folder, `${++folders}`);
  const stores = openStores({
    kvPath: join(at, "kv.sqlite"), tsPath: join(at, "ts.sqlite"), busyTimeoutMs: 10_000, journalMode: "WAL", ...o,
  });
  return { ...stores, at };
}

test("each SQLite file is opened at its first use", async () => {
  await using stores = open();
  assert.equal(existsSync(stores.at), false);
  await stores.kv.set("n", "k", "1", CALL);
  assert.equal(existsSync(join(stores.at, "kv.sqlite")), true);
  assert.equal(existsSync(join(stores.at, "ts.sqlite")), false);
});

test("what was asked before the close is answered", async () => {
  const stores = open();
  const asked = Promise.all([stores.kv.set("n", "k", "1", CALL), stores.series.append("s", "1", {}, 1, CALL)]);
  await stores[Symbol.asyncDispose]();
  await asked;
  await using again = open({ kvPath: join(stores.at, "kv.sqlite") });
  assert.equal(await again.kv.get("n", "k", CALL), "1");
});

test("the worker ends with the last file in use, and starts again for the other", async () => {
  const stores = open();
  const workers = (): number => process.getActiveResourcesInfo().filter((name) => name === "MessagePort").length;
  const before = workers();
  await stores.kv.set("n", "k", "1", CALL);
  assert.ok(workers() > before);
  await stores.kv[Symbol.asyncDispose]();
  await until(() => workers() === before, { what: "the worker is gone" });
  await stores.series.append("s", "1", {}, 1, CALL);
  await assert.rejects(stores.kv.get("n", "k", CALL), { code: "kv.failed" });
  await stores.series[Symbol.asyncDispose]();
  await until(() => workers() === before, { what: "the worker is gone" });
});

test("requests beyond the limit are refused with a retry hint, and both edges are reported", async () => {
  const events: LogEvent[] = [];
  await using stores = open({ log: { write: (event) => void events.push(event) } });
  const asked = Array.from({ length: 4_096 }, (_, i) => stores.kv.set("n", `k${i}`, "1", CALL));
  await assert.rejects(stores.kv.get("n", "k", CALL), (error: { code: string; retry: string; retry_after_ms: number }) =>
    error.code === "kv.failed" && error.retry === "later" && error.retry_after_ms > 0);
  await assert.rejects(stores.series.last("s", {}, CALL), { code: "ts.failed", retry: "later" });
  await Promise.all(asked);
  assert.equal((await stores.kv.list("n", "", CALL)).length, 4_096);
  assert.deepEqual(events.map(({ level, msg }) => [level, msg]),
    [["warn", "store queue is full"], ["info", "store queue has room again"]]);
});

test("a write waits for the lock of another program, and ts goes on meanwhile", async () => {
  await using stores = open();
  await stores.kv.set("n", "k", "1", CALL);
  using other = lock(join(stores.at, "kv.sqlite"));
  const written = stores.kv.set("n", "k", "2", CALL);
  await stores.series.append("s", "1", {}, 1, CALL);
  assert.equal(await stores.series.query("s", { agg: "count" }, CALL), '[{"value":1}]');
  other.release();
  await written;
  assert.equal(await stores.kv.get("n", "k", CALL), "2");
});

test("a lock that is held longer than the busy timeout fails the write and may be tried again", async () => {
  await using stores = open({ busyTimeoutMs: 50 });
  await stores.kv.set("n", "k", "1", CALL);
  using other = lock(join(stores.at, "kv.sqlite"));
  await assert.rejects(stores.kv.set("n", "k", "2", CALL),
    { code: "kv.failed", retry: "later", message: `kv.set sql error: database is locked: ${join(stores.at, "kv.sqlite")}` });
  assert.equal(await stores.kv.get("n", "k", CALL), "1", "reading needs no lock");
  other.release();
  await stores.kv.set("n", "k", "3", CALL);
});

test("a write that takes too long fails with its limit in the text, and is uncertain", async () => {
  await using stores = open();
  await stores.kv.set("n", "k", "1", CALL);
  using _other = lock(join(stores.at, "kv.sqlite"));
  await assert.rejects(stores.kv.set("n", "k", "2", { timeoutMs: 60 }),
    { code: "kv.timeout", retry: "later", uncertain: true, message: "kv.set timeout (60ms)" });
  await assert.rejects(stores.kv.delete("n", "k", { timeoutMs: 60 }), { message: "kv.delete timeout (60ms)" });
});

test("a cancelled write that waits is taken out", async () => {
  await using stores = open();
  await stores.kv.set("n", "k", "1", CALL);
  using other = lock(join(stores.at, "kv.sqlite"));
  const cancel = new AbortController();
  const written = stores.kv.set("n", "k", "2", { ...CALL, signal: cancel.signal });
  // Answered behind it, so the worker has seen the write when this comes back.
  await stores.series.last("s", {}, CALL);
  cancel.abort();
  await assert.rejects(written, { code: "kv.cancelled", message: "task cancelled during kv.set" });
  await stores.series.last("s", {}, CALL);
  other.release();
  assert.equal(await stores.kv.get("n", "k", CALL), "1");
});

test("a long query ends at its deadline or its cancel, and lets others through between slices", async () => {
  await using stores = open();
  await fill(join(stores.at, "ts.sqlite"), 300_000);
  await stores.kv.set("n", "k", "1", CALL);
  await assert.rejects(stores.series.query("s", { agg: "sum" }, { timeoutMs: 5 }),
    { code: "ts.timeout", message: "ts.query timeout (5ms)" });
  const cancel = new AbortController();
  const cancelled = stores.series.query("s", { agg: "sum" }, { ...CALL, signal: cancel.signal });
  setTimeout(() => cancel.abort(), 5);
  await assert.rejects(cancelled, { code: "task.cancelled", message: "task cancelled during ts.query" });
  const order: string[] = [];
  await Promise.all([
    stores.series.query("s", { agg: "sum" }, CALL).then((rows) => order.push(rows)),
    stores.kv.get("n", "k", CALL).then(() => order.push("get")),
    stores.kv.set("n", "k", "2", CALL).then(() => order.push("set")),
    stores.series.append("s", "0", {}, 0, CALL).then(() => order.push("append")),
  ]);
  assert.deepEqual(order.slice(0, 3).sort(), ["append", "get", "set"]);
  assert.match(order[3] ?? "", /^\[\{"value":\d+\}\]$/);
});

test("a file that is no database is named, left as it is, and the store goes on when it is mended", async () => {
  await using stores = open();
  const path = join(stores.at, "kv.sqlite");
  mkdirSync(stores.at, { recursive: true });
  writeFileSync(path, "somebody may still want this\n".repeat(500));
  const before = readFileSync(path);
  for (const call of [stores.kv.get("n", "k", CALL), stores.kv.set("n", "k", "1", CALL), stores.kv.list("n", "", CALL)]) {
    await assert.rejects(call, (error: { code: string; message: string; hint: string }) => {
      assert.equal(error.code, "kv.failed");
      assert.match(error.message, /^kv\.(get|set|list) sql error: not a SQLite database: .+kv\.sqlite$/);
      assert.match(error.hint, /move it aside or name another file/);
      return true;
    });
  }
  assert.deepEqual(readFileSync(path), before);
  await stores.series.append("s", "1", {}, 1, CALL);
  rmSync(path);
  await stores.kv.set("n", "k", "1", CALL);
  assert.equal(await stores.kv.get("n", "k", CALL), "1");
});

test("a file that has the tables already keeps its rows", async () => {
  await using stores = open();
  mkdirSync(stores.at, { recursive: true });
  using kv = new DatabaseSync(join(stores.at, "kv.sqlite"));
  kv.exec("CREATE TABLE __kv (ns TEXT, key TEXT, value TEXT, PRIMARY KEY (ns, key)); INSERT INTO __kv VALUES ('n', 'k', '7')");
  using ts = new DatabaseSync(join(stores.at, "ts.sqlite"));
  ts.exec("CREATE TABLE ts (series TEXT, ts INTEGER, tags TEXT, value TEXT); INSERT INTO ts VALUES ('s', 5, '{\"a\":1}', '8')");
  assert.equal(await stores.kv.get("n", "k", CALL), "7");
  assert.equal(await stores.series.last("s", { a: 1 }, CALL), '{"ts":5,"value":8,"tags":{"a":1}}');
});

test("the WAL is moved into the file when nobody asks", async () => {
  await using stores = open();
  await Promise.all(Array.from({ length: 200 }, (_, i) => stores.kv.set("n", `k${i}`, JSON.stringify("x".repeat(1_000)), CALL)));
  await until(() => readFileSync(join(stores.at, "kv.sqlite")).includes("x".repeat(1_000)), { what: "the checkpoint" });
});

/** Holds the write lock as another program would. */
function lock(path: string): Disposable & { release(): void } {
  const db = new DatabaseSync(path);
  db.exec("BEGIN IMMEDIATE");
  const release = (): void => void (db.isOpen && db.close());
  return { release, [Symbol.dispose]: release };
}

/** Rows written past the store, because it would take longer through it. */
async function fill(path: string, rows: number): Promise<void> {
  mkdirSync(join(path, ".."), { recursive: true });
  using db = new DatabaseSync(path);
  db.exec(`CREATE TABLE ts (series TEXT, ts INTEGER, tags TEXT, value TEXT);
    INSERT INTO ts WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT ${rows}) SELECT 's', i, '{}', '1' FROM n`);
}
