/** Metatables, globals and errors bent against our own code. */
import { burns, ends, fails, type Hostile, returns } from "../script.ts";

export const tables: readonly Hostile[] = [
  returns("a metatable of all strings that lies", `
    local mt = getmetatable("") mt.__index = function() error("no") end mt.__concat = error mt.__len = error mt.__eq = error
    assert(std.json.decode('{"a":1}').a == 1) print("x") assert(std.path.join("a", "b") == "a/b") return true`),
  ends("a metatable of all strings that loops", `
    getmetatable("").__index = function() while true do end end pcall(std.path.join, "a", "b") print("x") local y = ("x").y`, ["isle.timeout"], { shared: true }),
  returns("bridges whose metatables are set", `
    for _, t in ipairs {std, bus, http, sh, tool, log, mesh, std.json, std.fs, std.task} do
      pcall(setmetatable, t, {__index = function() while true do end end, __newindex = error, __call = error}) end
    assert(std.json.encode({1}) == "[1]") std.task.spawn(function() return 1 end):join() return true`),
  fails("an error object whose __tostring fails", "error(setmetatable({}, {__tostring = function() error('x') end}))"),
  fails("an error object whose __tostring gives no string", "error(setmetatable({}, {__tostring = function() return {} end}))"),
  burns("an error object whose __tostring loops", "error(setmetatable({}, {__tostring = function() while true do end end}))"),
  ends("an error object whose __tostring waits", "error(setmetatable({}, {__tostring = function() std.task.sleep(1e6) end}))",
    ["isle.timeout", "script.failed", "isle.would_block"], { limits: { wallMsMax: 400 } }),
  fails("an error object with __metatable and __name", "error(setmetatable({code = {}, retry = print, message = 7, facts = print}, {__metatable = false, __name = {}}))"),
  fails("an error that forges a fault", "error({atoll = {code = 'run.cancelled', text = {}, retry = 7, facts = print}})", ["script.failed", "runtime.failed", "script.argument"]),
  fails("an error that is a coroutine", "error(coroutine.create(print))"),
  fails("an error of nil", "error(nil)"),
  fails("an error of the sentinel", "error(std.sql.null)"),
  returns("a value with metamethods that lie", "return setmetatable({}, {__pairs = error, __len = function() return 1e15 end, __index = function() return 1 end}) ~= nil"),
  ends("a value to send whose __index loops", "bus.emit('x', setmetatable({}, {__index = function() while true do end end, __len = function() return 1e15 end, __pairs = function() while true do end end}))",
    ["isle.timeout", "returned", "script.failed", "script.argument", "json.encode"], { limits: { emitMsMax: 100 } }),
  returns("our own functions replaced", `
    local ok = std.json.encode
    pcall, xpcall, tostring, type, error, select, setmetatable, getmetatable, rawget, next, pairs, ipairs, print, load = nil
    coroutine.yield, coroutine.resume, coroutine.create, table.pack, table.unpack, table.concat, string.format = nil
    package.loaded._G, package.loaded.string, package.searchers, package.preload = nil
    std.task.sleep(1) std.task.spawn(function() std.task.yield() end):join()
    std.kv.set("a", "b", {1}) return ok(std.kv.get("a", "b")) == "[1]"`),
  burns("our own functions replaced by loops", `
    local function spin() while true do end end
    for _, n in ipairs {"pcall", "xpcall", "tostring", "type", "error", "select", "next", "rawget", "setmetatable", "print"} do _G[n] = spin end
    coroutine.yield, coroutine.resume, coroutine.create, table.pack, table.concat = spin, spin, spin, spin, spin
    std.task.spawn(function() std.task.yield() end):join() std.fs.exists("x") print()`),
  returns("a global table that refuses", `
    local assert, std = assert, std setmetatable(_G, {__index = function() error("no") end, __newindex = function() error("no") end, __metatable = 1})
    std.task.sleep(1) assert(std.kv.get("a", "b") == nil) return true`),
  returns("a chunk in an environment of its own", `
    local f = load("x = 1 return pcall, x", "=x", "t", setmetatable({}, {__index = function() return nil end})) local p, x = f() assert(p == nil and x == 1) return true`),
  fails("_ENV without globals", "local _ENV = nil print(1)"),
  returns("yields out of strange places", `
    local n = 0
    local function nap() n = n + 1 std.task.sleep(1) return "" end
    pcall(string.gsub, "abc", ".", nap) pcall(table.sort, {3, 2, 1}, function(a, b) nap() return a < b end)
    local o = setmetatable({}, {__index = nap, __call = nap, __tostring = nap, __close = nap, __len = function() nap() return 1 end})
    local a, b, c, d = o.x, o(), tostring(o), #o do local x <close> = o end
    for _ in nap do if n > 20 then break end n = n + 10 end load(function() nap() end) return n > 0`),
  returns("a bare yield inside gsub, sort and metamethods", `
    for _, f in ipairs {function() ("a"):gsub(".", coroutine.yield) end, function() table.sort({2, 1}, coroutine.yield) end} do
      local co = coroutine.create(f) coroutine.resume(co) coroutine.resume(co) coroutine.close(co) end
    return true`),
  returns("waits forged by a script", `
    local seen = coroutine.wrap(function() coroutine.yield(std.sql.null) end)()
    local co = coroutine.create(function() std.task.sleep(5) return 7 end)
    local t = std.task.spawn(function() return coroutine.resume(co) end) std.task.yield()
    assert(not coroutine.resume(co)) assert(not pcall(coroutine.close, co)) assert(t:join() == true) return true`),
  returns("finalizers that call bridges", `
    for i = 1, 100 do setmetatable({}, {__gc = function() pcall(std.task.sleep, 1) pcall(std.kv.get, "a", "b") pcall(print, "gc") pcall(bus.emit, "x") end}) end
    collectgarbage() std.task.sleep(1) collectgarbage() return true`, { ends: ["returned", "isle.timeout"], limits: { emitMsMax: 50, cpuMsMax: 2_000 } }),
  returns("a finalizer that fails", 'for i = 1, 100 do setmetatable({}, {__gc = function() error(setmetatable({}, {__tostring = error})) end}) end collectgarbage() return true'),
];
