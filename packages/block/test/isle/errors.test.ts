/**
 * Errors between host and script: objects with a code, plain texts, and what a failed script tells (spec:
 * block 2.4).
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { HostTool } from "../../src/config.ts";
import { blockError } from "../../src/errors.ts";
import { runLua, type ScriptEnd, startLua, valueOf } from "../support/run-script.ts";

const refuse: HostTool = {
  name: "refuse", description: "", input_schema: {},
  handler: () => {
    throw blockError("bus.overloaded", "not now", { retry_after_ms: 250, facts: { limit: 64 } });
  },
};
const o = { hostTools: [refuse] };

describe("a bridge error in Lua", () => {
  test("is an object: tostring and .. give the text; code, retry and retry_after_ms are fields", async () => {
    const value = await valueOf(`
      local ok, e = pcall(tool.call, "refuse")
      return {ok, type(e), tostring(e), e .. "!", "<" .. e, e.code, e.retry, e.retry_after_ms, e.facts.limit, getmetatable(e), e.message}`, o);
    assert.deepEqual(value, [false, "table", "not now", "not now!", "<not now", "bus.overloaded", "later",
      250, 64, "error", "not now"]);
  });

  test("passes through pcall, error, coroutines and tasks as it is", async () => {
    const value = await valueOf(`
      local function call() tool.call("refuse") end
      local seen = {}
      seen[1] = select(2, pcall(coroutine.wrap(call)))
      seen[2] = select(2, coroutine.resume(coroutine.create(call)))
      seen[3] = select(2, pcall(function() return std.task.spawn(call):join() end))
      seen[4] = select(2, pcall(error, seen[1]))
      seen[5] = select(2, xpcall(call, function(e) return e end))
      for i = 1, 5 do seen[i] = seen[i].code end
      return seen`, o);
    assert.deepEqual(value, Array.from({ length: 5 }, () => "bus.overloaded"));
  });

  test("wrong arguments are told by function, number and type, numbers pass for text", async () => {
    const value = await valueOf(`
      local function text(f, ...) return tostring(select(2, pcall(f, ...))) end
      return {text(sh.exec), text(sh.exec, {}), text(sh.exec, "true", 1), text(bus.on, "x"), text(tool.call), text(std.kv.get, "a", print),
        select(2, pcall(sh.exec)).code, sh.exec("echo " .. 1, {timeout = "5"}).stdout}`);
    assert.deepEqual(value, [
      "sh.exec: argument #1 must be a string, got nil", "sh.exec: argument #1 must be a string, got table",
      "sh.exec: argument #2 must be a table, got number", "bus.on: argument #2 must be a function, got nil",
      "tool.call: argument #1 must be a string, got nil",
      "kv.get: argument #2 must be a string, got function", "script.argument", "1\n",
    ]);
  });
});

describe("a script that fails", () => {
  const failed = async (source: string): Promise<NonNullable<ScriptEnd["error"]>> => {
    const { error } = await runLua(source, o);
    assert.ok(error !== undefined);
    return error;
  };

  test("tells the text of its error, and where it was raised", async () => {
    const source = `local function deep() error("boom") end\nlocal function run() deep() end\nrun()`;
    const { code, message, facts } = await failed(source);
    assert.equal(code, "script.failed");
    assert.equal(facts["text"], "test.lua:1: boom");
    assert.equal(message, [
      "script error: test.lua:1: boom", "stack traceback:", "\t[C]: in function 'error'",
      "\ttest.lua:1: in upvalue 'deep'",
      "\ttest.lua:2: in local 'run'", "\ttest.lua:3: in main chunk",
    ].join("\n"));
  });

  test("by a bridge error tells that error's text and code", async () => {
    const { code, message, facts } = await failed(`tool.call("refuse")`);
    assert.equal(code, "script.failed");
    assert.match(message, /^script error: not now\n/);
    assert.equal(facts["raised"], "bus.overloaded");
  });

  test("by a table gives the table; __tostring says it in words, a deep or cyclic one has none", async () => {
    assert.deepEqual((await failed(`error({code = "mine", list = {1, 2}})`)).facts["value"],
      { code: "mine", list: [1, 2] });
    assert.match((await failed(`error({1})`)).message, /^script error: \(error object is a table value\)/);
    assert.match((await failed(
      `error(setmetatable({}, {__tostring = function() return "in words" end}))`)).message,
      /^script error: in words/);
    assert.match((await failed(`error(setmetatable({}, {__tostring = function() error("x") end}))`)).message,
      /\(error object is a table value\)/);
    const cyclic = await failed(`local t = {} t.t = t error(t)`);
    assert.equal(cyclic.facts["value"], undefined);
  });

  for (const [raised, text] of [["nil", "nil"], ["true", "boolean"], ["print", "function"],
    ["coroutine.create(print)", "thread"]] as const) {
    test(`by ${raised} says its type`, async () => {
      assert.equal((await failed(`error(${raised})`)).facts["text"], `(error object is a ${text} value)`);
    });
  }

  test("by a number says the number",
    async () => assert.equal((await failed("error(42, 0)")).facts["text"], "42"));

  test("by an error of ours that it changed is still an error with a text", async () => {
    for (const change of ["e.message = {}", "e.code = nil", "e.retry = 7", "e.facts = print",
      "e.message = ('x'):rep(1e6)", "e.x = e"]) {
      const { code, message } = await failed(`local _, e = pcall(tool.call, "refuse") ${change} error(e)`);
      assert.equal(code, "script.failed", change);
      assert.match(message, /^script error: /, change);
    }
  });

  test("closes what it left open, last first, and each close may wait", async () => {
    const { stdout, error } = await runLua(`
      local function closing(n) return setmetatable({}, {__close = function(_, e) std.time.sleep(0.001) print(n, e) end}) end
      local a <close> = closing("a")
      local b <close> = closing("b")
      error("end", 0)`);
    assert.equal(stdout, "b\tend\na\tend\n");
    assert.equal(error?.facts["text"], "end");
  });
});

describe("a handler that fails", () => {
  test("nacks with the text, the code or the table it raised", async () => {
    const { run, end } = startLua(`
      bus.on("text", function() error("told", 0) end)
      bus.on("fault", function() tool.call("refuse") end)
      bus.on("table", function() error({code = "mine"}) end)
      bus.on("reply", function() return print end)
      bus.serve()`, o);
    await assert.rejects(run.request("text", null), { code: "bus.handler_failed", message: "told" });
    await assert.rejects(run.request("fault", null), { code: "bus.overloaded", message: "not now" });
    await assert.rejects(run.request("table", null),
      { code: "bus.handler_failed", facts: { value: { code: "mine" } } });
    await assert.rejects(run.request("reply", null),
      { code: "json.encode", message: "reply encode: unsupported type for JSON conversion" });
    await run.stop();
    await end;
  });
});
