// The acceptance lines S and I6 of block.md section 12, through Lua, with the real SQLite stores.
import assert from "node:assert/strict";
import { test } from "node:test";
import { runLua, valueOf } from "./support.ts";

test("S1 given two tasks on one database, when one is cancelled in a long query, then only it fails", async () => {
  const value = await valueOf(`
    local long = [[WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000000000) SELECT count(*) FROM n]]
    std.sql.exec("CREATE TABLE t (x)")
    local a = std.task.spawn(function() return std.sql.query(long) end)
    local b = std.task.spawn(function() std.task.sleep(20) return std.sql.exec("INSERT INTO t VALUES (1)").affected end)
    std.task.sleep(100)
    a:abort()
    local ok, e = pcall(a.join, a)
    return {ok, tostring(e), b:join(), std.sql.query("SELECT count(*) AS n FROM t")[1].n}`);
  assert.deepEqual(value, [false, "task aborted", 1, 1]);
});

test("S1 a neighbour's open BEGIN fails with sql.aborted", async () => {
  const value = await valueOf(`
    local long = [[WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000000000) SELECT count(*) FROM n]]
    std.sql.exec("CREATE TABLE t (x)")
    std.sql.exec("BEGIN")
    std.sql.exec("INSERT INTO t VALUES (1)")
    local a = std.task.spawn(function() return std.sql.query(long) end)
    std.task.sleep(100)
    a:abort()
    pcall(a.join, a)
    local ok, e = pcall(std.sql.exec, "INSERT INTO t VALUES (2)")
    return {ok, e.code, e.retry, std.sql.query("SELECT count(*) AS n FROM t")[1].n}`);
  assert.deepEqual(value, [false, "sql.aborted", "later", 0]);
});

test("S2 given bucketed last, then each bucket holds its last value", async () => {
  const value = await valueOf(`
    for i, v in ipairs{1, 2, 3, 4} do std.ts.append("s", v, {host = "a"}, i * 40) end
    local rows = {}
    for _, r in ipairs(std.ts.query("s", {agg = "last", bucket_ms = 100})) do rows[#rows + 1] = {r.bucket_ts, r.value} end
    return rows`);
  assert.deepEqual(value, [[0, 2], [100, 4]]);
});

test("S2 given std.time.sleep(1) in one task, then another runs meanwhile", async () => {
  const value = await valueOf(`
    local order = {}
    local slow = std.task.spawn(function() std.time.sleep(1) order[#order + 1] = "slow" end)
    local quick = std.task.spawn(function() order[#order + 1] = "quick" end)
    quick:join() slow:join()
    return order`);
  assert.deepEqual(value, ["quick", "slow"]);
});

test("I6 given 9007199254740993 through kv, SQL and bus, then it is unchanged and still an integer", async () => {
  const value = await valueOf(`
    local big = 9007199254740993
    std.kv.set("n", "k", {big = big})
    local kv = std.kv.get("n", "k").big
    local sql = std.sql.query("SELECT ? AS v", {big})[1].v
    local echo = tool.call("echo", big)
    return {kv, sql, echo, math.type(kv), math.type(sql), math.type(echo)}`, {
    hostTools: [{ name: "echo", description: "", input_schema: {}, handler: (input) => input }],
  });
  const big = 9007199254740993n;
  assert.deepEqual(value, [big, big, big, "integer", "integer", "integer"]);
});

test("kv keeps floats floats, null null, and text of any script", async () => {
  const value = await valueOf(`
    std.kv.set("n", "k", {f = 3.0, i = 3, z = std.sql.null, s = "\\u{10FFFF}\\0x", e = {}})
    local v = std.kv.get("n", "k")
    return {math.type(v.f), math.type(v.i), v.z == std.sql.null, #v.s, std.kv.get("n", "none") == nil, std.kv.delete("n", "k"), std.kv.delete("n", "k")}`);
  assert.deepEqual(value, ["float", "integer", true, 6, true, true, false]);
});

test("the texts of std.sql parameters and of wrong namespaces are those of the specification", async () => {
  const { stdout } = await runLua(`
    print(select(2, pcall(std.sql.exec, "SELECT ?", {1/0})))
    print(select(2, pcall(std.sql.exec, "SELECT ?", {{}})))
    print(select(2, pcall(std.kv.get, "a/b", "k")))
    print(select(2, pcall(std.sql.query, "SELEC")))
    print(select(2, pcall(std.ts.query, "s", {bucket_ms = 10})))
    print(select(2, pcall(std.ts.query, "s", {agg = "median"})))`);
  const lines = stdout.split("\n");
  assert.match(lines[0] as string, /^SQL param #1 is non-finite \(inf\); /);
  assert.equal(lines[1], "unsupported SQL param type: table");
  assert.equal(lines[2], "Invalid namespace: 'a/b'");
  assert.match(lines[3] as string, /^sql error: /);
  assert.equal(lines[4], "ts bucket_ms requires agg");
  assert.equal(lines[5], "unknown agg: median");
});

test("the stores become tools, with their prefix, their allowed ones and a locked namespace", async () => {
  const value = await valueOf(`
    local names = std.kv.register_tools{allowed = {"get", "set"}, prefix = "memory_", ns_lock = "mine"}
    tool.call("memory_set", {ns = "other", key = "k", value = 7})
    std.sql.register_tools()
    local schema = tool.schema()[1].input_schema
    return {names, std.kv.get("mine", "k"), tool.call("memory_get", {key = "k"}).value, schema.properties.ns == nil, schema.required,
      tool.call("sql_query", {sql = "SELECT 1 AS one"}).rows[1].one, tool.list()}`);
  assert.deepEqual(value, [["memory_get", "memory_set"], 7, 7, true, ["key"], 1, ["memory_get", "memory_set", "sql_query", "sql_exec"]]);
});
