/** How isles end, restart and share a thread (spec: block 4, "isle kill", "crash", "shared placement"). */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { until } from "@atoll-run/testkit";
import type { HostTool } from "../../src/config.ts";
import { createIslePool } from "../../src/isle/host/pool.ts";
import { runLua, startLua, valueOf } from "../support/run-script.ts";
import { luaModule } from "./bare-state.ts";

const tool = (name: string, handler: HostTool["handler"]): HostTool => ({ name, description: "",
  input_schema: {}, handler });

/** Starts a script that calls `begun`, cancels it then, and gives how long its end took. */
async function cancelled(source: string, o: Parameters<typeof startLua>[1] = {}): Promise<number> {
  let at = 0;
  const begun = tool("begun", () => {
    at = performance.now();
    setTimeout(() => run.cancel(), 20);
  });
  const { run, end } = startLua(`tool.call("begun"); ${source}`, { ...o, hostTools: [begun] });
  assert.equal((await end).error?.code, "run.cancelled");
  return performance.now() - at;
}

describe("a cancel", () => {
  test("H6 given a loop inside pcall inside coroutine.wrap inside a task, when the signal aborts, then run.cancelled", async () => {
    const abort = new AbortController();
    const begun = tool("begun", () => abort.abort());
    const { end } = startLua(`
      std.task.spawn(function() coroutine.wrap(function() tool.call("begun") while true do
        pcall(function() while true do end end) end end)() end):join()`,
    { signal: abort.signal, hostTools: [begun] });
    assert.equal((await end).error?.code, "run.cancelled");
  });

  test("I2 given a catastrophic pattern match, when cancelled, then the run settles", async () => {
    await cancelled(`(("a"):rep(40)):find(("a*"):rep(20) .. "b")`);
  });

  test("lets what is open close itself first, in nested coroutines too, within its soft time", async () => {
      const { run, end } = startLua(`
      local function closing(n) return setmetatable({}, {__close = function() print(n) end}) end
      local a <close> = closing("script")
      coroutine.wrap(function() local b <close> = closing("coroutine") tool.call("begun") while true do
        end end)()`,
    { hostTools: [tool("begun", () => void setTimeout(() => run.cancel(), 10))] });
    assert.equal((await end).stdout, "coroutine\nscript\n");
  });

  test("the same on a shared thread", async () => {
    await using pool = createIslePool(luaModule(), { max: 2 });
    const { run, end } = startLua(`
      local a <close> = setmetatable({}, {__close = function() print("closed") end})
      tool.call("begun") while true do end`, { hostTools: [tool("begun", () => void setTimeout(() => run.cancel(), 10))], placing: pool });
    assert.equal((await end).stdout, "closed\n");
  });

  test("that is caught again and again ends the isle all the same", async () => {
    await cancelled(`while true do xpcall(function() while true do end end, function() while true do end
      end) end`);
    await cancelled(`local function again() local x <close> = setmetatable({}, {__close = again})
      while true do end end again()`);
  });
});

describe("a handler isle", () => {
  test("I5 given one killed by a fault, when the next event comes, then it is handled and the earlier one was nacked", async () => {
    const { run, end, log } = startLua(`
      bus.on("die", function() local function f()
        local x <close> = setmetatable({}, {__close = f}) while true do end end f() end, {timeout_ms = 50})
      bus.on("live", function() return "alive" end)
      bus.serve()`);
    assert.equal(await run.request("live", null), "alive");
    await assert.rejects(run.request("die", null), { code: "bus.timeout" });
    assert.equal(await run.request("live", null), "alive");
    await run.stop();
    assert.equal((await end).result?.outcome, "stopped");
    assert.ok(log.length > 0);
  });

  test("is restarted with the handlers it had, 3 times in 60 s, then the run fails", async () => {
    const restarts: string[] = [];
    const { run, end } = startLua(`
      bus.on("die", function() while true do end end)
      bus.on("live", function() return "alive" end)
      bus.serve()`, { limits: { sliceMsMax: 60 } });
    run.on("isle:restarted", ({ why }) => restarts.push(why));
    await run.ready;
    for (let i = 0; i < 3; i++) {
      await assert.rejects(run.request("die", null), { code: "isle.timeout" });
      await until(() => restarts.length === i + 1);
      assert.equal(await run.request("live", null), "alive");
    }
    await assert.rejects(run.request("die", null));
    const { error } = await end;
    assert.equal(error?.code, "isle.timeout");
  });

  test("that dies of memory nacks its event with the reason", async () => {
    const { run, end } = startLua(`
      bus.on("hog", function() local t = {} for i = 1, 1e9 do t[i] = i end end)
      bus.serve()`, { limits: { isleBytesMax: 16 << 20 } });
    await assert.rejects(run.request("hog", null), { message: /not enough memory/ });
    await run.stop();
    await end;
  });
});

describe("a task that is aborted", () => {
  test("and does not end in time takes its isle along", async () => {
    const { error } = await runLua(`
      local function again() local x <close> = setmetatable({}, {__close = again}) while true do end end
      local t = std.task.spawn(function()
        local x <close> = setmetatable({}, {__close = again}) std.task.sleep(60000) end)
      std.task.yield()
      t:abort()
      while true do std.task.yield() end`, { limits: { taskAbortMsMax: 100 } });
    assert.equal(error?.code, "isle.crashed");
    assert.match(error.message, /did not end after its abort/);
  });
});

