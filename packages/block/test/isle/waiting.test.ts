/**
 * Goal: a wait works wherever a script can call a function, and whoever cannot wait is told so (spec: block
 * 4, "no-yield places", "cancel signal").
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { until } from "@atoll-run/testkit";
import type { HostTool } from "../../src/config.ts";
import { createIslePool } from "../../src/isle/host/pool.ts";
import { type ScriptOptions, runLua, startLua, valueOf } from "../support/run-script.ts";
import { luaModule } from "./bare-state.ts";

const tool = (name: string, handler: HostTool["handler"]): HostTool => ({ name, description: "",
  input_schema: {}, handler });
/** Answers a number with that number, later. */
const ask = tool("ask", (n) => new Promise((resolve) => setTimeout(() => resolve(n), 2)));
const never = tool("never", () => new Promise(() => undefined));

async function shared<T>(use: (o: ScriptOptions) => Promise<T>): Promise<T> {
  await using pool = createIslePool(luaModule(), { max: 2 });
  return await use({ placing: pool });
}

describe("no-yield places", () => {
  const places: readonly (readonly [what: string, source: string])[] = [
    ["a sort comparator",
      `local t = {3, 1, 2} table.sort(t, function(a, b) return ask(a) < ask(b) end) return t`],
    ["a gsub callback", `local s = ("123"):gsub("%d", function(d) return ask(tonumber(d)) end)
      return {tonumber(s:sub(1, 1)), 2, 3}`],
    ["__index", `local t = setmetatable({}, {__index = function(_, k) return ask(k) end})
      return {t[1], t[2], t[3]}`],
    ["__newindex", `local s = {} local t = setmetatable({}, {__newindex = function(_, k, v) s[k] = ask(v) end}) t[1], t[2], t[3] = 1, 2, 3 return s`],
    ["__lt", `local mt = {__lt = function(a, b) return ask(a.n) < ask(b.n) end} local t = {}
      for i, n in ipairs{3, 1, 2} do t[i] = setmetatable({n = n}, mt) end table.sort(t)
        return {t[1].n, t[2].n, t[3].n}`],
    ["__tostring", `local o = setmetatable({}, {__tostring = function()
      return "n" .. ask(1) end}) return {#tostring(o) - 1, 2, 3}`],
    ["__len", `local o = setmetatable({}, {__len = function() return ask(3) end}) return {1, 2, #o}`],
    ["__concat", `local o = setmetatable({}, {__concat = function(_, s) return ask(2) end})
      return {1, o .. "", 3}`],
    ["__call", `local o = setmetatable({}, {__call = function(_, n) return ask(n) end})
      return {o(1), o(2), o(3)}`],
    ["__close", `local r = {} do local x <close> = setmetatable({}, {__close = function()
      r[1] = ask(1) end}) end return {r[1], 2, 3}`],
    ["a generic for", `local r = {} for i in function(_, i) i = ask((i or 0) + 1)
      return i <= 3 and i or nil end do r[#r + 1] = i end return r`],
    ["the reader of load", `local parts = {"return {1, ", "2, 3}"} local i = 0
      return load(function() i = ask(i + 1) return parts[i] end)()`],
    ["a message handler of xpcall",
      `local r = {} xpcall(error, function() r[1] = ask(1) end) return {r[1], 2, 3}`],
    ["__gc", `local r = {} setmetatable({}, {__gc = function()
      r[1] = ask(1) end}) collectgarbage() return {r[1], 2, 3}`],
    ["a coroutine that is closed", `local r = {} local co = coroutine.create(function()
      local x <close> = setmetatable({}, {__close = function() r[1] = ask(1) end}) coroutine.yield() end)
      coroutine.resume(co) coroutine.close(co) return {r[1], 2, 3}`],
  ];
  const prefix = `local function ask(n) return tool.call("ask", n) end\n`;
  for (const [what, source] of places) {
    test(`a wait in ${what} waits`,
      async () => assert.deepEqual(await valueOf(prefix + source, { hostTools: [ask] }), [1, 2, 3]));
  }

  test("the same on shared threads", async () => shared(async (o) => {
    for (const [what, source] of places) {
      assert.deepEqual(await valueOf(prefix + source, { ...o, hostTools: [ask] }), [1, 2, 3], what);
    }
  }));

  test("a sleep there takes its time, and tasks go on afterwards", async () => {
    const [early, slept, other] = await valueOf(`
      local other = 0
      std.task.spawn(function() other = other + 1 end)
      local t0 = std.time.now()
      local _ = ("x"):gsub("x", function() std.time.sleep(0.05) end)
      local slept = std.time.now() - t0
      local early = other
      std.task.yield()
      return {early, slept >= 0.0499, other}`) as unknown[];
    assert.deepEqual([early, slept, other], [0, true, 1]);
  });

  test("what only this isle itself could answer is refused at once", async () => {
    const value = await valueOf(`
      local t = std.task.spawn(function() return 1 end)
      local e
      local _ = ("x"):gsub("x", function() e = select(2, pcall(t.join, t)) end)
      return {e.code, tostring(e), t:join()}`);
    assert.deepEqual(value, ["isle.would_block",
      "runtime error: isle would block: the answer must come from this isle itself", 1]);
  });

  test("in shared placement such a wait is bounded, and the co-tenants go on",
    async () => shared(async (o) => {
    const { run, end } = startLua(`bus.on("x", function() return 1 end, {isle = "main"}) bus.serve()`, o);
    await run.request("x", null);
    const value = await valueOf(`
      local e local _ = ("x"):gsub("x", function() e = select(2, pcall(tool.call, "never")) end)
        return {e.code, tostring(e)}`,
    { ...o, hostTools: [never], limits: { syncWaitMsMax: 50 } });
    assert.deepEqual(value, ["isle.would_block",
      "runtime error: isle would block: a wait that cannot yield takes at most 50 ms here"]);
    assert.equal(await run.request("x", null), 1);
    await run.stop();
    await end;
  }));

  test("a cancel of the run ends such a wait, and the host learns of it", async () => {
    let told = 0;
    const waits = tool("waits", (_, { signal }) => new Promise((_resolve, reject) => {
      signal.addEventListener("abort", () => reject(new Error(`${++told}`)));
      run.cancel();
    }));
    const { run, end } = startLua(`local _ = ("x"):gsub("x", function() tool.call("waits") end)`,
      { hostTools: [waits] });
    assert.equal((await end).error?.code, "run.cancelled");
    await until(() => told === 1);
  });

  test("the deadline of a handler ends such a wait", async () => {
    const { run, end } = startLua(`
      bus.on("x", function() local _ = ("x"):gsub("x", function()
        tool.call("never") end) end, {timeout_ms = 50})
      bus.on("y", function() return 2 end)
      bus.serve()`, { hostTools: [never] });
    await assert.rejects(run.request("x", null), { code: "bus.timeout", message: "handler timeout" });
    assert.equal(await run.request("y", null), 2);
    await run.stop();
    await end;
  });

  test("a function that the host would call back from there is refused", async () => {
    const value = await valueOf(`
      local e local _ = ("x"):gsub("x", function() e = select(2,
        pcall(http.request, "http://127.0.0.1:9/", {on_data = print})) end)
      return e.code`);
    assert.equal(value, "isle.would_block");
  });
});

