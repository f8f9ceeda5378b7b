/** What a handler may take along when it moves to the handler isle, row by row (spec: block 4.1). */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import type { Json } from "@atoll-run/core";
import { type ScriptOptions, startLua } from "../support/run-script.ts";

/** What the handler of kind `x` answers; the script registers it and is served. */
async function answer(script: string, o: ScriptOptions = {}): Promise<Json> {
  const { run, end } = startLua(`${script}\nbus.serve()`, o);
  try {
    return await run.request("x", null);
  } finally {
    await run.stop().catch(() => undefined);
    await end;
  }
}

/** What `bus.on` raises for a handler of kind `x`. */
async function refused(before: string, handler: string): Promise<string> {
  const { end, run } = startLua(
    `${before}\nlocal ok, e = pcall(bus.on, "x", ${handler}) return {ok, tostring(e), e.code}`);
  const { error, result } = await end;
  if (result === undefined) throw error;
  const [ok, text, code] = result.value as [boolean, string, string];
  assert.equal(ok, false);
  assert.equal(code, "bus.register");
  await run.result;
  return text;
}

describe("I3 captured values", () => {
  test("I3 given a handler capturing a number, a nested table, std.json and globals in any order, then all are usable", async () => {
    const value = await answer(`
      local t, json, n = {a = {b = {1, 2.5, "x"}}}, std.json, 41
      bus.on("x", function() local s = json.encode(t) print("seen")
        return {n + 1, s, type(bus.emit), tostring(type)} end)`);
    assert.deepEqual((value as Json[]).slice(0, 3), [42, '{"a":{"b":[1,2.5,"x"]}}', "function"]);
  });

  const copied: readonly (readonly [what: string, value: string, seen: string, expected: Json])[] = [
    ["nil", "nil", "v == nil", true], ["a boolean", "true", "v", true],
    ["an integer", "1 << 62", "math.type(v) .. v", "integer4611686018427387904"],
    ["a float", "3.0", "math.type(v) .. v", "float3.0"], ["NaN", "0/0", "v ~= v", true],
    ["infinity", "-math.huge", "v", "-inf"],
    ["bytes", `"\\0\\xff\\u{1F30A}"`, "#v .. v:byte(2)", "6255"],
    ["the null of SQL", "std.sql.null", "v == std.sql.null", true],
    ["an empty table", "{}", "next(v) == nil", true],
    ["a mixed table", `{1, 2, k = {true}, [3.5] = "f", [false] = 0}`,
      `v[2] .. tostring(v.k[1]) .. v[3.5] .. v[false]`, "2truef0"],
    ["a decoded list", `std.json.decode("[]")`, "std.json.encode(v)", "[]"],
    ["a table with bridges in it", "{f = std.json.encode, b = bus}",
      "v.f({}) .. type(v.b.emit)", "{}function"],
  ];
  for (const [what, value, seen, expected] of copied) {
    test(`${what} is copied by value`, async () => {
      const shown = expected === "-inf" ? `tostring(${seen})` : seen;
      assert.equal(await answer(`local v = ${value} bus.on("x", function() return ${shown} end)`), expected);
    });
  }

  const paths: readonly (readonly [name: string, check: string])[] = [
    ["std", "v.json.encode({})"], ["std.json", "v.encode({})"], ["std.json.encode", "v({})"],
    ["string.format", `v("%s", "{}")`],
    ["print", "type(v) == 'function' and '{}'"], ["coroutine", "type(v.wrap) == 'function' and '{}'"],
    ["tool", "type(v.call) == 'function' and '{}'"],
    ["tool.call", "type(v) == 'function' and '{}'"],
    ["std.task.spawn", "v(function() return '{}' end):join()"], ["require", "v('string') == string and '{}'"],
  ];
  for (const [name, check] of paths) {
    test(`${name} is found again by its path`, async () => {
      assert.equal(await answer(`local v = ${name} bus.on("x", function() return ${check} end)`), "{}");
    });
  }

  test("later writes stay in the handler isle", async () => {
    const { run, end } = startLua(`
      local n, t = 0, {0}
      bus.on("x", function() n = n + 1 t[1] = t[1] + 1 return {n, t[1]} end)
      bus.on("main", function() return {n, t[1]} end, {isle = "main"})
      n = 100
      bus.serve()`);
    assert.deepEqual(await run.request("x", null), [1, 1]);
    assert.deepEqual(await run.request("x", null), [2, 2]);
    assert.deepEqual(await run.request("main", null), [100, 0]);
    await run.stop();
    await end;
  });

  test("a table may be 128 levels deep", async () => {
    const deep = (n: number): string => `local v = {} for i = 2, ${n} do v = {v} end
      bus.on("x", function() local n = 0 while v do n = n + 1 v = v[1] end return n end)`;
    assert.equal(await answer(deep(128)), 128);
    const { end } = startLua(deep(129));
    assert.match((await end).error?.message ?? "", /captures 'v' \(table\), which cannot move/);
  });

  test("globals are those of the handler isle, in whatever slot they are", async () => {
    const value = await answer(`
      local v = 7
      G = "main"
      bus.on("x", function() local a = v G = (G or "handler") return G .. a end)`);
    assert.equal(value, "handler7");
  });

  test("a required module and a function of it are found by the module's name", async () => {
    const projectRoot = mkdtempSync(join(tmpdir(), "atoll-captures-"));
    try {
      writeFileSync(join(projectRoot, "helper.lua"),
        "local M = {} local n = 0 function M.up() n = n + 1 return n end return M");
      const script = (fn: string): string =>
        `local helper = require("helper") local up = helper.up bus.on("x", ${fn})`;
      assert.equal(await answer(script("function() return helper.up() + up() end"), { projectRoot }), 3);
      assert.equal(await answer(script("helper.up"), { projectRoot }), 1);
    } finally {
      rmSync(projectRoot, { recursive: true });
    }
  });
});

