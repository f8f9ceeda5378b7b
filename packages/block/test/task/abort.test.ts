/**
 * Cancel and abort of tasks (block.md 4: task token, task abort, isle kill; H6). An abort must end a task
 * whatever its code does, close what it holds, and leave its neighbours alone. Each script runs on a thread
 * of its own and on a shared one.
 */
import assert from "node:assert/strict";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { watchHandles } from "@atoll-run/testkit";
import { createIslePool } from "../../src/isle/host/pool.ts";
import { loadLuaModule } from "../../src/isle/lua-module.ts";
import { runLua, type ScriptOptions, startLua, valueOf } from "../support/run-script.ts";

const cacheFile = join(tmpdir(), "atoll-block-tests", "lua.wasm");
const pool = createIslePool(loadLuaModule({ cacheFile }).module, { max: 2 });
after(() => pool.close());
const PLACES: readonly (readonly [string, ScriptOptions])[] = [
  ["own thread", {}], ["shared thread", { placing: pool }],
];

/** `guard(text)` notes its close in `seen`. */
const HEAD = `
  local seen = {}
  local function note(text) seen[#seen + 1] = text end
  local function guard(text) return setmetatable({}, {__close = function() note(text) end}) end
`;

/** Code that does not end by itself, or catches everything. */
const STUBBORN: readonly (readonly [string, string])[] = [
  ["a sleep", `std.task.sleep(60000)`],
  ["a sleep inside pcall", `while true do pcall(std.task.sleep, 60000) note("caught") end`],
  ["a sleep inside xpcall", `
    while true do xpcall(std.task.sleep, function(e) return e end, 60000) note("caught") end`],
  ["a yield in a loop", `while true do pcall(std.task.yield) end`],
  ["a bare coroutine.yield in a loop", `while true do pcall(coroutine.yield) end`],
  ["a busy loop", `while true do end`],
  ["a busy loop inside pcall", `while true do pcall(function() while true do end end) end`],
  ["a busy loop inside pcall inside nested coroutine.wrap", `
    local function busy() while true do pcall(function() while true do end end) end end
    coroutine.wrap(function() while true do pcall(coroutine.wrap(busy)) end end)()`],
  ["a busy loop inside coroutine.resume", `
    while true do coroutine.resume(coroutine.create(function() while true do end end)) note("resumed") end`],
  ["a wait inside nested coroutines", `
    local function waits() while true do pcall(std.task.sleep, 60000) end end
    coroutine.wrap(function() while true do pcall(coroutine.wrap(waits)) end end)()`],
  ["a sort with a busy comparator", `
    local t = {} for i = 1, 50 do t[i] = i end
    table.sort(t, function() while true do end end)`],
  ["a sleep in a comparator", `
    local t = {3, 2, 1}
    while true do pcall(table.sort, t, function(a, b) std.task.sleep(5) return a < b end) end`],
  ["a long sleep in a comparator", `
    table.sort({3, 2, 1}, function(a, b) std.task.sleep(60000) return a < b end)`],
  ["a join", `pcall(function() std.task.spawn(function() std.task.sleep(300) end):join() end)`],
  ["a scope", `
    local function child() while true do pcall(std.task.sleep, 5) end end
    pcall(std.task.scope, function(s) s:spawn(child) end)`],
  ["a child process", `pcall(sh.exec, "sleep 60") note("caught")`],
];

for (const [place, options] of PLACES) {
  for (const [what, body] of STUBBORN) {
    test(`an abort ends ${what}, closes what is open and cannot be caught (${place})`, async () => {
      const script = `${HEAD}
        local ok, e, begun
        repeat -- on a busy machine the time may be over before the first turn
          seen = {}
          ok, e = pcall(std.task.with_timeout, 30, function()
            local outer <close> = guard("outer")
            local inner <close> = guard("inner")
            begun = true
            pcall(function() ${body} end)
            note("swallowed")
          end)
        until begun
        return {tostring(e), seen}`;
      const expected = ["task.with_timeout: exceeded 30 ms", ["inner", "outer"]];
      assert.deepEqual(await valueOf(script, options), expected);
    });
  }

  const h6 = "H6 given a loop inside pcall inside coroutine.wrap inside a task, when the signal aborts";
  test(`${h6}, then run.cancelled, and no worker lives (${place})`, async () => {
    // threads of the pool stay: they are there before the watch
    await valueOf("return 1", options);
    const handles = watchHandles();
    const cancel = new AbortController();
    const { run, printed, end } = startLua(`
      std.task.spawn(function()
        coroutine.wrap(function() while true do pcall(function() print("in") while true do end end) end end)()
      end):join()`, { ...options, signal: cancel.signal });
    const printing = new Promise<void>((resolve) => run.on("print", () => resolve()));
    await Promise.race([printing, end]);
    const begun = performance.now();
    cancel.abort();
    const { error } = await end;
    assert.equal(error?.code, "run.cancelled");
    assert.equal(error?.message, "cancelled");
    assert.equal(printed(), "in\n", "pcall caught nothing");
    // the bound of 500 ms is judged by the proofs; here only that it ends
    assert.ok(performance.now() - begun < 20_000);
    await handles.check();
  });

  test(`an aborted task that does not end within 500 ms takes its isle along (${place})`, async () => {
    const { error } = await runLua(`
      pcall(std.task.with_timeout, 200, function()
        local function stuck() local x <close> = setmetatable({}, {__close = stuck}) while true do end end
        local guards = {}
        stuck()
      end)
      return "never"`, options);
    assert.equal(error?.code, "isle.crashed");
  });

  test(`<close> handlers of an aborted task get 100 ms, and bridges refuse there (${place})`, async () => {
    const script = `${HEAD}
      pcall(std.task.with_timeout, 200, function()
        local last <close> = guard("last")
        local endless <close> = setmetatable({}, {__close = function()
          note("begun")
          while true do end
        end})
        local short <close> = setmetatable({}, {__close = function()
          local n = 0
          for i = 1, 200000 do n = n + i end
          note("counted " .. n)
          std.task.sleep(1)
          note("slept")
        end})
        std.task.sleep(60000)
      end)
      return seen`;
    assert.deepEqual(await valueOf(script, options), ["counted 20000100000", "begun", "last"]);
  });
}

