/** Bytecode that no compiler made. */
import { ends, type Ending, type Hostile, returns } from "../script.ts";

/** Whatever it does to its own VM: the end has a name, and the host lives. */
const ANY: readonly Ending[] = ["returned", "script.failed", "isle.crashed", "isle.memory", "isle.timeout", "run.cancelled"];
const LIMITS = { limits: { cpuMsMax: 400 } };
const FUNCTION = 'local k = 1 local function f(a, b) for i = 1, 3 do k = k + i end return {a, b .. "x", k, function() return k end} end';
const CALL = 'local g = load(code, "=x", "b") if g then pcall(g, 1, "b") pcall(g, nil, {}) end';
const TRY = `local function try(code) ${CALL} end`;

export const bytecode: readonly Hostile[] = [
  returns("bytecode cut at every place", `${FUNCTION} local s = string.dump(f)
    for i = 0, #s - 1 do assert(not load(s:sub(1, i), "=x", "b")) end return true`),
  ...[1, 2, 3, 4].map((seed) => ends(`bytecode with flipped bits, part ${seed}`, `${FUNCTION} ${TRY} local s = string.dump(f)
    for i = ${seed}, #s, 4 do for bit = 0, 7 do
      try(s:sub(1, i - 1) .. string.char(s:byte(i) ~ (1 << bit)) .. s:sub(i + 1))
    end end return true`, ANY, LIMITS)),
  ends("bytecode of chance after a right header", `${TRY} local head = string.dump(function() end):sub(1, 33)
    for n = 1, 3000 do local t = {} for i = 1, 60 do t[i] = string.char(math.random(0, 255)) end try(head .. table.concat(t)) end return true`, ANY, LIMITS),
  ends("instructions of chance", `${FUNCTION} ${TRY} local s = string.dump(f, true)
    for n = 1, 2000 do local i = math.random(40, #s - 8)
      try(s:sub(1, i) .. string.pack("<I4", math.random(0, 0xffffffff)) .. s:sub(i + 5)) end return true`, ANY, LIMITS),
  ends("bytecode in an endless loop, stripped", 'load(string.dump(function() while true do pcall(function() while true do end end) end end, true), "=x", "b")()',
    ["isle.timeout"]),
  returns("bytecode where only text is allowed", `local s = string.dump(function() return 1 end)
    assert(not load(s)) assert(not load(s, "x", "b")) assert(not load(s, "x", "bt")) assert(not load(function() local c = s s = nil return c end, "x", "b"))
    return true`, { grants: [] }),
  returns("bytecode from a file where only text is allowed", `
    local f = io.open("x.lua", "wb") if f then f:write(string.dump(function() return 1 end)) f:close() end
    assert(not pcall(dofile or error, "x.lua")) assert(not (loadfile and loadfile("x.lua"))) assert(not pcall(require, "x")) return true`, { grants: ["fs.read:.", "fs.write:."] }),
  returns("string.dump of what is not Lua", "for _, f in ipairs {string.rep, math.floor, 1, {}, std.fs.read} do assert(not pcall(string.dump, f)) end return true"),
];
