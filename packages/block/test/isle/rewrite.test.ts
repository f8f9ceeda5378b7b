/**
 * Goal: nothing that loops in the rewritten Lua escapes its polls, and no other build is ever rewritten.
 * Method: the stock module is rewritten afresh; loops run with the smallest budget, so that every second tick
 * is a poll.
 */
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { checkStock, loadLuaModule, REWRITTEN_SHA256, sha256,
  stockLuaBytes } from "../../src/isle/lua-module.ts";
import { SLOT } from "../../src/isle/lua/machine.ts";
import { rewrite } from "../../src/isle/wasm/rewrite.ts";
import { bareState, evaluate } from "./bare-state.ts";

const stock = stockLuaBytes();

describe("the rewritten module", () => {
  test("is what its pinned hash says, and the slots are where the VM expects them", () => {
    const { bytes, slots, ticks } = rewrite(stock);
    assert.equal(sha256(bytes), REWRITTEN_SHA256);
    assert.deepEqual(slots, SLOT);
    assert.equal(ticks, 633);
    assert.ok(new WebAssembly.Module(bytes) instanceof WebAssembly.Module);
  });

  test("is made of one build only: any other one is refused with its hash", () => {
    const other = Uint8Array.from(stock);
    other[other.length - 1] = (other.at(-1) as number) ^ 1;
    assert.throws(() => checkStock(other, "/x/glue.wasm"),
      /\/x\/glue\.wasm is not the Lua build .+ \(sha256 [0-9a-f]{64}\)/);
    assert.equal(checkStock(stock, "x"), stock);
  });

  const cut: readonly (readonly [what: string, problem: RegExp,
    change: (bytes: Uint8Array) => Uint8Array])[] = [
    ["an empty module", /no section/, () => Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0)],
    ["a module without its code", /no section/, (bytes) => bytes.subarray(0, 2000)],
  ];
  for (const [what, problem, change] of cut) {
    test(`${what} is refused by the rewriter itself`,
      () => assert.throws(() => rewrite(change(stock)), problem));
  }
});

describe("the cache of the rewritten module", () => {
  const folder = mkdtempSync(join(tmpdir(), "atoll-rewrite-"));
  after(() => rmSync(folder, { recursive: true, force: true }));

  test("a file that was tampered with is not used, and is replaced", () => {
    const cacheFile = join(folder, "deep", "lua.wasm");
    loadLuaModule({ cacheFile });
    const good = readFileSync(cacheFile);
    assert.equal(sha256(good), REWRITTEN_SHA256);
    writeFileSync(cacheFile, "not a module");
    loadLuaModule({ cacheFile });
    assert.deepEqual(readFileSync(cacheFile), good);
  });

  test("a place that cannot be written only costs time", () => {
    assert.ok(loadLuaModule({ cacheFile: "/dev/null/lua.wasm" }).module instanceof WebAssembly.Module);
  });
});