describe("I4 what cannot move", () => {
  const text = (name: string, type: string): string =>
    `bus.on: handler for 'x' captures '${name}' (${type}), which cannot move to the handler isle; capture plain data, or pass {isle="main"}`;
  const rows: readonly (readonly [what: string, value: string, type: string])[] = [
    ["an open file", `io.tmpfile and io.open("scratch", "w")`, "userdata"],
    ["a coroutine", "coroutine.create(print)", "thread"],
    ["a table with a metatable", "setmetatable({}, {})", "table"],
    ["a table with a cycle", "{} v.v = v", "table"],
    ["a function of its own", "function() end", "function"],
    ["a table with a function of its own", "{function() end}", "function"],
    ["a function put into a library", "nil string.mine = function() end v = string.mine", "function"],
  ];
  for (const [what, value, type] of rows) {
    test(`${what} is refused with its name and type`, async () => {
      assert.equal(await refused(`local v = ${value}`, "function() return v end"), text("v", type));
    });
  }

  test("I4 with isle = main an open file works and a captured counter rises", async () => {
    const { run, end } = startLua(`
      local f, n = assert(io.open("counted.txt", "w")), 0
      bus.on("x", function() n = n + 1 f:write(n) f:flush() return n end, {isle = "main"})
      bus.serve()
      f:close()
      return io.open("counted.txt"):read("a")`);
    for (const expected of [1, 2, 3]) assert.equal(await run.request("x", null), expected);
    await run.stop();
    assert.equal((await end).result?.value, "123");
  });

  test("C functions and bridges are no handlers", async () => {
    const pure = "bus.on: handler must be a pure Lua function (C functions and Rust-bound callbacks are not supported)";
    for (const fn of ["print", "string.format", "bus.emit", "tool.call", "std.time.measure"]) {
      assert.equal(await refused("", fn), pure);
    }
  });

  test("mesh.on and bus.on_any say their own names", async () => {
    const { end } = startLua(`
      local f = io.open("scratch", "w")
      local fn = function() return f end
      return {tostring(select(2, pcall(mesh.on, fn))), tostring(select(2, pcall(bus.on_any, fn)))}`);
    const { result } = await end;
    assert.ok(result !== undefined);
    const [mesh, any] = result.value as [string, string];
    assert.match(mesh, /^mesh\.on: handler for 'mesh' captures 'f' \(userdata\)/);
    assert.match(any, /^bus\.on_any: handler for '__on_any' captures 'f' \(userdata\)/);
  });

  test("tables that share their parts are bounded by memory, and told so", async () => {
    const { end } = startLua(`
      local v = {} for i = 1, 100 do v = {v, v} end
      local ok, e = pcall(bus.on, "x", function() return v end)
        return tostring(e)`, { limits: { isleBytesMax: 16 << 20 } });
    assert.equal((await end).result?.value, "not enough memory");
  });
});
