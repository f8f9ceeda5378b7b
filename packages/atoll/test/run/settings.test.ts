/** Settings that have no flag (spec: block 3, second table). */
import assert from "node:assert/strict";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test, type TestContext } from "node:test";
import { place, runScript } from "../support/cli.ts";

const STORES = "std.kv.set('n', 'k', 1) std.sql.exec('create table if not exists t(x)') std.ts.append('s', 1)";
const FILES = ["kv.sqlite", "db.sqlite", "ts.sqlite"];

/** A home that only this test has. */
function ownHome(t: TestContext): string {
  const home = mkdtempSync(join(tmpdir(), "atoll-home-"));
  t.after(() => rmSync(home, { recursive: true, force: true }));
  return home;
}

test("_HOME is where the stores are; without it `$HOME/.atoll`", async (t) => {
  const at = place(t);
  const own = ownHome(t);
  const home = ownHome(t);
  const first = await runScript(at, STORES, [], { env: { ATOLL_HOME: undefined, AGENT_BLOCK_HOME: own } });
  assert.equal(first.code, 0, first.stderr);
  for (const file of FILES) assert.ok(existsSync(join(own, file)), file);
  await runScript(at, STORES, [], { env: { ATOLL_HOME: undefined, HOME: home } });
  for (const file of FILES) assert.ok(existsSync(join(home, ".atoll", file)), file);
});

test("a script that uses no store needs no home; with neither home set a store tells `HOME env var not set`",
  async (t) => {
  const at = place(t);
  const env = { ATOLL_HOME: undefined, HOME: undefined };
  assert.equal((await runScript(at, "print('fine')", [], { env })).stdout, "fine\n");
  for (const call of ["std.kv.get('n', 'k')", "std.sql.query('select 1')", "std.ts.last('s')"]) {
    const { code, stderr } = await runScript(at, call, [], { env });
    assert.equal(code, 1);
    assert.match(stderr, /HOME env var not set/, call);
  }
  const { code, stderr } = await runScript(
    at, "std.kv.set('n', 'k', 1)", [], { env: { ...env, ATOLL_KV_PATH: at.path("k.sqlite") } });
  assert.equal(code, 0, stderr);
});

test("_KV_PATH, _SQL_PATH and _TS_PATH name files; `:memory:` leaves none", async (t) => {
  const at = place(t);
  const home = ownHome(t);
  const env = { ATOLL_HOME: home, ATOLL_KV_PATH: at.path("deep/k.db"), AGENT_BLOCK_SQL_PATH: at.path("s.db"),
    ATOLL_TS_PATH: ":memory:" };
  const { code, stderr } = await runScript(at, STORES, [], { env });
  assert.equal(code, 0, stderr);
  assert.ok(existsSync(at.path("deep/k.db")) && existsSync(at.path("s.db")));
  for (const file of FILES) assert.ok(!existsSync(join(home, file)), file);
  assert.ok(!existsSync(at.path(":memory:")));
});

test("_SQL_JOURNAL_MODE is WAL by default, in any case of letters, and ignored for `:memory:`", async (t) => {
  const at = place(t);
  const mode = async (env: Record<string, string>): Promise<string> => {
    const ended = await runScript(
      at, "print(std.sql.query('pragma journal_mode')[1].journal_mode)", [], { env });
    return ended.stdout.trim() || ended.stderr;
  };
  assert.equal(await mode({ ATOLL_SQL_PATH: at.path("a.db") }), "wal");
  assert.equal(await mode({ ATOLL_SQL_PATH: at.path("b.db"), AGENT_BLOCK_SQL_JOURNAL_MODE: "truncate" }),
    "truncate");
  const memory = { ATOLL_SQL_PATH: ":memory:" };
  assert.equal(await mode({ ...memory, ATOLL_SQL_JOURNAL_MODE: "PERSIST" }), await mode(memory));
});

test("_SQL_QUERY_TIMEOUT_MS bounds a query; 0 = off", async (t) => {
  const at = place(t);
  const count = (n: number): string =>
    `with recursive c(x) as (select 1 union all select x + 1 from c where x < ${n}) select count(*) as n from c`;
  const slow = await runScript(at, `print(select(2, pcall(std.sql.query, [[${count(1e12)}]])).code)`, [], {
    env: { ATOLL_SQL_PATH: ":memory:", ATOLL_SQL_QUERY_TIMEOUT_MS: "100" },
  });
  assert.equal(slow.stdout, "sql.timeout\n", slow.stderr);
  const off = await runScript(
    at, `print(std.sql.query([[${count(3e5)}]])[1].n)`, [],
    { env: { ATOLL_SQL_PATH: ":memory:", ATOLL_SQL_QUERY_TIMEOUT_MS: "0" } });
  assert.equal(off.stdout, "300000\n", off.stderr);
});

