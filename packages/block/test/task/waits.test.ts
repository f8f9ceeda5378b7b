// Sleeping and giving way: std.task.sleep, yield, checkpoint and std.time (block.md 5.8, 5.10).
import assert from "node:assert/strict";
import { test } from "node:test";
import { valueOf } from "../support/run-script.ts";

test("S2 given std.time.sleep(1) in one task, then another runs meanwhile", async () => {
  const script = `
    local begun = std.time.now()
    local order = {}
    local sleeper = std.task.spawn(function() std.time.sleep(1) order[#order + 1] = "slept" end)
    local other = std.task.spawn(function()
      for _ = 1, 10 do std.task.yield() end
      order[#order + 1] = "ran"
    end)
    other:join()
    local early = std.time.now() - begun < 1
    sleeper:join()
    return {early, order, std.time.now() - begun >= 1}`;
  assert.deepEqual(await valueOf(script), [true, ["ran", "slept"], true]);
});

test("a sleep is never shorter than it was told", async () => {
  const script = `
    for _, ms in ipairs{1, 1.7, 10, 33.3} do
      local seconds = std.time.measure(std.task.sleep, ms)
      if seconds * 1000 < ms then return ms end
    end
    return "ok"`;
  assert.equal(await valueOf(script), "ok");
});

test("two tasks that yield take turns", async () => {
  const script = `
    local order = {}
    local function turns(name)
      return function() for _ = 1, 3 do order[#order + 1] = name std.task.yield() end end
    end
    local a, b = std.task.spawn(turns("a")), std.task.spawn(turns("b"))
    a:join() b:join()
    return table.concat(order)`;
  assert.equal(await valueOf(script), "ababab");
});

test("a bare coroutine.yield outside user coroutines gives way to the others", async () => {
  const script = `
    local seen = 0
    std.task.spawn(function() seen = seen + 1 end)
    coroutine.yield()
    return seen`;
  assert.equal(await valueOf(script), 1);
});

test("sleep, yield and a bare coroutine.yield work in places that cannot yield", async () => {
  const script = `
    local t = {3, 1, 2}
    table.sort(t, function(a, b)
      std.task.sleep(1) std.task.yield() coroutine.yield(1) std.time.sleep(0)
      return a < b
    end)
    return t`;
  assert.deepEqual(await valueOf(script), [1, 2, 3]);
});

test("a join in a place that cannot yield is refused at once", async () => {
  const script = `
    local h = std.task.spawn(function() std.task.sleep(5) return 9 end)
    local ok, e
    ;("x"):gsub("x", function() ok, e = pcall(h.join, h) end)
    return {ok, e.code, h:join()}`;
  assert.deepEqual(await valueOf(script), [false, "isle.would_block", 9]);
});

const REFUSED: readonly (readonly [string, string])[] = [
  ["std.task.sleep(-1)", "std.task.sleep: invalid duration (ms=-1)"],
  ["std.task.sleep(0/0)", "std.task.sleep: invalid duration (ms=NaN)"],
  ["std.task.sleep(1/0)", "std.task.sleep: invalid duration (ms=inf)"],
  ["std.task.sleep(1e300)", "std.task.sleep: duration out of range (ms=1e+300)"],
  ["std.task.sleep()", "std.task.sleep: argument #1 must be a number, got nil"],
  ["std.task.sleep({})", "std.task.sleep: argument #1 must be a number, got table"],
  ["std.time.sleep(-0.5)", "sleep duration must be a finite non-negative number, got -0.5"],
  ["std.time.sleep(1/0)", "sleep duration must be a finite non-negative number, got inf"],
  ["std.time.sleep(0/0)", "sleep duration must be a finite non-negative number, got NaN"],
  ["std.time.sleep(86401)", "sleep duration must not exceed 86400 seconds"],
  ["std.time.sleep()", "time.sleep: argument #1 must be a number, got nil"],
  ["std.time.measure(1)", "time.measure: argument #1 must be a function, got number"],
];

test("durations that are none are refused with their value", async () => {
  const calls = REFUSED.map(([call]) => `function() ${call} end`).join(",\n");
  const script = `
    local texts = {}
    for i, call in ipairs{${calls}} do texts[i] = tostring(select(2, pcall(call))) end
    return texts`;
  assert.deepEqual(await valueOf(script), REFUSED.map(([, text]) => text));
});

test("numeric strings count as numbers", async () => {
  assert.equal(await valueOf(`std.task.sleep("1") std.time.sleep("0.001") return "ok"`), "ok");
});

test("time.now is a float of seconds, time.millis an integer, and both are the time of day", async () => {
  const script = `
    local now, millis = std.time.now(), std.time.millis()
    return {math.type(now), math.type(millis), now, millis}`;
  const [now, millis, seconds, ms] = (await valueOf(script)) as [string, string, number, number];
  assert.deepEqual([now, millis], ["float", "integer"]);
  assert.ok(Math.abs(Number(seconds) * 1000 - Date.now()) < 60_000);
  assert.ok(Math.abs(Number(ms) - Date.now()) < 60_000);
});

test("time.measure gives the seconds and all results, and lets an error through", async () => {
  const script = `
    local r = table.pack(std.time.measure(function() std.time.sleep(0.02) return "a", nil, "b" end))
    local _, e = pcall(std.time.measure, function() error("out", 0) end)
    return {r[1] >= 0.02, r[2], r[3] == nil, r[4], r.n, e}`;
  assert.deepEqual(await valueOf(script), [true, "a", true, "b", 4, "out"]);
});
