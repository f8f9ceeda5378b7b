/** Memory: in one piece, in many, and where the host would hold it. */
import { burns, eats, ends, type Ending, fails, type Hostile, PATIENT } from "../script.ts";

const ROOM = { limits: PATIENT };
const DEEP: readonly Ending[] = ["json.decode", "json.encode", "json.depth", "script.failed"];
const hundred = (value: string): string => `table.unpack((function() local t = {} for i = 1, 100 do t[i] = ${value} end return t end)())`;

export const memory: readonly Hostile[] = [
  eats("a string that doubles", 'local s = "x" while true do s = s .. s end'),
  eats("a gigabyte of string.rep", 'return ("x"):rep(1e9)'),
  eats("string.rep with a long separator", 'return ("x"):rep(1e5, ("y"):rep(1e4))'),
  fails("string.rep beyond any address", 'return ("x"):rep(math.maxinteger)', ["script.failed", "isle.memory"]),
  eats("an array that grows", "local t = {} while true do t[#t + 1] = 1 end"),
  eats("a table of strings that grows", "local t, n = {}, 0 while true do n = n + 1 t['k' .. n] = n end"),
  eats("tables in tables", "local t = {} while true do t = {t} end"),
  eats("closures with captures", "local t = {} while true do local a, b = {}, {} t[#t + 1] = function() return a, b end end"),
  eats("table.concat of much", 'local s, t = ("x"):rep(1e6), {} for i = 1, 1000 do t[i] = s end return table.concat(t)'),
  eats("table.pack of all bytes", 'local t = {} while true do t[#t + 1] = table.pack(("x"):rep(2e5):byte(1, 2e5)) end'),
  fails("table.unpack of more than a stack holds", "return table.unpack({}, 1, 1e8)"),
  fails("string.byte of more than a stack holds", 'return ("x"):rep(1e7):byte(1, -1)', ["script.failed", "isle.memory"]),
  eats("string.pack of a great size", `return string.pack(("s4"):rep(100), ${hundred('("x"):rep(1e6)')})`),
  fails("string.pack with an absurd size", 'return string.pack("c2147483647", "")', ["script.failed", "isle.memory"]),
  fails("a format of great width", 'return ("%1000000000d"):format(1)'),
  eats("string.format of long strings", `local s = ("x"):rep(1e6) return (("%s"):rep(100)):format(${hundred("s")})`),
  eats("gsub that multiplies", 'local s = ("x"):rep(100) while true do s = s:gsub(".", "%0%0%0%0%0%0%0%0%0%0") end'),
  eats("utf8.char of many", 'local s = "" while true do s = s .. utf8.char(0x7FFFFFFF, 0x7FFFFFFF) .. s end'),
  burns("a refused allocation, tried for ever", 'while true do pcall(string.rep, "x", 1e9) end'),
  burns("a full heap, caught for ever", "while true do pcall(function() local t = {} while true do t = {t, t} end end) end"),
  ends("an error of great size", 'error(("x"):rep(2e7), 0)', ["script.failed", "isle.memory"], ROOM),
  ends("a value of great size", 'return ("x"):rep(2e7)', ["returned", "isle.memory"], ROOM),
  ends("a value of great width", "local t = {} for i = 1, 3e5 do t[i] = i end return t", ["returned", "isle.memory"], ROOM),
  fails("deep JSON to decode", 'return std.json.decode(("["):rep(1e6))', DEEP),
  fails("deep JSON to encode", "local t = {} for i = 1, 1e5 do t = {t} end return std.json.encode(t)", DEEP),
  fails("a cycle to encode", "local t = {} t[1] = t return std.json.encode(t)", DEEP),
  eats("wide JSON to decode", 'local s = "[" .. ("{},"):rep(3e6) .. "{}]" while true do pcall(std.json.decode, s) end'),
  eats("JSON that grows at each turn", 'local s = {"x"} while true do s = {std.json.encode(s), std.json.encode(s)} end'),
  ends("a great source to load", 'local f = assert(load("return {" .. ("{},"):rep(3e6) .. "}")) while true do f() end',
    ["script.failed", "isle.memory", "isle.timeout"], ROOM),
  fails("a source with too many locals", 'assert(load(("local a = 1 "):rep(1000)))'),
  fails("a source with a jump into a local", 'assert(load("goto a " .. ("local x = 1.5 "):rep(100) .. "::a:: print(1)"))'),
  ends("rows that SQLite makes up", `
    return std.sql.query("with recursive n(x) as (select 1 union all select x + 1 from n) select x, 'aaaaaaaaaaaaaaaaaaaaaa' from n")`,
  ["isle.memory", "isle.timeout", "script.failed"], { limits: { cpuMsMax: 2_000, wallMsMax: 2_000 } }),
  ends("a blob that SQLite makes up", 'return #std.sql.query("select hex(zeroblob(50000000)) as x")[1].x',
    ["script.failed", "isle.memory", "isle.timeout"], ROOM),
];