test("_SQL_BUSY_TIMEOUT_MS is how long SQLite waits for a lock of another program", async (t) => {
  const at = place(t);
  const waits = async (env: Record<string, string>): Promise<string> => (await runScript(
    at, "print(std.sql.query('pragma busy_timeout')[1].timeout)", [],
    { env: { ATOLL_SQL_PATH: at.path("db.sqlite"), ...env } })).stdout;
  assert.equal(await waits({}), "5000\n");
  assert.equal(await waits({ AGENT_BLOCK_SQL_BUSY_TIMEOUT_MS: "123" }), "123\n");
  using holder = new DatabaseSync(at.path("db.sqlite"));
  holder.exec("CREATE TABLE t(a); BEGIN EXCLUSIVE");
  const { stdout } = await runScript(at, "print(select(2, pcall(std.sql.exec, 'insert into t values (1)')))", [],
    { env: { ATOLL_SQL_PATH: at.path("db.sqlite"), ATOLL_SQL_BUSY_TIMEOUT_MS: "1" } });
  assert.match(stdout, /^sql error: database is locked/);
});

test("_TRACE_ID, _RUN_ID, _AGENT_ID and _AGENT_NAME are in the log; the agent id is else one uuid4; _TASK_ID warns as the old name of a trace id", async (t) => {
  const at = place(t);
  const event = async (env: Record<string, string>): Promise<Record<string, string>> => {
    const { stderr } = await runScript(at, "log.error('x')", ["--log-format", "json"], { env });
    return JSON.parse(stderr.trim().split("\n").at(-1) as string) as Record<string, string>;
  };
  const given = await event(
    { ATOLL_TRACE_ID: "t1", AGENT_BLOCK_RUN_ID: "r1", ATOLL_AGENT_ID: "a1", ATOLL_AGENT_NAME: "pet" });
  assert.deepEqual([given["trace_id"], given["run_id"], given["agent_id"], given["agent_name"]],
    ["t1", "r1", "a1", "pet"]);
  const none = await event({});
  assert.deepEqual([none["trace_id"], none["run_id"], none["agent_name"]], [undefined, undefined, undefined]);
  assert.match(String(none["agent_id"]),
    /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  const old = await runScript(
    at, "log.error('x')", ["--log-format", "json"], { env: { AGENT_BLOCK_TASK_ID: "t2" } });
  assert.match(old.stderr, /AGENT_BLOCK_TASK_ID: is the old name of a trace id \(use ATOLL_TRACE_ID\)/);
  assert.match(old.stderr, /"trace_id":"t2"/);
});

test("an unknown ATOLL_* warns, with the name that was meant; AGENT_BLOCK_* and ATOLL_TEST_* do not",
  async (t) => {
  const at = place(t);
  const env = { ATOLL_BUS_CAPACTY: "5", ATOLL_ZEBRA: "1", ATOLL_TEST_X: "1", AGENT_BLOCK_ZEBRA: "1",
    ATOLL_ENGINE: "embedded" };
  const { code, stderr } = await runScript(at, "", [], { env });
  assert.equal(code, 0);
  assert.match(stderr, /WARN block: ATOLL_BUS_CAPACTY: there is no such setting \(did you mean ATOLL_BUS_CAPACITY\?\)/);
  assert.match(stderr, /WARN block: ATOLL_ZEBRA: there is no such setting/);
  assert.equal(stderr.trim().split("\n").length, 2, stderr);
});

test("_LLM_DUMP, _LLM_DUMP_ALLOW_PROD and _DEBUG_RAW warn when they are not understood", async (t) => {
  const { code, stderr } = await runScript(
    place(t), "", [], {
    env: { ATOLL_LLM_DUMP: "some", ATOLL_DEBUG_RAW: "perhaps", ATOLL_LLM_DUMP_ALLOW_PROD: "1" } });
  assert.equal(code, 0);
  assert.match(stderr, /ATOLL_LLM_DUMP: 'some' is not one of off, none, meta, full; the default off is used/);
  assert.match(stderr, /ATOLL_DEBUG_RAW: 'perhaps' is neither true nor false; off is used/);
});