describe("limits", () => {
  test("CPU time counts, waiting does not", async () => {
    const value = await valueOf(`for i = 1, 20 do std.task.sleep(10) end return os.clock() < 0.1`,
      { limits: { cpuMsMax: 150 } });
    assert.equal(value, true);
  });

  test("CPU time of many short turns is counted together", async () => {
    const { error } = await runLua(`while true do for i = 1, 1e4 do end std.task.yield() end`,
      { limits: { cpuMsMax: 100 } });
    assert.equal(error?.code, "isle.timeout");
    assert.match(error.message, /^limit error: CPU time over 100 ms/);
  });

  test("CPU time of a run is that of all its isles together", async () => {
    const burn = `local t0 = os.clock() while os.clock() - t0 < 0.15 do end return true`;
    const { run, end } = startLua(`
      bus.on("work", function() ${burn} end) bus.on("own", function() ${burn} end, {isle = "main"})
      bus.serve()`, { limits: { cpuMsMax: 530 } });
    // either alone would come to the limit with its fourth
    const codes: string[] = [];
    for (const kind of ["work", "own", "work", "own"]) {
      codes.push(await run.request(kind, null).then(() => "", (error: { code: string }) => error.code));
    }
    assert.deepEqual([codes[0], codes[1], codes.at(-1)], ["", "", "isle.timeout"], String(codes));
    const { error } = await end;
    assert.deepEqual([error?.code, error?.facts], ["isle.timeout", { limit: "cpuMsMax" }]);
  });

  test("CPU time of a run that is over in its handler isle ends the run: no isle can be had that has any left", async () => {
    const restarts: string[] = [];
    const { run, end } = startLua(`
      bus.on("die", function() while true do end end)
      print(pcall(bus.serve))`, { limits: { cpuMsMax: 80 } });
    run.on("isle:restarted", ({ why }) => restarts.push(why));
    await assert.rejects(run.request("die", null), { code: "isle.timeout", message: "limit error: CPU time over 80 ms" });
    const { error, stdout } = await end;
    assert.deepEqual([error?.code, error?.message, error?.retry], ["isle.timeout", "limit error: CPU time over 80 ms", "never"]);
    assert.deepEqual([restarts, stdout], [[], ""]);
  });

  test("wall time is over although everything waits", async () => {
    const { error } = await runLua(`std.task.sleep(60000)`, { limits: { wallMsMax: 50 } });
    assert.equal(error?.code, "isle.timeout");
    assert.match(error.message, /^limit error: wall time over 50 ms/);
  });

  test("a slice without giving way is bounded in a thread of its own, and giving way begins a new one",
    async () => {
    const { error } = await runLua(`while true do end`, { limits: { sliceMsMax: 60 } });
    assert.equal(error?.code, "isle.timeout");
    assert.match(error.message, /60 ms of CPU without giving way/);
    const loop = `for i = 1, 10 do local t0 = os.clock() while os.clock() - t0 < 0.02 do end
      std.task.yield() end return "done"`;
    assert.equal(await valueOf(loop, { limits: { sliceMsMax: 100 } }), "done");
  });
});

describe("a shared thread", () => {
  test("events that come while an isle is suspended in the middle of its work are handled after it, and nothing is broken", async () => {
    await using pool = createIslePool(luaModule(), { max: 2 });
    const { run, end } = startLua(`
      local n = 0
      bus.on("x", function(ev) n = n + 1 return {n, #ev.payload} end, {isle = "main"})
      local work = std.task.spawn(function()
        -- allocation, collection and string work: a poll may come anywhere in it
        local sum = 0
        for i = 1, 60 do
          local t = {}
          for j = 1, 3000 do t[j] = ("k" .. j):rep(3) end
          table.sort(t)
          sum = sum + #table.concat(t)
          collectgarbage("step")
          std.task.yield()
        end
        return sum
      end)
      bus.serve()
      return work:join()`, { placing: pool });
    const answers = await Promise.all(Array.from({ length: 60 },
      (_, i) => run.request("x", "y".repeat(i * 100))));
    assert.deepEqual(answers, Array.from({ length: 60 }, (_, i) => [i + 1, i * 100]));
    await run.stop();
    assert.equal((await end).result?.value, 60 * 3 * (9 * 2 + 90 * 3 + 900 * 4 + 2001 * 5));
  });

  test("busy isles share it: all of them end, and none is over its slice", async () => {
    await using pool = createIslePool(luaModule(), { max: 2 });
    const busy = `local s = 0 for i = 1, 3e6 do s = s + i % 7 end return s`;
    const values = await Promise.all(Array.from({ length: 6 },
      () => valueOf(busy, { placing: pool, limits: { sliceMsMax: 100 } })));
    assert.equal(new Set(values).size, 1);
  });

  test("an isle that dies there leaves the others alone", async () => {
    await using pool = createIslePool(luaModule(), { max: 2 });
    const { run, end } = startLua(`bus.on("x", function() return 1 end, {isle = "main"}) bus.serve()`,
      { placing: pool });
    assert.equal(await run.request("x", null), 1);
    for (const source of [`while true do end`, `local t = {} for i = 1, 1e9 do t[i] = i end`, `error("x")`,
      `os.exit(3)`]) {
      await runLua(source, { placing: pool, limits: { cpuMsMax: 100, isleBytesMax: 16 << 20 } });
      assert.equal(await run.request("x", null), 1, source);
    }
    await run.stop();
    await end;
  });
});
