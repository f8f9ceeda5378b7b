/** Floods: output, logs, events, descriptors, processes, connections; and a script that swallows its end. */
import { burns, ends, type Ending, type Hostile, returns } from "../script.ts";

const FULL: readonly Ending[] = ["isle.timeout", "isle.memory", "isle.output"];

export const floods: readonly Hostile[] = [
  ends("print without end", 'while true do print(("x"):rep(1000)) end', FULL, { limits: { printBytesMax: 1 << 20, cpuMsMax: 300 }, shared: true }),
  ends("print of nothing without end", "while true do pcall(print) end", FULL, { limits: { printBytesMax: 1 << 20, cpuMsMax: 300 }, shared: true }),
  ends("io.write without end, in pieces of a byte", 'while true do io.write("x") end', FULL, { limits: { printBytesMax: 1 << 20, cpuMsMax: 300 } }),
  ends("io.stderr without end", 'while true do io.stderr:write(("x"):rep(1e5)) end', FULL, { limits: { printBytesMax: 1 << 20, wallMsMax: 1_000 } }),
  ends("log lines without end", 'while true do log.info(("x"):rep(1000)) end', FULL, { limits: { cpuMsMax: 300, wallMsMax: 2_000 } }),
  ends("log lines of great size", 'while true do log.warn(("x"):rep(5e6)) end', FULL, { limits: { cpuMsMax: 300, wallMsMax: 2_000 } }),
  ends("print of great lines", 'local s = ("x"):rep(8e6) while true do print(s) end', FULL, { limits: { printBytesMax: 1 << 20, cpuMsMax: 300, wallMsMax: 2_000 } }),
  ends("events nobody reads", 'while true do bus.emit("x", "y") end', ["script.failed"], { limits: { emitMsMax: 100 } }),
  ends("events nobody reads, in pcall", 'while true do pcall(bus.emit, "x", "y") end', ["isle.timeout"], { limits: { emitMsMax: 1, wallMsMax: 500, busEventsMax: 4 } }),
  ends("events from a thousand tasks", `
    for i = 1, 1000 do std.task.spawn(function() while true do pcall(bus.emit, "x", ("y"):rep(1000)) end end) end std.task.sleep(1e6)`,
  FULL, { limits: { emitMsMax: 10, wallMsMax: 700 } }),
  ends("files opened without end", `
    local t = {} while true do local f, e = io.open("x", "a") if not f then error(e, 0) end t[#t + 1] = f end`,
  ["script.failed", "io.failed", "fs.limit", "fs.failed", ...FULL], { limits: { cpuMsMax: 1_000, wallMsMax: 2_000 } }),
  ends("files opened and dropped", 'while true do io.open("x", "a") end', ["script.failed", "io.failed", "fs.limit", "fs.failed", ...FULL], { limits: { wallMsMax: 700 } }),
  ends("files without end", 'local i = 0 while true do i = i + 1 std.fs.write("f" .. i % 100, ("x"):rep(1e5)) end', FULL, { limits: { wallMsMax: 700 } }),
  ends("children that sleep", `
    for i = 1, 200 do std.task.spawn(function() sh.exec("sleep 100") end) end std.task.sleep(1e6)`, FULL, { limits: { childrenLiveMax: 4, wallMsMax: 700 } }),
  ends("children that start children", 'for i = 1, 8 do std.task.spawn(function() sh.exec("(sleep 100 & sleep 100) & sleep 100 | sleep 100") end) end std.task.sleep(1e6)',
    FULL, { limits: { childrenLiveMax: 4, wallMsMax: 700 } }),
  ends("children that print without end", 'sh.exec("yes")', FULL, { limits: { childOutputBytesMax: 1 << 20, wallMsMax: 700 } }),
  ends("pipes that nobody reads", 'local t = {} for i = 1, 200 do t[i] = io.popen("sleep 100") end std.task.sleep(1e6)',
    ["script.failed", "io.failed", ...FULL], { limits: { childrenLiveMax: 4, wallMsMax: 700 } }),
  ends("requests to a closed port", `
    for i = 1, 300 do std.task.spawn(function() while true do pcall(http.request, "http://127.0.0.1:1/") end end) end std.task.sleep(1e6)`,
  FULL, { limits: { wallMsMax: 700 } }),
  returns("requests to peers that are not there", 'for i = 1, 200 do assert(not pcall(mesh.request, "nobody", {i})) end return true'),
  ends("timers without end", "while true do std.task.spawn(function() std.task.sleep(1e5) end) std.task.sleep(0) end",
    ["script.failed", ...FULL], { limits: { wallMsMax: 700, cpuMsMax: 600 } }),
  ends("warnings without end", 'if warn then warn("@on") end while true do if warn then warn(("x"):rep(1000)) else error("no warn") end end', ["script.failed", ...FULL]),
  ends("names without end", 'local i = 0 while true do i = i + 1 pcall(std.env.set, "K" .. i, ("x"):rep(1000)) end', FULL, { limits: { wallMsMax: 700 } }),
  ends("handlers without end", 'local i = 0 while true do i = i + 1 bus.on("k" .. i, function() end) end', ["bus.register", "script.failed", ...FULL], { limits: { wallMsMax: 700 } }),
  ends("tools without end", 'local i = 0 while true do i = i + 1 tool.register{name = "t" .. i, description = "", input_schema = {}, handler = print} end',
    ["script.argument", "script.failed", ...FULL], { limits: { wallMsMax: 700 } }),
  ends("rows without end", 'std.sql.exec("create table t(x)") while true do std.sql.exec("insert into t values (1)") end', FULL, { limits: { wallMsMax: 700 } }),
  ends("keys without end", 'local i = 0 while true do i = i + 1 std.kv.set("n", "k" .. i, ("x"):rep(1000)) end', FULL, { limits: { wallMsMax: 700 } }),
];

