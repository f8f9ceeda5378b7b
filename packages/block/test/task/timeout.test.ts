// std.task.with_timeout: the body and its children under one limit (block.md 5.10, S3).
import assert from "node:assert/strict";
import { test } from "node:test";
import { startLua, valueOf } from "../support/run-script.ts";

test("with_timeout gives the value of a body that is in time", async () => {
  const script = `return std.task.with_timeout(10000, function() std.task.sleep(1) return "v" end)`;
  assert.equal(await valueOf(script), "v");
});

test("at the deadline the body is aborted, also in a busy loop and inside pcall", async () => {
  const script = `
    local texts, log = {}, {}
    local function try(i, body)
      local ok, e = pcall(std.task.with_timeout, 30, body)
      texts[i] = tostring(e)
      log[i] = e.code
    end
    try(1, function() std.task.sleep(10000) end)
    try(2, function() while true do end end)
    try(3, function() while true do pcall(std.task.sleep, 1) end end)
    try(4, function() while true do pcall(function() while true do end end) end end)
    local function busy() while true do end end
    try(5, function() coroutine.wrap(function() while true do pcall(coroutine.wrap(busy)) end end)() end)
    return {texts, log}`;
  const text = "task.with_timeout: exceeded 30 ms";
  const code = "task.timeout";
  assert.deepEqual(await valueOf(script), [[text, text, text, text, text], [code, code, code, code, code]]);
});

test("<close> of the body runs at the deadline, and bridges refuse there", async () => {
  const script = `
    local seen = {}
    local ok = pcall(std.task.with_timeout, 200, function()
      local a <close> = setmetatable({}, {__close = function() seen[#seen + 1] = "second" end})
      local b <close> = setmetatable({}, {__close = function()
        seen[#seen + 1] = "first"
        std.task.sleep(1)
        seen[#seen + 1] = "slept"
      end})
      while true do end
    end)
    return {ok, seen}`;
  assert.deepEqual(await valueOf(script), [false, ["first", "second"]]);
});

test("S3 given a child that swallows soft cancel, then it stops at its next suspension", async () => {
  const script = `
    local seen = {}
    local ok, e = pcall(std.task.with_timeout, 200, function(s)
      s:spawn(function()
        seen[1] = tostring(select(2, pcall(std.task.sleep, 10000)))
        seen[2] = "cleaned up"
        std.task.sleep(1)
        seen[3] = "never"
      end)
      std.task.sleep(10000)
    end, {grace_ms = 5000})
    return {tostring(e), seen}`;
  const expected = ["task.with_timeout: exceeded 200 ms", ["task cancelled", "cleaned up"]];
  assert.deepEqual(await valueOf(script), expected);
});

test("S3 after grace a child is aborted even inside pcall, and others live on meanwhile", async () => {
  const script = `
    local beats, seen = 0, {}
    local heart = std.task.spawn(function() while true do std.task.sleep(1) beats = beats + 1 end end)
    local seconds = std.time.measure(function()
      pcall(std.task.with_timeout, 200, function(s)
        s:spawn(function()
          local guard <close> = setmetatable({}, {__close = function() seen[#seen + 1] = "closed" end})
          while true do pcall(std.task.sleep, 1) end
        end)
      end, {grace_ms = 50})
    end)
    local during = beats
    std.task.sleep(20)
    heart:abort()
    return {seconds >= 0.25, seen, during > 0, beats > during}`;
  assert.deepEqual(await valueOf(script), [true, ["closed"], true, true]);
});

test("a busy child is aborted after grace although nothing else can run", async () => {
  const script = `
    local function busy() while true do end end
    local ok, e = pcall(std.task.with_timeout, 20, function(s) s:spawn(busy) end, {grace_ms = 30})
    return tostring(e)`;
  assert.equal(await valueOf(script), "task.with_timeout: exceeded 20 ms");
});

test("a grace of 0 aborts the children at once", async () => {
  const script = `
    local caught = false
    pcall(std.task.with_timeout, 200, function(s)
      s:spawn(function() pcall(std.task.sleep, 10000) caught = true end)
    end, {grace_ms = 0})
    return caught`;
  assert.equal(await valueOf(script), false);
});

test("the grace is ATOLL_TASK_GRACE_MS unless it is given", async () => {
  const script = `
    local caught = false
    pcall(std.task.with_timeout, 200, function(s)
      s:spawn(function() pcall(std.task.sleep, 10000) caught = true end)
    end)
    return caught`;
  assert.equal(await valueOf(script, { env: { ATOLL_TASK_GRACE_MS: "0" } }), false);
  assert.equal(await valueOf(script, { env: { ATOLL_TASK_GRACE_MS: "5000" } }), true);
});

test("an error of the body is raised again, and its children are cancelled", async () => {
  const script = `
    local child
    local ok, e = pcall(std.task.with_timeout, 10000, function(s)
      s:spawn(function() child = tostring(select(2, pcall(std.task.sleep, 10000))) end)
      std.task.yield()
      error("body", 0)
    end)
    return {ok, e, child}`;
  assert.deepEqual(await valueOf(script), [false, "body", "task cancelled"]);
});

