// Block 5.9: std.sql, std.kv and std.ts through Lua, row by row. All rows of a table run in one script.
import assert from "node:assert/strict";
import { test } from "node:test";
import { type Row, rowTests } from "./rows.ts";
import { faultOf, serving, stopped, valueOf } from "./support.ts";

rowTests("std.sql", [
  ["exec gives {affected, last_id}", `sql.exec("insert into t(i, f, s, n) values (?, ?, ?, ?)", {1, 1.0, "x", std.sql.null})`, `{"affected":1,"last_id":1}`],
  ["INTEGER is an integer, REAL a float", `local r = sql.query("select i, f from t")[1] return math.type(r.i), math.type(r.f)`, "integer\tfloat"],
  ["NULL is std.sql.null, key kept", `local r = sql.query("select n from t")[1] return r.n == std.sql.null, next(r)`, "true\tn\tuserdata: …"],
  ["booleans bind as 0 and 1", `local r = sql.query("select ? as a, ? as b", {true, false})[1] return r.a, r.b`, "1\t0"],
  ["integers bind as int64", `local r = sql.query("select ? as a, typeof(?) as t", {math.maxinteger, 1})[1] return r.a, r.t`, "9223372036854775807\tinteger"],
  ["floats bind as double", `sql.query("select typeof(?) as t", {1.0})[1].t`, "real"],
  ["text binds as text", `sql.query("select typeof(?) as t", {"1"})[1].t`, "text"],
  ["non-finite numbers are refused", `sql.query("select ?", {0/0})`, "!SQL param #1 is non-finite (NaN); …"],
  ["other types are refused", `sql.query("select ?", {print})`, "!unsupported SQL param type: function"],
  ["blob columns are not supported", `sql.query("select x'01' as b")`, "!sql error: blob columns not supported"],
  ["an error of SQLite is sql error: …", `sql.query("select * from nope")`, "!sql error: no such table: nope"],
  ["no rows are an empty list", `std.json.encode(sql.query("select 1 where 0"))`, "[]"],
  ["a transaction spans calls", `sql.exec("BEGIN") sql.exec("insert into t(i) values (2)") sql.exec("ROLLBACK") return sql.query("select count(*) as n from t")[1].n`, "1"],
  ["the statement is text", `sql.query({})`, "!sql.query: argument #1 must be a string, got table"],
], { before: `sql = std.sql sql.exec("create table t(id integer primary key, i, f, s, n)")` });

rowTests("std.kv", [
  ["set gives nil", `return kv.set("n", "k", {a = {1, 2.0}}) == nil`, "true"],
  ["get gives the value by J", `kv.get("n", "k")`, `{"a":[1,2.0]}`],
  ["get of a key that is not there is nil", `kv.get("n", "none")`, "nil"],
  ["a stored null is the sentinel", `kv.set("n", "null", std.sql.null) return kv.get("n", "null") == std.sql.null`, "true"],
  ["delete says whether it was there", `return kv.delete("n", "null"), kv.delete("n", "null")`, "true\tfalse"],
  ["list gives sorted keys, by prefix", `for _, k in ipairs{"b2", "a", "b1", "é"} do kv.set("l", k, 1) end return kv.list("l"), kv.list("l", "b")`, `["a","b1","b2","é"]\t["b1","b2"]`],
  ["list of an empty namespace is an empty list", `std.json.encode(kv.list("empty"))`, "[]"],
  ["namespaces do not see each other", `kv.get("l", "k")`, "nil"],
  ...["", "a/b", "a\\\\b", "a\\0b", "a..b", ".."].map((ns): Row => [
    `the namespace ${JSON.stringify(ns)} is invalid`, `kv.get("${ns}", "k")`, "!Invalid namespace: '…",
  ]),
], { before: "kv = std.kv" });