describe("polls", () => {
  const N = 10_000;
  const loops: readonly (readonly [what: string, source: string])[] = [
    ["a numeric for of integers", `for i = 1, ${N} do end`],
    ["a numeric for of floats", `for i = 1.0, ${N} do end`],
    ["while with a comparison", `local i = 0 while i < ${N} do i = i + 1 end`],
    ["while true with break", `local i = 0 while true do i = i + 1 if i == ${N} then break end end`],
    ["repeat until equal to a constant", `local i = ${N} repeat i = i - 1 until i == 0`],
    ["repeat until not less than a constant", `local i = 0 repeat i = i + 1 until i >= ${N}`],
    ["repeat until equal to a variable", `local i, n = 0, ${N} repeat i = i + 1 until i == n`],
    ["repeat until greater than a variable", `local i, n = 0, ${N} repeat i = i + 1 until i > n`],
    ["while not of a variable", `local x, i = false, 0 while not x do i = i + 1 x = i == ${N} end`],
    ["while and-or of variables",
      `local x, i = nil, 0 while (x or true) do i = i + 1 if i == ${N} then break end end`],
    ["goto", `local i = ${N} ::a:: i = i - 1 if i > 0 then goto a end`],
    ["a generic for with pairs", `local t = {} for i = 1, ${N} do t[i] = i end for _ in pairs(t) do end`],
    ["a generic for with a Lua iterator",
      `for i in (function(n, i) i = i + 1 if i < n then return i end end), ${N}, 0 do end`],
    ["calls", `local function f() end for i = 1, ${N} do f() end`],
    ["tail calls", `local function f(n) if n == 0 then return end return f(n - 1) end f(${N})`],
    ["deep recursion", `local function f(n) if n > 0 then f(n - 1) end end f(${N / 10})`],
    ["copying arguments and results of a vararg function", `local function f(...) return ... end
      local function g(...) for i = 1, 20 do f(...) end end g(table.unpack({1}, 1, ${N / 10}))`],
    ["__index functions", `local n = 0 local t = setmetatable({}, {__index = function(t, k) n = n + 1
      if n < 100 then return t[n] end end})
      for i = 1, ${N / 100} do n = 0 local x = t[i] end`],
    ["__eq, __lt and __concat", `local mt = {} mt.__eq = function() return false end
      mt.__lt = mt.__eq mt.__concat = function() return "" end
      local a, b = setmetatable({}, mt), setmetatable({}, mt) for i = 1, ${N} do
        local x = a == b, a < b, a .. b end`],
  ];
  for (const [what, source] of loops) {
    test(`come with each turn of ${what}`, () => {
      const bare = bareState({ ticks: 1 });
      bare.state.x.budget.value = 0;
      const before = bare.polls();
      evaluate(bare, `${source} return 1`);
      assert.ok(bare.polls() - before >= N / 10, `${bare.polls() - before} polls`);
    });
  }

  const library: readonly (readonly [what: string, source: string])[] = [
    ["string.rep of nothing", `local s = ("").rep("", 1e5)`],
    ["string.find of a pattern", `local s = ("a"):rep(100) .. "b" local x = s:find("a-a-c")`],
    ["string.find of plain text", `local x = (("a"):rep(1e5)):find(("a"):rep(50) .. "b", 1, true)`],
    ["string.gsub", `local x = (("a"):rep(1e4)):gsub("a", "b")`],
    ["table.concat", `local t = {} for i = 1, 1e4 do t[i] = "x" end local x = table.concat(t)`],
    ["table.move", `table.move({}, 1, 1e5, 2)`],
    ["table.sort", `local t = {} for i = 1, 1e4 do t[i] = -i end table.sort(t)`],
    ["table.unpack", `local x = select("#", table.unpack({}, 1, 1e5))`],
    ["table.insert at the front", `local t = {} for i = 1, 300 do table.insert(t, 1, i) end`],
    ["string.upper", `local x = (("a"):rep(1e5)):upper()`],
    ["string.reverse", `local x = (("a"):rep(1e5)):reverse()`],
    ["string.byte", `local x = select("#", (("a"):rep(1e5)):byte(1, -1))`],
    ["string.format", `for i = 1, 100 do local x = ("%99.99f"):format(1e300) end`],
    ["string comparison", `local a, b = ("x"):rep(1e5) .. "a", ("x"):rep(1e5) .. "b" local x = a < b`],
    ["string.pack", `local x = ("z"):pack(("x"):rep(1e5))`],
    ["utf8.len", `local x = utf8.len(("x"):rep(1e5))`],
    ["load", `local x = load(("x = 1 "):rep(1e4))`],
    ["tostring of numbers", `for i = 1, 1e4 do local x = tostring(i + 0.5) end`],
    ["next over removed keys",
      `local t = {} for i = 1, 1e5 do t[i] = i end for i = 1, 1e5 do t[i] = nil end local x = next(t)`],
    ["the length of a table",
      `local t = {} for i = 1, 16 do t[i] = i end for i = 1, 1e4 do local x = #t end`],
    ["collectgarbage", `local t = {} for i = 1, 1e4 do t[i] = {} end collectgarbage()`],
  ];
  for (const [what, source] of library) {
    test(`come inside ${what}`, () => {
      const bare = bareState({ ticks: 1 });
      bare.state.x.budget.value = 0;
      const before = bare.polls();
      evaluate(bare, `${source} return 1`);
      assert.ok(bare.polls() - before >= 100, `${bare.polls() - before} polls`);
    });
  }
});