test("children that are not joined belong to the time limit", async () => {
  const script = `
    local done = false
    local value = std.task.with_timeout(10000, function(s)
      s:spawn(function() std.task.sleep(20) done = true end)
      return "v"
    end)
    return {value, done}`;
  assert.deepEqual(await valueOf(script), ["v", true]);
});

test("inside the body the current task is the surrounding one", async () => {
  const script = `
    local h = std.task.spawn(function()
      return std.task.with_timeout(10000, function()
        return std.task.with_timeout(10000, function() return std.task.current().id end)
      end)
    end)
    local outside = std.task.with_timeout(10000, function() return std.task.current() == nil end)
    return {h.id == h:join(), outside}`;
  assert.deepEqual(await valueOf(script), [true, true]);
});

test("a cancel of the surrounding task reaches the body and its children", async () => {
  const script = `
    local seen = {}
    pcall(std.task.scope, function(outer)
      outer:spawn(function()
        std.task.with_timeout(10000, function(s)
          s:spawn(function() seen[1] = tostring(select(2, pcall(std.task.sleep, 10000))) end)
          local before = std.task.current().cancelled
          seen[2] = tostring(select(2, pcall(std.task.sleep, 10000)))
          seen[3] = before == false and std.task.current().cancelled
          std.task.sleep(1)
        end)
        seen[4] = "never"
      end)
      std.task.sleep(10)
      error("enough")
    end)
    return seen`;
  assert.deepEqual(await valueOf(script), ["task cancelled", "task cancelled", true]);
});

test("an abort of the surrounding task ends the body", async () => {
  const script = `
    local beats = 0
    local h = std.task.spawn(function()
      std.task.with_timeout(10000, function()
        while true do pcall(std.task.sleep, 1) beats = beats + 1 end
      end)
    end)
    std.task.sleep(20)
    h:abort()
    local e = select(2, pcall(h.join, h))
    std.task.sleep(10)
    local after = beats
    std.task.sleep(20)
    return {tostring(e), beats == after}`;
  assert.deepEqual(await valueOf(script), ["task aborted", true]);
});

test("the inner of two time limits passes first", async () => {
  const script = `
    return std.task.with_timeout(10000, function()
      local function sleeps() std.task.sleep(10000) end
      return tostring(select(2, pcall(std.task.with_timeout, 1.5, sleeps)))
    end)`;
  assert.equal(await valueOf(script), "task.with_timeout: exceeded 1.5 ms");
});

test("the time limit of an event aborts a body in its handler, and the handler isle goes on", async () => {
  const { run, end } = startLua(`
    bus.on("stuck", function()
      std.task.with_timeout(60000, function() while true do pcall(std.task.sleep, 1) end end)
    end, {timeout_ms = 50})
    bus.on("busy", function()
      std.task.scope(function(s) s:spawn(function() while true do end end) end)
    end, {timeout_ms = 50})
    bus.on("waits", function() pcall(std.task.sleep, 60000) end, {timeout_ms = 50})
    local n = 0
    bus.on("count", function() n = (n or 0) + 1 return n end)
    bus.serve()`);
  assert.equal(await run.request("count", null), 1);
  for (const kind of ["stuck", "busy", "waits"]) {
    await assert.rejects(run.request(kind, null), { message: "handler timeout" });
  }
  assert.equal(await run.request("count", null), 2, "the isle was not restarted");
  await run.stop();
  await end;
});

const REFUSED: readonly (readonly [string, string])[] = [
  [`f("x", print)`, "task.with_timeout: argument #1 must be a number, got string"],
  [`f(10)`, "task.with_timeout: argument #2 must be a function, got nil"],
  [`f(10, print, 1)`, "task.with_timeout: argument #3 must be a table, got number"],
  [`f(10, print, {grace = 1})`, "task.with_timeout: unknown opts key 'grace' (expected 'grace_ms')"],
  [`f(10, print, {1})`, "task.with_timeout: unknown opts key '1' (expected 'grace_ms')"],
  [`f(10, print, {grace_ms = "1"})`, "task.with_timeout: opts.grace_ms must be a number, got string"],
  [`f(10, print, {grace_ms = -1})`, "task.with_timeout: invalid duration (grace_ms=-1)"],
  [`f(-1, print)`, "task.with_timeout: invalid duration (ms=-1)"],
];

test("what with_timeout does not know is refused with its name", async () => {
  const calls = REFUSED.map(([call]) => `function() ${call} end`).join(",\n");
  const script = `
    local f, texts = std.task.with_timeout, {}
    for i, call in ipairs{${calls}} do texts[i] = tostring(select(2, pcall(call))) end
    return texts`;
  assert.deepEqual(await valueOf(script), REFUSED.map(([, text]) => text));
});
