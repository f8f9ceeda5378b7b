// std.task.spawn and its handles (block.md 5.10).
import assert from "node:assert/strict";
import { test } from "node:test";
import { until } from "@atoll-run/testkit";
import { runLua, startLua, valueOf } from "../support/run-script.ts";

const warnings = (log: readonly { level: string; target: string; msg: string }[]): string[] =>
  log.filter((event) => event.level === "warn" && event.target === "block").map((event) => event.msg);

test("a handle has the ids t1, t2 and so on, and the name it was given", async () => {
  const script = `
    local a, b = std.task.spawn(function() end), std.task.spawn(function() end, {name = "worker"})
    return {a.id, tostring(a.name), b.id, b.name}`;
  assert.deepEqual(await valueOf(script), ["t1", "nil", "t2", "worker"]);
});

test("join gives the first value of the task", async () => {
  const script = `
    local h = std.task.spawn(function() std.task.sleep(5) return 42, 43 end)
    local all = table.pack(h:join())
    return {all.n, all[1]}`;
  assert.deepEqual(await valueOf(script), [1, 42]);
});

test("spawn returns at once and the task runs while its maker waits", async () => {
  const script = `
    local order = {}
    local h = std.task.spawn(function() order[#order + 1] = "task" end)
    order[#order + 1] = "maker"
    h:join()
    return order`;
  assert.deepEqual(await valueOf(script), ["maker", "task"]);
});

test("a second join says that the task was joined already", async () => {
  const script = `
    local h = std.task.spawn(function() return 1 end)
    h:join()
    local ok, e = pcall(h.join, h)
    local slow = std.task.spawn(function() std.task.sleep(20) end)
    std.task.spawn(function() slow:join() end)
    std.task.yield()
    return {ok, tostring(e), e.code, tostring(select(2, pcall(slow.join, slow)))}`;
  const text = "task already joined";
  assert.deepEqual(await valueOf(script), [false, text, "task.joined", text]);
});

test("join raises the error of the task, whatever value it is", async () => {
  const script = `
    local function raised(value)
      local h = std.task.spawn(function() error(value, 0) end)
      return select(2, pcall(h.join, h))
    end
    local t = {code = "mine"}
    return {raised("text"), raised(t) == t, raised(7)}`;
  assert.deepEqual(await valueOf(script), ["text", true, 7]);
});

test("a bridge error keeps its code through join", async () => {
  const script = `
    local h = std.task.spawn(function() tool.call("none") end)
    local _, e = pcall(h.join, h)
    return e.code .. ": " .. e`;
  assert.equal(await valueOf(script), "tool.not_found: tool not found: none");
});

test("is_finished and elapsed tell how far a task is, and elapsed stands still at its end", async () => {
  const script = `
    local h = std.task.spawn(function() std.task.sleep(30) end)
    local before, early = h:is_finished(), h:elapsed()
    std.task.sleep(60)
    local ended = h:elapsed()
    std.task.sleep(20)
    return {before, math.type(early), h:is_finished(), ended >= 30, h:elapsed() == ended}`;
  assert.deepEqual(await valueOf(script), [false, "integer", true, true, true]);
});

test("a task joined by itself fails instead of waiting for ever", async () => {
  const script = `
    local h
    h = std.task.spawn(function() return tostring(select(2, pcall(h.join, h))) end)
    std.task.sleep(10)
    return h:join()`;
  assert.equal(await valueOf(script), "a task cannot join itself");
});

const REFUSED: readonly (readonly [string, string])[] = [
  [`std.task.spawn()`, "task.spawn: argument #1 must be a function, got nil"],
  [`std.task.spawn(print, 1)`, "task.spawn: argument #2 must be a table, got number"],
  [`std.task.spawn(print, {nome = "x"})`, "std.task: unknown opts key 'nome' (expected 'name' or 'driver')"],
  [`std.task.spawn(print, {"x"})`, "std.task: opts keys must be strings, got number"],
  [`std.task.spawn(print, {name = 7})`, "std.task: opts.name: expected string, got number"],
  [`std.task.spawn(print, {driver = true})`, "std.task: opts.driver: expected string, got boolean"],
  [`std.task.spawn(print, {driver = "rust"})`,
    "std.task: unknown driver 'rust' (expected 'async_fn' or 'coroutine')"],
  [`std.task.spawn(print).join()`, "task.join: argument #1 must be a task handle, got nil"],
];

test("what spawn does not know is refused with its name", async () => {
  const calls = REFUSED.map(([call]) => `function() ${call} end`).join(",\n");
  const script = `
    local texts = {}
    for i, call in ipairs{${calls}} do texts[i] = tostring(select(2, pcall(call))) end
    return texts`;
  assert.deepEqual(await valueOf(script), REFUSED.map(([, text]) => text));
});

