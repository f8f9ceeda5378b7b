/** Lua and TypeScript side by side: stores, and how runs end. */
import { until } from "@atoll-run/testkit";
import { type Pair, pairs } from "./pairs.ts";

const TABLE: readonly Pair[] = [
  { title: "values under keys keep their form", lua: `local kv = std.kv
    kv.set("n", "b", {x = 9007199254740993, y = {1, 2}, z = "é"}) kv.set("n", "a", false)
    return {kv.get("n", "b"), kv.get("n", "a"), kv.list("n"), kv.delete("n", "a"), kv.delete("n", "a"), kv.list("n", "b")}`,
    ts: `const kv = std.kv;
    await kv.set("n", "b", { x: 9007199254740993n, y: [1, 2], z: "é" }); await kv.set("n", "a", false);
    export default [await kv.get("n", "b"), await kv.get("n", "a"), await kv.list("n"), await kv.delete("n", "a"), await kv.delete("n", "a"), await kv.list("n", "b")]` },
  { title: "a namespace that is none is refused", lua: `return try(std.kv.set, "a/b", "k", 1)`, ts: `export default attempt(() => std.kv.set("a/b", "k", 1))` },
  { title: "a value without a JSON form is not stored", lua: `return try(std.kv.set, "n", "k", {f = print})`, ts: `export default attempt(() => std.kv.set("n", "k", { f: () => 1 } as any))` },
  { title: "rows keep integers, floats, text and NULL", lua: `
    std.sql.exec("CREATE TABLE t (i INTEGER, f REAL, s TEXT, n)")
    local done = std.sql.exec("INSERT INTO t VALUES (?, ?, ?, ?)", {9007199254740993, 0.5, "é", std.sql.null})
    return {done, std.sql.query("SELECT * FROM t")}`,
    ts: `await std.sql.exec("CREATE TABLE t (i INTEGER, f REAL, s TEXT, n)");
    const done = await std.sql.exec("INSERT INTO t VALUES (?, ?, ?, ?)", [9007199254740993n, 0.5, "é", null]);
    export default [done, await std.sql.query("SELECT * FROM t")]` },
  { title: "a statement that is wrong is sql.failed", lua: `return try(std.sql.query, "SELEC 1")`, ts: `export default attempt(() => std.sql.query("SELEC 1"))` },
  { title: "a parameter must be finite and plain", lua: `return {try(std.sql.query, "SELECT ?", {0/0}), try(std.sql.query, "SELECT ?", {{}})}`,
    ts: `export default [await attempt(() => std.sql.query("SELECT ?", [NaN])), await attempt(() => std.sql.query("SELECT ?", [{}] as any))]` },
  { title: "a series is appended to and asked", lua: `local ts = std.ts
    for i = 1, 4 do ts.append("s", i, {host = i % 2 == 0 and "a" or "b"}, i * 1000) end
    return {ts.query("s", {agg = "avg", tags = {host = "a"}}), ts.query("s", {agg = "count", bucket_ms = 2000}), ts.last("s").value, ts.last("none") == nil}`,
    ts: `const ts = std.ts;
    for (let i = 1; i <= 4; i++) await ts.append("s", i, { host: i % 2 === 0 ? "a" : "b" }, i * 1000);
    export default [await ts.query("s", { agg: "avg", tags: { host: "a" } }), await ts.query("s", { agg: "count", bucket_ms: 2000 }), (await ts.last("s"))!.value, (await ts.last("none")) === undefined]` },
  { title: "a series refuses what it does not know", lua: `return {try(std.ts.query, "s", {agg = "median"}), try(std.ts.query, "s", {bucket_ms = -1, agg = "sum"})}`,
    ts: `export default [await attempt(() => std.ts.query("s", { agg: "median" } as any)), await attempt(() => std.ts.query("s", { bucket_ms: -1, agg: "sum" }))]` },
  { title: "stores become tools for a model", lua: `local names = std.kv.register_tools({ns_lock = "own", prefix = "mem_"})
    tool.call("mem_set", {key = "k", value = 5})
    return {names, tool.call("mem_get", {key = "k"}), std.kv.get("own", "k"), tool.schema()[1]}`,
    ts: `const names = std.kv.registerTools({ ns_lock: "own", prefix: "mem_" });
    await tool.call("mem_set", { key: "k", value: 5 });
    export default [names, await tool.call("mem_get", { key: "k" }), await std.kv.get("own", "k"), tool.schema()[0]]` },
  { title: "a conversation is saved, loaded and forgotten", lua: `local s = require("session")
    s.save("c", {{role = "user", content = "hi"}}) return {s.load("c"), s.clear("c"), s.clear("c"), (try(s.load, ""))}`,
    ts: `await session.save("c", [{ role: "user", content: "hi" }]); export default [await session.load("c"), await session.clear("c"), await session.clear("c"), await attempt(() => session.load(""))]` },
  { title: "an agent without a key says so", lua: `local r = require("agent").run{prompt = "hi"} return {r.ok, r.error, r.error_code, r.stopped_by}`,
    ts: `const r = await agent.run({ prompt: "hi" }); export default [r.ok, r.error, r.error_code, r.stopped_by]` },
  { title: "an agent without a prompt says so", lua: `local r = require("agent").run{} return {r.ok, r.error}`, ts: `const r = await agent.run({} as any); export default [r.ok, r.error]` },
  { title: "a server that is not there is told, not raised", lua: `return {mcp.call("nope", "t", {}), try(mcp.connect, "n", "/no/such/program")[1]}`,
    ts: `export default [await mcp.call("nope", "t", {}), (await attempt(() => mcp.connect("n", "/no/such/program")))[0]]` },
  { title: "an error that nobody catches fails the run with its text", lua: `error("boom", 0)`, ts: `throw new Error("boom");` },
  { title: "a bridge error that nobody catches keeps its code as a fact", lua: `std.fs.read("missing")`, ts: `await std.fs.read("missing");` },
  { title: "what is no program is script.syntax", lua: `local = 1`, ts: `const = 1;`, },
  { title: "false is a value like any other", lua: `return false`, ts: `export default false` },
  { title: "a value without a JSON form is null, with a warning", lua: `return {print}`, ts: `export default [() => 1]` },
  { title: "the arguments, the prompt and the context of a run", config: { args: ["a", "b"], prompt: "p", context: "" },
    lua: `return {arg, _PROMPT, _CONTEXT}`, ts: `export default [block.args, block.prompt, block.context]` },
  { title: "an exit code ends the run", lua: `os.exit(9)`, ts: `await (block as any).exit(9);` },
  { title: "a loop is over with its CPU time", config: { limits: { cpuMsMax: 200 } }, lua: `while true do end`, ts: `for (;;);` },
  { title: "memory is over at its limit", config: { limits: { isleBytesMax: 32 << 20 } }, lua: `local t = {} while true do t[#t + 1] = {} end`, ts: `const t: unknown[] = []; for (;;) t.push({});` },
  { title: "a script that waits is over with its wall time", config: { limits: { wallMsMax: 200 } }, lua: `std.task.sleep(60000)`, ts: `await std.task.sleep(60000);` },
  { title: "a cancel ends a script that waits", lua: `print("begun") std.task.sleep(60000)`, ts: `print("begun"); await std.task.sleep(60000);`, drive: cancelled },
  { title: "a cancel ends a script that never waits", lua: `print("begun") std.task.sleep(1) while true do pcall(function() while true do end end) end`,
    ts: `print("begun"); await std.task.sleep(1); for (;;) try { for (;;); } finally { for (;;); }`, drive: cancelled },
  { title: "a stop lets the script go on after serve", lua: `print("begun") bus.serve() return "after"`, ts: `print("begun"); await bus.serve(); export default "after"`,
    drive: async (run) => {
      await until(() => run.serving);
      await run.stop();
    } },
  { title: "a task that fails and that nobody joins is told at the end", lua: `std.task.spawn(function() error("lost", 0) end, {name = "n"})`,
    ts: `std.task.spawn(() => { throw new Error("lost"); }, { name: "n" });` },
  { title: "what a task nobody joined still does is done before the end", lua: `std.task.spawn(function() std.task.sleep(30) print("late") end)`,
    ts: `std.task.spawn(async () => { await std.task.sleep(30); print("late"); });` },
];
pairs(TABLE);

async function begun(run: Parameters<NonNullable<Pair["drive"]>>[0]): Promise<void> {
  await new Promise<void>((resolve) => run.on("print", () => resolve()));
}

async function cancelled(run: Parameters<NonNullable<Pair["drive"]>>[0]): Promise<void> {
  await begun(run);
  run.cancel();
}
