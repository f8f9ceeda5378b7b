/** Depth: of calls, of metamethods, of source, of data. */
import { burns, ends, fails, HOSTILE_LIMITS, type Hostile, PATIENT, returns } from "../script.ts";

const OVERFLOW = 'assert(not ok and (tostring(e):find("overflow") or tostring(e):find("too long") or tostring(e):find("memory") or tostring(e):find("too complex") or tostring(e):find("limit") or tostring(e):find("levels")), tostring(e)) return true';
const deep = (name: string, source: string, isleBytesMax: number = HOSTILE_LIMITS.isleBytesMax): Hostile =>
  returns(name, `${source} ${OVERFLOW}`, { limits: { ...PATIENT, cpuMsMax: 3_000, isleBytesMax } });
/** Filling more takes seconds where each level stays on the stack, which the collector walks again and again. */
const SMALL = 4 << 20;

export const recursion: readonly Hostile[] = [
  fails("a function that calls itself", "local function f() return 1 + f() end f()", ["script.failed", "isle.memory"]),
  deep("a function that calls itself, caught", "local function f() return 1 + f() end local ok, e = pcall(f)"),
  burns("pcall that calls itself twice", "local function f() pcall(f) pcall(f) end while true do f() end"),
  deep("a callback of gsub in a callback of gsub", 'local function f() return (("x"):gsub(".", f)) end local ok, e = pcall(f)'),
  deep("a comparator that sorts", "local function f() table.sort({2, 1}, f) return false end local ok, e = pcall(f)"),
  deep("__index that indexes", "local t t = setmetatable({}, {__index = function() return t.x end}) local ok, e = pcall(function() return t.x end)"),
  deep("a chain of __index of a hundred thousand tables", `
    local t = {} for i = 1, 1e5 do t = setmetatable({}, {__index = t}) end local ok, e = pcall(function() return t.x end)`),
  deep("a ring of __index", "local a, b = {}, {} setmetatable(a, {__index = b}) setmetatable(b, {__index = a}) local ok, e = pcall(function() return a.x end)"),
  deep("__tostring that calls tostring", "local o = setmetatable({}, {__tostring = tostring}) local ok, e = pcall(tostring, o)"),
  deep("__tostring in string.format", 'local o o = setmetatable({}, {__tostring = function() return ("%s"):format(o) end}) local ok, e = pcall(string.format, "%s", o)'),
  deep("__concat that concatenates", "local o o = setmetatable({}, {__concat = function(a, b) return a .. b end}) local ok, e = pcall(function() return o .. o end)"),
  ends("__call of __call of __call", `
    local o = print for i = 1, 1e5 do o = setmetatable({}, {__call = o}) end o()`,
  ["script.failed", "returned", "isle.timeout", "isle.memory"], { limits: { cpuMsMax: 2_000 } }),
  deep("__eq that compares", "local mt = {} mt.__eq = function(a, b) return setmetatable({}, mt) == a end local ok, e = pcall(function() return setmetatable({}, mt) == setmetatable({}, mt) end)"),
  deep("parentheses in a source", 'local ok, e = load("return " .. ("("):rep(1e6))'),
  deep("braces in a source", 'local ok, e = load("return " .. ("{"):rep(1e6))'),
  deep("signs in a source", 'local ok, e = load("return " .. ("- "):rep(1e6) .. "1")'),
  deep("functions in a source", 'local ok, e = load(("return function() "):rep(1e5))'),
  deep("powers in a source", 'local ok, e = load("return " .. ("1^"):rep(1e6) .. "1")'),
  deep("a source that loads its source", 'local s = "local s = ... return 1 + assert(load(s))(s)" local ok, e = pcall(load(s), s)', SMALL),
  burns("a message handler in a message handler", "local function f() xpcall(error, f) return 1 + f() end while true do pcall(f) end"),
  deep("a pattern that recurses", 'local ok, e = pcall(string.match, ("a"):rep(1e6), ("(a?"):rep(30) .. ("a?"):rep(1e5) .. (")"):rep(30))'),
  ends("errors with errors in __tostring", `
    local function boom() error(setmetatable({}, {__tostring = function() return tostring(setmetatable({}, {__tostring = boom})) end})) end boom()`,
  ["script.failed"], { limits: PATIENT }),
];