for (const driver of ["async_fn", "async", "coroutine"]) {
  test(`the driver ${driver} runs a task, and coroutine.yield(ms) sleeps in it`, async () => {
    const script = `
      local function body()
        local begun = std.time.now()
        coroutine.yield(30)
        coroutine.yield()
        return (std.time.now() - begun) * 1000 >= 29
      end
      return std.task.spawn(body, {driver = "${driver}"}):join()`;
    assert.equal(await valueOf(script), true);
    const byDefault = `return std.task.spawn(function() coroutine.yield(1) return 5 end):join()`;
    assert.equal(await valueOf(byDefault, { env: { ATOLL_TASK_DRIVER: driver } }), 5);
  });
}

test("a coroutine of the script inside a task yields to the one that resumed it", async () => {
  const script = `
    return std.task.spawn(function()
      local gen = coroutine.wrap(function() coroutine.yield(1) std.task.sleep(1) coroutine.yield(2) end)
      return {gen(), gen()}
    end):join()`;
  assert.deepEqual(await valueOf(script), [1, 2]);
});

test("current tells id, name and cancel of the running task, and is nil outside a task", async () => {
  const script = `
    local inside = std.task.spawn(function()
      local t = std.task.current()
      return {t.id, t.name, t.cancelled}
    end, {name = "me"}):join()
    return {std.task.current() == nil, inside}`;
  assert.deepEqual(await valueOf(script), [true, ["t1", "me", false]]);
});

test("more than liveTasksMax tasks are refused by spawn, and ended ones make room", async () => {
  const script = `
    local handles = {}
    local ok, e = pcall(function()
      for i = 1, 100 do handles[i] = std.task.spawn(function() std.task.sleep(10) end) end
    end)
    for _, h in ipairs(handles) do h:join() end
    std.task.spawn(function() end):join()
    return {#handles, tostring(e)}`;
  const value = await valueOf(script, { limits: { liveTasksMax: 10 } });
  assert.deepEqual(value, [9, "limit error: too many live tasks (limit: 10)"]);
});

test("values of ended tasks are kept until they are joined, and freed with their handles", async () => {
  const script = `
    local kept = std.task.spawn(function() return ("k"):rep(1000) end)
    for i = 1, 300 do
      local dropped = {}
      for j = 1, 100 do dropped[j] = std.task.spawn(function() return ("x"):rep(10000) end) end
      std.task.yield()
    end
    return #kept:join()`;
  assert.equal(await valueOf(script, { limits: { isleBytesMax: 32 * 1024 * 1024 } }), 1000);
});

test("an error that nobody joined is a warning", async () => {
  const { result, log } = await runLua(`
    std.task.spawn(function() error("lost", 0) end, {name = "job"})
    return 1`);
  assert.equal(result?.value, 1);
  assert.deepEqual(warnings(log), ["task t1 (job) failed and nobody joined it: lost"]);
});

test("an error nobody can join any more is told while the script goes on", async () => {
  const { run, log, end } = startLua(`
    std.task.spawn(function() error("lost", 0) end)
    std.task.yield()
    collectgarbage() collectgarbage()
    bus.on("x", function() end)
    bus.serve()`);
  await run.request("x", null);
  await until(() => warnings(log).length === 1);
  await run.stop();
  assert.deepEqual(warnings((await end).log), ["task t1 failed and nobody joined it: lost"]);
});

test("an error that was joined, and the end of a cancelled or aborted task, are no warnings", async () => {
  const { log } = await runLua(`
    pcall(function() std.task.spawn(function() error("taken") end):join() end)
    local h = std.task.spawn(function() std.task.sleep(1000) end)
    std.task.yield()
    h:abort()
    pcall(std.task.scope, function(s)
      s:spawn(function() std.task.sleep(1000) end)
      std.task.yield()
      error("x")
    end)`);
  assert.deepEqual(warnings(log), []);
});

test("the run waits for tasks nobody joined, who may still print", async () => {
  const { stdout, result } = await runLua(`
    std.task.spawn(function() std.task.sleep(50) print("late") end)
    return "script"`);
  assert.equal(stdout, "late\n");
  assert.equal(result?.value, "script");
});

test("tasks run in the handler isle too", async () => {
  const { run, end } = startLua(`
    bus.on("sum", function(ev)
      local parts = {}
      for i, n in ipairs(ev.payload) do
        parts[i] = std.task.spawn(function() std.task.sleep(1) return n * 2 end)
      end
      local sum = 0
      for _, part in ipairs(parts) do sum = sum + part:join() end
      return sum
    end)
    bus.serve()`);
  assert.equal(await run.request("sum", [1, 2, 3]), 12);
  await run.stop();
  await end;
});

test("a task whose coroutine was closed behind its back has panicked", async () => {
  const script = `
    local own
    local h = std.task.spawn(function() own = coroutine.running() std.task.sleep(20) return 1 end)
    std.task.yield()
    coroutine.close(own)
    local ok, e = pcall(h.join, h)
    return {ok, tostring(e), e.code}`;
  assert.deepEqual(await valueOf(script), [false, "task panicked", "runtime.failed"]);
});
