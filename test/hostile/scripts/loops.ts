/** Loops without end, where a limit is hardest to enforce. */
import { burns, type Hostile, returns } from "../script.ts";

const SPIN = "local function spin() while true do end end ";

/** Expressions that call the metamethod of `o`. */
const METAMETHODS: Readonly<Record<string, string>> = {
  __index: "local x = o.x", __newindex: "o.x = 1", __call: "o()", __eq: "local x = o == setmetatable({}, getmetatable(o))",
  __lt: "local x = o < o", __le: "local x = o <= o", __concat: "local x = o .. o", __len: "local x = #o", __unm: "local x = -o",
  __idiv: "local x = o // 1", __tostring: "tostring(o)", __pairs: "pairs(o)", __close: "local x <close> = o",
  __gc: "o = nil collectgarbage()",
};

const metamethods = Object.entries(METAMETHODS).map(([name, use]) =>
  burns(`a loop in ${name}`, `${SPIN} local o = setmetatable({}, {${name} = spin}) ${use} while true do end`));

export const loops: readonly Hostile[] = [
  burns("an empty loop", "while true do end"),
  burns("a loop of goto", "::again:: goto again"),
  burns("a loop of tail calls", "local function f() return f() end f()"),
  burns("a numeric loop without a body", "for i = 1, math.maxinteger do end"),
  burns("an iterator that never ends", "for _ in function() return 1 end do end"),
  burns("a loop in pcall, begun again when it is stopped", `${SPIN} while true do pcall(spin) end`),
  burns("pcall that only catches errors", 'while true do pcall(error, "x") end'),
  burns("nested pcall", `${SPIN} local function f(n) if n == 0 then spin() end while true do pcall(f, n - 1) end end f(50)`),
  burns("a message handler that loops", `${SPIN} while true do xpcall(error, spin) end`),
  burns("a message handler that fails for ever", "local function f(e) error(e) end while true do xpcall(f, f, 1) end"),
  burns("a loop in a coroutine", `${SPIN} while true do coroutine.resume(coroutine.create(spin)) end`),
  burns("a loop in pcall in coroutine.wrap in pcall",
    `${SPIN} while true do pcall(coroutine.wrap(function() while true do pcall(spin) end end)) end`),
  burns("coroutines that resume each other", `
    local a = coroutine.wrap(function() while true do coroutine.yield() end end)
    local b = coroutine.wrap(function() while true do a() coroutine.yield() end end) while true do b() end`),
  burns("a closing value that opens another",
    "local function stuck() local x <close> = setmetatable({}, {__close = stuck}) while true do end end stuck()"),
  burns("a closing value of an iterator that loops",
    `${SPIN} for _ in next, {1}, nil, setmetatable({}, {__close = spin}) do break end`),
  burns("a closing value that loops after an error in pcall", `${SPIN} while true do
    pcall(function() local x <close> = setmetatable({}, {__close = spin}) error("x") end) end`),
  burns("coroutine.close of a coroutine whose value loops while it is closed", `${SPIN}
    local co = coroutine.create(function() local x <close> = setmetatable({}, {__close = spin}) coroutine.yield() end)
    coroutine.resume(co) while true do pcall(coroutine.close, co) end`),
  burns("finalizers that make objects with finalizers", `
    local function new() setmetatable({}, {__gc = new}) end for i = 1, 1000 do new() end while true do collectgarbage() end`),
  burns("a finalizer that brings its object back for ever", `
    local function back(o) setmetatable(o, getmetatable(o)) while true do end end
    setmetatable({}, {__gc = back}) collectgarbage() while true do collectgarbage("step") end`),
  burns("full collections over a large heap", "local t = {} for i = 1, 5e4 do t[i] = {} end while true do collectgarbage() end"),
  burns("ephemerons in a chain", `
    local w = setmetatable({}, {__mode = "k"}) local first = {} local k = first
    for i = 1, 3e4 do local n = {} w[k] = n k = n end while true do collectgarbage() end`),
  burns("a loop in a sort comparator", `${SPIN} table.sort({3, 2, 1}, spin)`),
  burns("a loop in a callback of gsub", `${SPIN} while true do pcall(string.gsub, "abc", ".", spin) end`),
  burns("a reader of load that never ends its comment", 'load(function() return "-" end)'),
  burns("a loop in a task in pcall", `${SPIN} std.task.spawn(function() while true do pcall(spin) end end):join()`),
  burns("tasks that only give way", "while true do coroutine.yield() end"),
  burns("a task that catches its abort", `${SPIN}
    local t = std.task.spawn(function() while true do pcall(function() while true do pcall(std.task.yield) end end) end end)
    std.task.yield() t:abort() spin()`),
  returns("a finalizer that would loop when the run ends", `${SPIN} KEPT = setmetatable({}, {__gc = spin}) return true`),
  ...metamethods,
];