describe("coroutines", () => {
  test("a wait in pcall in 64 nested coroutines suspends only its task", async () => {
    const value = await valueOf(`
      local others = 0
      local other = std.task.spawn(function() for i = 1, 5 do std.task.yield() others = others + 1 end end)
      local function nest(n)
        if n == 0 then return tool.call("ask", 7) end
        local co = coroutine.wrap(function() local ok, v = pcall(nest, n - 1) return v end)
        return co()
      end
      local got = nest(64)
      other:join()
      return {got, others}`, { hostTools: [ask] });
    assert.deepEqual(value, [7, 5]);
  });

  test("an answer that comes while its task gives way on its way out of coroutines is not lost", async () => {
    const now = tool("now", (n) => n);
    const value = await shared((o) => valueOf(`
      local function nest(n, i)
        if n == 0 then return tool.call("now", i) end
        return coroutine.wrap(function() return nest(n - 1, i) end)()
      end
      local lost = 0
      for i = 1, 300 do if nest(60, i) ~= i then lost = lost + 1 end end
      return lost`, { ...o, hostTools: [now] }));
    assert.equal(value, 0);
  });

  test("what was printed and logged is there while its task waits for a time", async () => {
    const { log, printed, run, end } = startLua(`print("before") log.info("line") print("after") std.task.sleep(3600)`);
    await until(() => printed() === "before\nafter\n" && log.some(({ msg }) => msg === "line"));
    run.cancel();
    assert.equal((await end).error?.code, "run.cancelled");
  });

  test("generators and waits go together, in any order", async () => {
    const value = await valueOf(`
      local function numbers(n) return coroutine.wrap(function() for i = 1, n do
        coroutine.yield(tool.call("ask", i)) end end) end
      local sum = 0
      local tasks = {}
      for t = 1, 10 do tasks[t] = std.task.spawn(function() for i in numbers(t) do sum = sum + i end
        return t end) end
      for t = 1, 10 do assert(tasks[t]:join() == t) end
      return sum`, { hostTools: [ask] });
    assert.equal(value, 220);
  });

  test("an error of the host inside is an error there, and the coroutine is dead", async () => {
    const value = await valueOf(`
      local co = coroutine.create(function() return tool.call("none") end)
      local ok, e = coroutine.resume(co)
      return {ok, e.code, tostring(e), coroutine.status(co)}`);
    assert.deepEqual(value, [false, "tool.not_found", "tool not found: none", "dead"]);
  });

  test("a coroutine that waits belongs to its task: another one can neither resume nor close it",
    async () => {
    const value = await valueOf(`
      local co
      local t = std.task.spawn(function() co = coroutine.create(function() return
        tool.call("ask", 5) end) return select(2, coroutine.resume(co)) end)
      std.task.yield()
      local a = {coroutine.status(co), select(2, coroutine.resume(co)), select(2, pcall(coroutine.close, co))}
      a[#a + 1] = t:join()
      a[#a + 1] = coroutine.status(co)
      return a`, { hostTools: [ask] });
    assert.deepEqual(value, ["normal", "cannot resume non-suspended coroutine",
      "cannot close a normal coroutine", 5, "dead"]);
  });

  test("values, errors and states of coroutines are those of Lua 5.4", async () => {
    const ran = await runLua(`
      local co = coroutine.create(function(a, ...) print(a, select("#", ...)) print(coroutine.yield(1, nil)) return 2, nil, 3 end)
      print(coroutine.resume(co, "a", nil, nil)) print(coroutine.resume(co, nil, "b")) print(coroutine.resume(co)) print(coroutine.status(co))
      print(pcall(coroutine.wrap(function() error({}) end)) == false,
        pcall(coroutine.wrap(function() error("x", 0) end)))
      print(select(2, pcall(coroutine.wrap(function() error("at") end))), select(2,
        pcall(function() coroutine.wrap(function() error("at") end)() end)))
      print(coroutine.isyieldable(), coroutine.close(coroutine.create(print)), type(coroutine.running()))
      print(select(2, pcall(coroutine.resume, 1)), select(2, pcall(coroutine.close, (coroutine.running()))))
      print(select(2, pcall(function() coroutine.wrap() end)), select(2, pcall(function() pcall() end)))`);
    const stdout = ran.stdout.replace(/test\.lua:\d+:/g, "here:");
    assert.deepEqual(stdout.split("\n").slice(0, 7), [
      "a\t2", "true\t1\tnil", "nil\tb", "true\t2\tnil\t3", "false\tcannot resume dead coroutine", "dead",
      "true\tfalse\tx",
    ]);
    assert.equal(stdout.split("\n")[7], "here: at\there: here: at");
    assert.equal(stdout.split("\n")[8], "true\ttrue\tthread");
    assert.equal(stdout.split("\n")[9],
      "bad argument #1 to 'resume' (thread expected, got number)\tcannot close a running coroutine");
    assert.equal(stdout.split("\n")[10],
      "here: bad argument #1 to 'wrap' (function expected, got nil)\there: bad argument #1 to 'pcall' (value expected)");
  });
});