const CANCELLED: readonly Ending[] = ["run.cancelled"];
const cancelled = (name: string, source: string): Hostile =>
  ends(name, source, CANCELLED, { cancelled: true, shared: true, limits: { cpuMsMax: 5_000, wallMsMax: 15_000 } });

export const endings: readonly Hostile[] = [
  cancelled("a cancel, caught by pcall", "while true do pcall(function() while true do end end) end"),
  cancelled("a cancel, caught by xpcall with a handler that loops", "while true do xpcall(function() while true do end end, function() while true do end end) end"),
  cancelled("a cancel, caught in coroutines in tasks", `
    std.task.spawn(function() while true do pcall(coroutine.wrap(function() while true do pcall(function() while true do end end) end end)) end end):join()`),
  cancelled("a cancel in a wait, caught", "while true do pcall(std.task.sleep, 1e6) end"),
  cancelled("a cancel in waits of many tasks, caught", `
    for i = 1, 500 do std.task.spawn(function() while true do pcall(std.task.sleep, 1e6) end end) end while true do pcall(std.task.sleep, 1e6) end`),
  cancelled("a cancel in a catastrophic match", 'local s = ("a"):rep(40) while true do pcall(string.match, s, ("a*"):rep(20) .. "b") end'),
  cancelled("a cancel in a closing value", "local x <close> = setmetatable({}, {__close = function() while true do end end}) while true do pcall(error) end"),
  cancelled("a cancel in a wait inside gsub", '("a"):rep(1e6):gsub(".", function() pcall(std.task.sleep, 5) end)'),
  cancelled("a cancel while a child sleeps, caught", 'while true do pcall(sh.exec, "sleep 100") end'),
  burns("a CPU limit, caught and waited out", "while true do pcall(function() while true do end end) pcall(std.task.sleep, 1e6) end"),
  ends("a handler that ignores its time", `
    bus.on("x", function() while true do pcall(function() while true do end end) end end)
    bus.emit("x") bus.serve()`, ["isle.timeout", "isle.crashed"], { limits: { handlerMsMax: 100, wallMsMax: 1_500, cpuMsMax: 3_000, graceMs: 50 } }),
  ends("a wall limit in a wait, caught", "while true do pcall(std.task.sleep, 1e6) end", ["isle.timeout"], { limits: { wallMsMax: 300 } }),
];
