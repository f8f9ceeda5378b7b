// The acceptance lines H of block.md section 12, against the library.
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { luaFloat } from "@atoll-run/core";
import { until } from "@atoll-run/testkit";
import { createBlock } from "../../src/block.ts";
import type { Guard } from "../../src/config.ts";
import { parts, runLua, startLua, valueOf } from "../support/run-script.ts";

const sleepMs = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

test("H1 given a script returning 7, 2^60 and 7.5 in a table, then value holds a number, a bigint and a number", async () => {
  assert.deepEqual(await valueOf("return {7, 1 << 60, 7.5}"), [7, 1n << 60n, 7.5]);
});

test("H1 given a host tool returning them, then Lua sees integer, integer, float", async () => {
  const numbers = { name: "numbers", description: "three numbers", input_schema: {}, handler: () => [7, 1n << 60n, 7.5, luaFloat(8) as unknown as number] };
  const script = `local t = tool.call("numbers", {})
    return {math.type(t[1]), math.type(t[2]), math.type(t[3]), math.type(t[4]), t[1] == 7 and t[2] == 1 << 60 and t[3] == 7.5 and t[4] == 8}`;
  assert.deepEqual(await valueOf(script, { hostTools: [numbers] }), ["integer", "integer", "float", "float", true]);
});

test("H2 given autoServe, a host handler and an empty queue, when the script returns, then the run settles at once", async () => {
  const began = performance.now();
  const { result } = await runLua("return 1", { autoServe: true, hostHandlers: { x: () => 1 }, limits: { graceMs: 25_000 } });
  assert.equal(result?.outcome, "returned");
  // the grace time is not waited out; the exact bound is judged by the bench
  assert.ok(performance.now() - began < 20_000);
});

test("H3 given ten queued events and a 20 ms handler, when the script returns, then all ten are handled before the run settles", async () => {
  let handled = 0;
  const slow = async (): Promise<void> => {
    await sleepMs(20);
    handled++;
  };
  const { result } = await runLua(`for i = 1, 10 do bus.emit("slow", i) end`, { autoServe: true, hostHandlers: { slow }, limits: { graceMs: 25_000 } });
  assert.equal(handled, 10);
  assert.deepEqual(result?.bus, { emitted: 10, handled: 10, failed: 0, unserved: 0 });
});

test("H5 given a host tool, when a bus handler calls it, then it runs with isle = handler", async () => {
  const isles: string[] = [];
  const where = { name: "where", description: "", input_schema: {}, handler: (_: unknown, call: { isle: string }) => void isles.push(call.isle) };
  const { run, end } = startLua(`tool.call("where") bus.on("go", function() tool.call("where") end) bus.serve()`, { hostTools: [where] });
  await run.request("go", null);
  await run.stop();
  await end;
  assert.deepEqual(isles, ["main", "handler"]);
});

test("H5 given globals.bus, then config.invalid names the key", async () => {
  const { error } = await runLua("", { globals: { bus: 1 } });
  assert.equal(error?.code, "config.invalid");
  assert.match(error.message, /globals\.bus/);
});

test("every problem of a config is told at once", async () => {
  const { error } = await runLua("", { globals: { bus: 1, std: 2 }, grants: ["nonsense"], limits: { busEventsMax: 0 } });
  assert.equal(error?.code, "config.invalid");
  for (const part of [/globals\.bus/, /globals\.std/, /nonsense/, /busEventsMax/]) assert.match(error.message, part);
});

test("a script that cannot be read is script.not_found with its path", async () => {
  const run = createBlock(parts()).start({ script: { path: "missing.lua" }, env: {} });
  await assert.rejects(run.result, { code: "script.not_found", message: /^script error: missing\.lua: No such file or directory$/ });
});

test("cancel settles the run with run.cancelled, whatever the script does", async () => {
  const { run, end } = startLua("print('up') while true do pcall(function() while true do end end) end");
  await run.ready;
  run.cancel();
  assert.equal((await end).error?.code, "run.cancelled");
});

test("the abort of a signal cancels the run", async () => {
  const abort = new AbortController();
  const { run, end } = startLua("while true do end", { signal: abort.signal });
  await run.ready;
  abort.abort();
  assert.equal((await end).error?.code, "run.cancelled");
});

test("a value without a JSON form is null with a warning", async () => {
  const { result } = await runLua("return print");
  assert.equal(result?.value, null);
  assert.match(result.warnings.join(), /no JSON form/);
});

