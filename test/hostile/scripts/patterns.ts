/** Patterns that blow up, and C functions that take long. */
import { burns, ends, type Hostile, returns } from "../script.ts";

const TEXT = 'local s = ("a"):rep(40)';
const NESTED = '("a*"):rep(20) .. "b"';
const BIG = 'local s = ("a"):rep(4e6)';

export const patterns: readonly Hostile[] = [
  burns("find with many stars", `${TEXT} return s:find(${NESTED})`),
  burns("match with many stars", `${TEXT} return s:match(${NESTED})`),
  burns("gmatch with many stars", `${TEXT} for _ in s:gmatch(${NESTED}) do end while true do end`),
  burns("gsub with many stars", `${TEXT} return s:gsub(${NESTED}, "")`),
  burns("a catastrophic match in pcall", `${TEXT} while true do pcall(string.match, s, ${NESTED}) end`),
  burns("lazy quantifiers", `${TEXT}:rep(10) return s:find((".-"):rep(20) .. "b")`),
  burns("options of options", `${TEXT} return s:find(("a?"):rep(40) .. ("a?"):rep(30) .. "b")`),
  burns("captures and back references", 'return ("a"):rep(3000):find("(a*)(a*)%1%2b")'),
  burns("%b over open brackets", 'local s = ("("):rep(1e6) while true do s:gsub("%b()", "") end'),
  burns("a frontier over a long text", `${BIG} while true do s:find("%f[b]b") end`),
  burns("a set as long as the text", 'return ("a"):rep(1e6):find("[" .. ("b"):rep(1e6) .. "]")'),
  burns("plain find of half the text", 'local h = ("a"):rep(1e6) while true do h:find(("a"):rep(5e5) .. "b", 1, true) end'),
];

export const slow: readonly Hostile[] = [
  burns("table.move of a million millions", "table.move({}, 1, 1e12, 2)"),
  burns("table.move through metamethods", "table.move(setmetatable({}, {__index = function() return 1 end}), 1, 1e12, 2, setmetatable({}, {__newindex = function() end}))"),
  burns("table.concat of a claimed length", 'table.concat(setmetatable({}, {__index = function() return "" end}), "", 1, math.maxinteger)'),
  burns("table.insert at the front of a claimed length", "table.insert(setmetatable({}, {__len = function() return 1e12 end, __newindex = function() end}), 1, 1)"),
  burns("table.remove from the front of a claimed length", "table.remove(setmetatable({}, {__len = function() return 1e12 end, __newindex = function() end}), 1)"),
  burns("table.insert at the front of a long table", "local t = {} while true do table.insert(t, 1, 1) end"),
  burns("sort with a comparator that always says yes", "local t = {} for i = 1, 1e5 do t[i] = i end while true do pcall(table.sort, t, function() return true end) end"),
  burns("sort with a comparator of chance", "local t = {} for i = 1, 1e5 do t[i] = i end while true do pcall(table.sort, t, function() return math.random() < 0.5 end) end"),
  burns("sort of a claimed length", "table.sort(setmetatable({}, {__len = function() return 1e9 end, __index = function() return 1 end, __newindex = function() end}))"),
  burns("string.rep of nothing, often", 'while true do (""):rep(1e18) end'),
  burns("comparison of long equal strings", `${BIG} local a, b = s .. "a", s .. "b" while true do local x = a < b end`),
  burns("comparison of long strings of zeros", 'local a, b = ("\\0"):rep(4e6) .. "a", ("\\0"):rep(4e6) .. "b" while true do local x = a < b end'),
  burns("equality of long strings", `${BIG} local a, b = s .. "a", s .. "a" while true do local x = a == b end`),
  burns("utf8.len of a long text", `${BIG} while true do utf8.len(s) end`),
  burns("utf8.offset over continuation bytes", 'local s = ("\\x80"):rep(4e6) while true do pcall(utf8.offset, s, -1) pcall(utf8.offset, s, 1e6) end'),
  burns("utf8.codes of a long text", `${BIG} while true do for _ in utf8.codes(s) do end end`),
  burns("upper, reverse and byte of a long text", `${BIG} while true do s:upper() s:reverse() s:byte(1, 1000) end`),
  burns("tonumber of a long numeral", 'local s = ("1"):rep(4e6) while true do tonumber(s) tonumber(s, 36) end'),
  burns("arithmetic on long numerals", 'local s = (" "):rep(4e6) .. "1" while true do pcall(function() return s + 1 end) end'),
  burns("select over many arguments", "local function f(...) while true do for i = 1, select('#', ...) do select(-i, ...) end end end f(table.unpack({}, 1, 2e5))"),
  burns("next over the graves of a table", "local t = {} for i = 1, 2e5 do t[i] = i end while true do local k = next(t) if k then t[k] = nil end end"),
  burns("a long format", 'local f = ("%d"):rep(2e5) while true do pcall(string.format, f, 1) end'),
  burns("formats of long floats", 'while true do ("%.99f"):format(1e308) end'),
  burns("string.pack with a long format", 'local f = ("b"):rep(1e6) while true do pcall(string.pack, f) pcall(string.unpack, f, "") pcall(string.packsize, f) end'),
  burns("os.date with a long format", 'local f = ("%c"):rep(1e5) while true do pcall(os.date, f) end'),
  burns("load of a long source", 'local s = ("local a = 1; a = a + 1; do local b end "):rep(1e5) while true do load(s) end'),
  burns("load of long comments", 'local s = "--[==[" .. ("]="):rep(1e6) while true do load(s) end'),
  burns("JSON, decoded for ever", 'local s = "[" .. ("1,"):rep(1e5) .. "1]" while true do std.json.decode(s) end'),
  burns("JSON text of escapes", 'local s = \'"\' .. ("\\\\u0041"):rep(2e5) .. \'"\' while true do std.json.decode(s) end'),
  burns("JSON, encoded for ever", "local t = {} for i = 1, 1e5 do t[i] = 'k' .. i end while true do std.json.encode(t) end"),
  burns("JSON of a long string, encoded for ever", 'local s = ("\\1"):rep(1e6) while true do std.json.encode(s) end'),
  burns("paths, normalized for ever", 'local s = ("a/../"):rep(1e5) while true do std.path.normalize(s) end', { ends: ["isle.timeout", "script.failed", "runtime.failed"] }),
  returns("bytes of file buffers", 'local f = io.tmpfile() if not f then return true end f:write(("x"):rep(1e6)) f:seek("set") assert(#f:read("a") == 1e6) f:close() return true'),
  ends("a query that never ends", 'std.sql.query("with recursive n(x) as (select 1 union all select x + 1 from n) select count(*) as c from n")',
    ["isle.timeout"], { limits: { wallMsMax: 500 } }),
  ends("a glob of stars", 'for i = 1, 20 do std.fs.mkdir("a" .. i) end while true do std.fs.glob(("**/"):rep(20) .. "*") end',
    ["isle.timeout", "fs.limit", "fs.failed", "script.failed"], { limits: { wallMsMax: 500 } }),
];