rowTests("std.ts", [
  ["append gives nil", `return ts.append("x", 1) == nil`, "true"],
  ["last gives the row", `ts.last("s")`, `{"tags":{"host":"b","n":0},"ts":6000,"value":6}`],
  ["last by tags", `ts.last("s", {host = "a"}).value`, "5"],
  ["last of nothing is nil", `ts.last("none")`, "nil"],
  ["a query without opts gives {ts, value, tags} by time", `local r = ts.query("s") return #r, r[1]`, `6\t{"tags":{"host":"a","n":1},"ts":1000,"value":1}`],
  ["from and to", `#ts.query("s", {from = 2000, to = 4000})`, "3"],
  ["tags", `#ts.query("s", {tags = {host = "a"}})`, "3"],
  ["tag filters compare typed values", `return #ts.query("s", {tags = {n = 1}}), #ts.query("s", {tags = {n = "1"}})`, "3\t0"],
  ["limit and offset", `local r = ts.query("s", {limit = 2, offset = 1}) return #r, r[1].value`, "2\t2"],
  ["count, sum and avg give {{value}}, integral results as integers", `return ts.query("s", {agg = "count"}), ts.query("s", {agg = "sum"}), ts.query("s", {agg = "avg"})`, `[{"value":6}]\t[{"value":21}]\t[{"value":3.5}]`],
  ["last adds tags and ts", `ts.query("s", {agg = "last"})`, `[{"tags":{"host":"b","n":0},"ts":6000,"value":6}]`],
  ["with bucket {bucket_ts, value}", `ts.query("s", {agg = "sum", bucket_ms = 3000})`, `[{"bucket_ts":0,"value":3},{"bucket_ts":3000,"value":12},{"bucket_ts":6000,"value":6}]`],
  ["bucketed last gives the value", `ts.query("s", {agg = "last", bucket_ms = 3000})`, `[{"bucket_ts":0,"value":2},{"bucket_ts":3000,"value":5},{"bucket_ts":6000,"value":6}]`],
  ["sum and avg skip what is no number", `return ts.query("mixed", {agg = "sum"})[1].value, ts.query("mixed", {agg = "avg"})[1].value`, "4\t4"],
  ["a tag key is a name", `ts.append("s", 1, {["a b"] = 1})`, "!ts tag key must be [a-zA-Z0-9_]+…"],
  ["bucket_ms is positive", `ts.query("s", {agg = "sum", bucket_ms = 0})`, "!ts bucket_ms must be positive…"],
  ["bucket_ms requires agg", `ts.query("s", {bucket_ms = 5})`, "!ts bucket_ms requires agg"],
  ["limit is not negative", `ts.query("s", {limit = -1})`, "!ts opts.limit must be >= 0…"],
  ["offset is not negative", `ts.query("s", {offset = -1})`, "!ts opts.offset must be >= 0…"],
  ["an aggregate is a known one", `ts.query("s", {agg = "median"})`, "!unknown agg: median…"],
], { before: `ts = std.ts
  for i = 1, 6 do ts.append("s", i, {host = i % 2 == 0 and "b" or "a", n = i % 2}, i * 1000) end
  ts.append("mixed", "text", nil, 1000) ts.append("mixed", 4, nil, 2000)` });

rowTests("register_tools", [
  ["gives the names", `return std.sql.register_tools(), std.kv.register_tools(), std.ts.register_tools()`, `["sql_query","sql_exec"]\t["kv_get","kv_set","kv_delete","kv_list"]\t["ts_append","ts_query","ts_last"]`],
  ["sql_exec gives {affected, last_id}", `tool.call("sql_exec", {sql = "insert into t values (?)", params = {5}})`, `{"affected":1,"last_id":1}`],
  ["sql_query gives {rows}", `tool.call("sql_query", {sql = "select x from t"})`, `{"rows":[{"x":5}]}`],
  ["kv_set gives {ok=true}", `tool.call("kv_set", {ns = "n", key = "k", value = 1})`, `{"ok":true}`],
  ["kv_get gives {value}", `tool.call("kv_get", {ns = "n", key = "k"})`, `{"value":1}`],
  ["kv_list gives {keys}", `tool.call("kv_list", {ns = "n"})`, `{"keys":["k"]}`],
  ["kv_delete gives {deleted}", `tool.call("kv_delete", {ns = "n", key = "k"})`, `{"deleted":true}`],
  ["ts_append gives {ok=true}", `tool.call("ts_append", {series = "s", value = 1, at_ms = 5})`, `{"ok":true}`],
  ["ts_last gives {row}", `tool.call("ts_last", {series = "s"}).row.value`, "1"],
  ["ts_query gives {rows}", `#tool.call("ts_query", {series = "s"}).rows`, "1"],
  ["allowed and prefix", `std.kv.register_tools({allowed = {"get"}, prefix = "my_"})`, `["my_get"]`],
  ["ns_lock removes ns from the schema and ignores one sent", `std.kv.register_tools({prefix = "l_", ns_lock = "own"})
    tool.call("l_set", {ns = "other", key = "k", value = 1})
    for _, t in ipairs(tool.schema()) do if t.name == "l_set" then return t.input_schema.properties.ns, t.input_schema.required, std.kv.get("own", "k"), std.kv.get("other", "k") end end`,
  `nil\t["key","value"]\t1\tnil`],
  ["there is no empty required", `for _, t in ipairs(tool.schema()) do if t.name == "l_list" then return t.input_schema.required end end`, "nil"],
], { before: `std.sql.exec("create table t(x)")` });

test("a query timeout applies to sql, kv and ts alike", async () => {
  const spin = "with recursive n(x) as (select 1 union all select x + 1 from n) select count(*) from n";
  const value = await valueOf(`local ok, e = pcall(std.sql.exec, "create table t as ${spin}") return {e.code, tostring(e)}`, { limits: { sqlMs: 200 } });
  assert.deepEqual(value, ["sql.timeout", "sql.exec timeout (200ms)"]);
});

test("both isles see the same database, keys and series", async () => {
  const s = await serving(`std.sql.exec("create table t(x)") bus.on("x", function() std.sql.exec("insert into t values (1)") std.kv.set("n", "k", 2) std.ts.append("s", 3) end)
    bus.serve() return {std.sql.query("select x from t")[1].x, std.kv.get("n", "k"), std.ts.last("s").value}`);
  await s.run.request("x", null);
  assert.deepEqual((await stopped(s)).value, [1, 2, 3]);
});

test("what is no home is told at the first use of a store", async () => {
  const fault = await faultOf(`std.kv.get("n", "k")`, { env: { HOME: "", ATOLL_HOME: "" } });
  assert.match(fault.message, /HOME env var not set/);
});