test("an error of the script is script.failed with its text and traceback", async () => {
  const { error } = await runLua("local function deep() error('boom') end\ndeep()");
  assert.equal(error?.code, "script.failed");
  assert.match(error.message, /^script error: test\.lua:1: boom\n/);
  assert.match(error.message, /stack traceback/);
});

test("a syntax error is script.syntax with the place", async () => {
  const { error } = await runLua("x = = 1");
  assert.equal(error?.code, "script.syntax");
  assert.match(error.message, /test\.lua:1:/);
});

test("_PROMPT and _CONTEXT are nil when absent, and stay empty when empty", async () => {
  assert.deepEqual(await valueOf("return {_PROMPT == nil, _CONTEXT}", { context: "" }), [true, ""]);
});

test("globals reach both isles, integers exact", async () => {
  const { run, end } = startLua(`bus.on("g", function() return {big = BIG, list = LIST} end) bus.serve()`,
    { globals: { BIG: 9007199254740993n, LIST: [1, 2] } });
  assert.deepEqual(await run.request("g", null), { big: 9007199254740993n, list: [1, 2] });
  await run.stop();
  await end;
});

test("stop lets bus.serve return, the script goes on, and the outcome is stopped", async () => {
  const { run, end, printed } = startLua("bus.on('x', function() end) bus.serve() print('after')");
  await until(() => run.stats().phase === "running", { withinMs: 30_000 });
  await run.request("x", null);
  await run.stop();
  assert.equal((await end).result?.outcome, "stopped");
  assert.equal(printed(), "after\n");
});

test("a guard may refuse, answer and allow a call after the grants", async () => {
  const asked: string[] = [];
  const guard = async (call: { grant: string }): Promise<"allow" | { deny: string } | { answer: string }> => {
    asked.push(call.grant.split(":")[0] as string);
    if (call.grant.startsWith("fs.read:")) return { deny: "not today" };
    return call.grant === "run:sh" ? { answer: "from the guard" } : "allow";
  };
  const value = await valueOf(`local ok, e = pcall(std.fs.read, "x") return {ok, e.code, sh.exec("true")}`, { guard: guard as never });
  assert.deepEqual(value, [false, "grant.denied", "from the guard"]);
  assert.deepEqual(asked, ["fs.read", "run"]);
});

test("a guard is told what a call gave, and a script is given just the same for it later, bytes too", async (t) => {
  const dir = mkdtempSync(join(tmpdir(), "atoll-made-"));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  const path = (name: string): string => JSON.stringify(join(dir, name));
  const kept = new Map<string, unknown>();
  const asked: string[] = [];
  const guard = async ({ fn = "", args, done }: Parameters<Guard>[0]): Promise<"allow" | { made: never }> => {
    const call = JSON.stringify([fn, args]);
    asked.push(fn);
    if (kept.has(call)) return { made: kept.get(call) as never };
    done?.(async (made) => void kept.set(call, JSON.parse(JSON.stringify(made))));
    return "allow";
  };
  const script = `
    local function shown(...) return {select("#", ...), type((...)), ...} end
    local run = sh.exec("printf", {args = {"%s", "out"}})
    return {shown(std.fs.append(${path("a")}, "x")), shown(std.fs.read(${path("a")})), run.ok, run.stdout, math.type(run.exit_code),
      {std.fs.read(${path("bytes")}):byte(1, -1)}, shown(pcall(std.fs.read, ${path("none")}))[3]}`;
  writeFileSync(join(dir, "bytes"), Buffer.from([255, 0, 1]));
  const first = await valueOf(script, { guard });
  assert.deepEqual([...kept.keys()].map((call) => (JSON.parse(call) as [string])[0]), ["sh.exec", "std.fs.append", "std.fs.read", "std.fs.read"], "what failed is not told");
  assert.deepEqual(await valueOf(script, { guard }), first);
  assert.deepEqual([readFileSync(join(dir, "a"), "utf8"), asked.length], ["x", 10]);
});

test("output over its bound is cut with one notice and the event limit", async () => {
  const { run, end, printed } = startLua("for i = 1, 100 do print(('x'):rep(99)) end", { limits: { printBytesMax: 1000 } });
  const limits: string[] = [];
  run.on("limit", ({ limit }) => limits.push(limit));
  await end;
  assert.equal(printed().length, 1000);
  assert.deepEqual(limits, ["isle.output"]);
});