test("an aborted task ends before it had its first turn", async () => {
  const script = `${HEAD}
    local h = std.task.spawn(function() note("ran") end)
    h:abort()
    local ok, e = pcall(h.join, h)
    return {tostring(e), e.code, h:is_finished(), seen}`;
  assert.deepEqual(await valueOf(script), ["task aborted", "task.aborted", true, {}]);
});

test("an abort meets a task whose answer has come but was not taken yet", async () => {
  const script = `${HEAD}
    local a, b
    a = std.task.spawn(function() b:abort() note("a") end)
    b = std.task.spawn(function() note("b") end)
    local woken = std.task.spawn(function() std.task.yield() note("woken") end)
    local killer = std.task.spawn(function() woken:abort() end)
    killer:join()
    a:join()
    return {tostring(select(2, pcall(b.join, b))), tostring(select(2, pcall(woken.join, woken))), seen}`;
  assert.deepEqual(await valueOf(script), ["task aborted", "task aborted", ["a"]]);
});

test("a task that aborts itself stops there", async () => {
  const script = `${HEAD}
    local h
    h = std.task.spawn(function()
      local open <close> = guard("closed")
      h:abort()
      pcall(std.task.yield)
      while true do end
    end)
    return {tostring(select(2, pcall(h.join, h))), seen}`;
  assert.deepEqual(await valueOf(script), ["task aborted", ["closed"]]);
});

test("the isle's other tasks live on after an abort", async () => {
  const script = `
    local other = std.task.spawn(function()
      local n = 0
      for _ = 1, 20 do std.task.sleep(2) n = n + 1 end
      return n
    end)
    pcall(std.task.with_timeout, 200, function() while true do end end)
    return {other:join(), std.json.encode({1}), sh.exec("echo alive").stdout}`;
  assert.deepEqual(await valueOf(script), [20, "[1]", "alive\n"]);
});

test("a soft cancel raises task cancelled at each suspension point, which pcall may catch", async () => {
  const script = `${HEAD}
    local points = {
      function() std.task.sleep(60000) end,
      function() std.time.sleep(60) end,
      function() std.task.yield() end,
      function() std.task.checkpoint() end,
      function() coroutine.yield() end,
      function() coroutine.yield(60000) end,
      function() sh.exec("sleep 60") end,
      function() std.task.spawn(function() std.task.sleep(50) end):join() end,
      function() std.task.with_timeout(1000, print) end,
      function() std.task.scope(function() end) end,
      function() coroutine.wrap(function() std.task.sleep(60000) end)() end,
      function() table.sort({2, 1}, function() std.task.sleep(60000) end) end,
    }
    pcall(std.task.scope, function(s)
      s:spawn(function()
        for i, point in ipairs(points) do
          local ok, e = pcall(point)
          seen[i] = tostring(e) .. " " .. tostring(type(e) == "table" and e.code)
        end
      end)
      std.task.sleep(10)
      error("enough")
    end)
    return seen`;
  assert.deepEqual(await valueOf(script), Array.from({ length: 12 }, () => "task cancelled task.cancelled"));
});

test("a soft cancel of a child process ends the process", async () => {
  const script = `
    pcall(std.task.scope, function(s)
      s:spawn(function() sh.exec("exec sleep 61.5") end)
      std.task.sleep(100)
      error("enough")
    end)
    for _ = 1, 100 do
      if sh.exec("ps -eo args | grep -c '^sleep 61[.]5'").stdout == "0\\n" then return "gone" end
      std.task.sleep(20)
    end`;
  assert.equal(await valueOf(script), "gone");
});

test("a task that catches its cancel again and again leaves the others their turns", async () => {
  const script = `
    local beats = 0
    local heart = std.task.spawn(function() for _ = 1, 20 do std.task.sleep(1) beats = beats + 1 end end)
    pcall(std.task.scope, function(s)
      s:spawn(function() while beats < 20 do pcall(std.task.sleep, 60000) end end)
      std.task.sleep(5)
      error("enough")
    end)
    return beats`;
  assert.equal(await valueOf(script), 20);
});

test("<close> runs when a script, a task or a coroutine of an aborted task fails", async () => {
  const { stdout, error } = await runLua(`
    local function guard(text) return setmetatable({}, {__close = function(_, e) print(text, e) end}) end
    local h = std.task.spawn(function() local g <close> = guard("task") error("a", 0) end)
    pcall(h.join, h)
    local g <close> = guard("script")
    error("b", 0)`);
  assert.equal(stdout, "task\ta\nscript\tb\n");
  assert.equal(error?.message,
    "script error: b\nstack traceback:\n\t[C]: in function 'error'\n\ttest.lua:6: in main chunk");
});
