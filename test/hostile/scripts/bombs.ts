/** Too many of something: coroutines, tasks, timers, modules. */
import { burns, eats, ends, fails, type Hostile, returns } from "../script.ts";

export const bombs: readonly Hostile[] = [
  returns("coroutines in coroutines without end", `
    local depth = 0
    local function f() depth = depth + 1 local ok, e = coroutine.resume(coroutine.create(f)) if not ok then error(e, 0) end end
    local ok, e = pcall(f) assert(not ok and tostring(e):find("overflow"), tostring(e)) assert(depth < 1000) return true`),
  burns("coroutines in coroutines, again and again", `
    local function f() pcall(coroutine.wrap(f)) end while true do f() end`),
  eats("a million coroutines that are kept", `
    local t = {} for i = 1, 1e6 do t[i] = coroutine.create(print) coroutine.resume(coroutine.create(coroutine.yield)) end`),
  eats("suspended coroutines that are kept", `
    local t = {} while true do local co = coroutine.create(function() coroutine.yield() end) coroutine.resume(co) t[#t + 1] = co end`),
  burns("coroutines that are dropped", "while true do coroutine.resume(coroutine.create(function() coroutine.yield() end)) end"),
  ends("a flood of sleeping tasks", "while true do std.task.spawn(function() std.task.sleep(1e6) end) end",
    ["script.failed", "isle.memory", "isle.timeout"], { limits: { cpuMsMax: 1_000 } }),
  burns("a flood of tasks that catches the refusal", `
    while true do pcall(std.task.spawn, function() std.task.sleep(1e6) end) end`, { limits: { liveTasksMax: 100 } }),
  ends("tasks that each start two", `
    local function f() pcall(std.task.spawn, f) pcall(std.task.spawn, f) std.task.yield() end f() std.task.sleep(1e6)`,
  ["isle.timeout", "isle.memory"], { limits: { liveTasksMax: 1_000, wallMsMax: 1_000 } }),
  burns("timers of no time", `
    for i = 1, 100 do std.task.spawn(function() while true do std.task.sleep(0) end end) end while true do std.task.yield() end`),
  ends("a task that joins itself", `
    local t t = std.task.spawn(function() return t:join() end) return t:join()`,
  ["isle.timeout", "script.failed", "script.argument", "task.joined"], { limits: { wallMsMax: 300 } }),
  fails("a module that requires itself", 'package.preload.x = function() return require("x") end require("x")',
    ["script.failed", "isle.memory"]),
  ends("modules that require the next one", `
    setmetatable(package.preload, {__index = function(_, n) return function() return require(n .. "x") end end}) require("x")`,
  ["script.failed", "isle.memory", "isle.timeout"], { limits: { cpuMsMax: 1_000 } }),
  burns("a hundred tasks in endless loops", `
    for i = 1, 100 do std.task.spawn(function() while true do pcall(function() while true do end end) end end) end std.task.yield()`),
  ends("a handler that emits to itself", `
    bus.on("x", function() pcall(bus.emit, "x") pcall(bus.emit, "x") end) bus.emit("x") bus.serve()`,
  ["isle.timeout"], { limits: { wallMsMax: 600, emitMsMax: 50, graceMs: 50 } }),
  ends("a handler that loops for each event", `
    bus.on("x", function() while true do pcall(function() while true do end end) end end)
    for i = 1, 10 do bus.emit("x") end bus.serve()`, ["isle.timeout", "isle.crashed"], { limits: { wallMsMax: 1_000, graceMs: 50 } }),
];
