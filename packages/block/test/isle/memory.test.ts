/**
 * The memory cap of an isle: what Lua takes, and what the host holds for it (spec: block 4, "memory, time").
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Json } from "@atoll-run/core";
import type { HostTool } from "../../src/config.ts";
import { runLua, startLua, valueOf } from "../support/run-script.ts";

const MIB = 1 << 20;
const limits = { isleBytesMax: 32 * MIB };
const tool = (name: string, handler: HostTool["handler"]): HostTool => ({ name, description: "",
  input_schema: {}, handler });

describe("the memory cap", () => {
  test("I1 given a 32 MiB cap, when a string doubles for ever, then isle.memory and the process grew by less than 96 MiB", async () => {
    await runLua("return 1", { limits });
    const before = process.memoryUsage().rss;
    const { error } = await runLua(`local s = "x" while true do s = s .. s end`, { limits });
    assert.equal(error?.code, "isle.memory");
    assert.match(error.message, /^limit error: not enough memory/);
    // its highest, not what is left of it
    const grown = process.resourceUsage().maxRSS * 1_024 - before;
    assert.ok(grown < 96 * MIB, `${Math.round(grown / MIB)} MiB`);
  });

  const hogs: readonly (readonly [what: string, source: string])[] = [
    ["string.rep", `("x"):rep(1 << 30)`],
    ["string.format", `("%s"):rep(1e6):format(table.unpack({}, 1, 1e6))`],
    ["table.concat", `local t = {} for i = 1, 1000 do t[i] = ("x"):rep(1e5) end return table.concat(t)`],
    ["a table", `local t = {} for i = 1, 1e9 do t[i] = i end`],
    ["gsub", `(("x"):rep(1e6)):gsub(".", ("y"):rep(1e3))`],
    ["string.pack", `local s = ("x"):rep(1e7) return ("s8s8s8s8"):pack(s, s, s, s)`],
    ["utf8.char", `utf8.char(table.unpack({}, 1, 1e8))`],
    ["json.encode", `local s, t = ("x"):rep(1e6), {} for i = 1, 100 do t[i] = s end
      return std.json.encode(t)`],
    ["json.decode", `std.json.decode("[" .. ("[],"):rep(2e6) .. "1]")`],
    ["an argument of a bridge",
      `local s, t = ("x"):rep(1e6), {} for i = 1, 100 do t[i] = s end bus.emit("x", t)`],
    ["std.string.pad_start", `std.string.pad_start("x", 1 << 30)`],
    ["std.string.split", `std.string.split(("a"):rep(5e6), "a")`],
    ["std.string.replace_all", `std.string.replace_all(("a"):rep(1e6), "a", ("b"):rep(1e3))`],
    ["std.string.chars", `std.string.chars(("a"):rep(5e6))`],
  ];
  for (const [what, source] of hogs) {
    test(`is an error that the script can catch in ${what}, and it goes on`, async () => {
      const value = await valueOf(`
        local ok, e = pcall(function() ${source} end)
        local t = {} for i = 1, 1000 do t[i] = {i} end
        return {ok, tostring(e), #t}`, { limits });
      const [ok, text, after] = value as [boolean, string, number];
      assert.equal(ok, false);
      assert.match(text, /not enough memory|string length overflow|resulting string too large|too many results to unpack|string slice too long|too long/);
      assert.equal(after, 1000);
    });
  }

  test("counts what the host holds: many large arguments under way", async () => {
    let open = 0;
    const released = Promise.withResolvers<null>();
    const slow = tool("slow", () => {
      open++;
      return released.promise;
    });
    const release = tool("release", () => {
      released.resolve(null);
      return null;
    });
    const value = await valueOf(`
      local s = ("x"):rep(4 << 20)
      local failed, tasks = 0, {}
      for i = 1, 20 do tasks[i] = std.task.spawn(function() local ok, e = pcall(tool.call, "slow", s)
        if not ok then failed = failed + 1 end end) end
      std.task.yield()
      tool.call("release")
      for i = 1, 20 do tasks[i]:join() end
      return failed`, { limits, hostTools: [slow, release] });
    assert.ok((value as number) >= 13, `${String(value)} were refused`);
    assert.ok(open <= 7, `${open} were let through`);
  });

  test("counts an answer before it is taken: one that does not fit is an error, the next one comes",
    async () => {
    const give = tool("give", (n) => "x".repeat(n as number));
    const value = await valueOf(`
      local ok, e = pcall(tool.call, "give", 40 << 20)
      return {ok, tostring(e), #tool.call("give", 1 << 20)}`, { limits, hostTools: [give] });
    assert.deepEqual(value, [false, "not enough memory", MIB]);
  });

  test("an event that does not fit is nacked, and the next one is handled", async () => {
    const { run, end } = startLua(`bus.on("x", function(ev) return #ev.payload end) bus.serve()`, { limits });
    await assert.rejects(run.request("x", "x".repeat(40 * MIB)), { message: "not enough memory" });
    assert.equal(await run.request("x", "abc"), 3);
    await run.stop();
    await end;
  });

  test("globals that do not fit end the run with isle.memory before it begins", async () => {
    const { error } = await runLua("return 1",
      { limits, globals: { BIG: Array.from({ length: 3e6 }, () => []) as unknown as Json } });
    assert.equal(error?.code, "isle.memory");
  });

  test("what was held is let go of: a hundred calls of a megabyte", async () => {
    const echo = tool("echo", (x) => x);
    const value = await valueOf(`
      local s = ("x"):rep(1 << 20)
      for i = 1, 100 do assert(#tool.call("echo", s) == 1 << 20) end
      return true`, { limits, hostTools: [echo] });
    assert.equal(value, true);
  });

  test("a cap that is hit again and again in a loop ends with the CPU limit, not with the host", async () => {
    const { error } = await runLua(`while true do pcall(string.rep, "x", 1 << 30) pcall(function()
      local t = {} for i = 1, 1e9 do t[i] = i end end) end`,
      { limits: { ...limits, cpuMsMax: 300 } });
    assert.equal(error?.code, "isle.timeout");
  });
});

describe("ended tasks", () => {
  test("10,000 tasks that have ended leave nothing behind", async () => {
    const [before, after] = await valueOf(`
      local function many(n)
        for i = 1, n do std.task.spawn(function() std.task.yield() return {} end):join() end
        collectgarbage() collectgarbage()
        return collectgarbage("count")
      end
      many(500)
      return {many(500), many(10000)}`) as [number, number];
    assert.ok(after < before * 1.1 + 16, `${before} KiB, then ${after} KiB`);
  });

  test("nor do 10,000 handled events, callbacks and failed calls", async () => {
    const { run, end } = startLua(`
      bus.on("x", function(ev) pcall(http.request, "bad", {on_data = function() end})
        pcall(sh.exec) return 1 end)
      bus.on("count", function() collectgarbage() collectgarbage() return collectgarbage("count") end)
      bus.serve()`);
    for (let i = 0; i < 200; i++) await run.request("x", i);
    const before = await run.request("count", null) as number;
    for (let i = 0; i < 3000; i++) await run.request("x", i);
    const after = await run.request("count", null) as number;
    assert.ok(after < before * 1.1 + 16, `${before} KiB, then ${after} KiB`);
    await run.stop();
    await end;
  });

  test("nor do handlers that were replaced", async () => {
    const { run, end } = startLua(`
      local function many(n)
        for i = 1, n do bus.on("x", function() return i end) bus.on("y", function()
          return i end, {isle = "main"}) end
        collectgarbage() collectgarbage()
        return collectgarbage("count")
      end
      many(100)
      local a, b = many(100), many(2000)
      bus.on("mine", function() return {a, b} end, {isle = "main"})
      bus.serve()`);
    const [before, after] = await run.request("mine", null) as [number, number];
    assert.equal(await run.request("x", null), 2000);
    assert.equal(await run.request("y", null), 2000);
    assert.ok(after < before * 1.1 + 16, `${before} KiB, then ${after} KiB`);
    await run.stop();
    await end;
  });
});
