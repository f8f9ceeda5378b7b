/** Ways to the host: what should not be there, and what is there but forged. */
import { ends, fails, type Hostile, PATIENT, returns } from "../script.ts";

export const objects: readonly Hostile[] = [
  returns("the debug library", `assert(debug == nil and package.loaded.debug == nil and not pcall(require, "debug"))
    for k, v in pairs(package.preload) do assert(not tostring(k):find("debug")) end return true`),
  returns("C modules", 'assert(package.loadlib == nil) package.cpath = "./?.so;/usr/lib/?.so" assert(not pcall(require, "socket")) return true'),
  returns("a table of all that is reachable holds no debug function", `
    local seen, bad = {}, {getregistry = true, setupvalue = true, getupvalue = true, sethook = true, getlocal = true, upvaluejoin = true}
    local function walk(o) if type(o) ~= "table" or seen[o] then return end seen[o] = true
      for k, v in next, o do assert(not bad[k] and not (k == "debug" and type(v) == "table"), tostring(k)) walk(k) walk(v) end walk(getmetatable(o)) end
    walk(_G) walk(getmetatable("")) return true`),
  returns("metatables of our objects", `
    local ok, e = pcall(std.fs.read, "missing") assert(type(getmetatable(e)) ~= "table") assert(not pcall(setmetatable, e, {}))
    local t = std.task.spawn(function() end) assert(type(getmetatable(t)) ~= "table") t:join() return true`),
  returns("methods of files on other things", `
    local f = assert(io.open("x", "w")) local mt = getmetatable(f) local close, write = f.close, f.write f:close()
    for _, o in ipairs {1, "x", {}, print, std.sql.null, coroutine.create(print), setmetatable({}, type(mt) == "table" and mt or nil)} do
      assert(not pcall(close, o)) assert(not pcall(write, o, "x")) end
    assert(not pcall(f.write, f, "x")) assert(not pcall(f.read, f)) assert(not pcall(f.lines, f)) return true`),
  returns("finalizers and closers of files called by hand", `
    local f = assert(io.open("x", "w")) local mt = getmetatable(f)
    if type(mt) == "table" then for i = 1, 5 do pcall(mt.__gc, f) pcall(mt.__close, f) pcall(mt.__tostring, f) end end pcall(f.close, f) pcall(f.close, f) return true`),
  returns("forged handles of tasks", `
    local t = std.task.spawn(function() end) local join, abort = t.join, t.abort t:join()
    for _, o in ipairs {1, "t1", {id = "t1"}, setmetatable({id = "t1"}, {__index = t}), std.sql.null} do
      assert(not pcall(join, o)) assert(not pcall(abort, o)) end
    t.id = "t0" t.n = 0 pcall(abort, t) assert(not pcall(join, t)) return true`),
  returns("light userdata and null forged", `
    local n = std.sql.null assert(not pcall(function() return n.x end)) assert(not pcall(setmetatable, n, {})) assert(getmetatable(n) == nil or type(getmetatable(n)) ~= "table")
    assert(std.json.encode({n}) == "[null]" or true) return true`),
  returns("values of the host in arguments of the wrong kind", `
    local wrong = {n = 1, coroutine.create(print), print, {}, 0/0, -1, math.mininteger, 1e308, ("x"):rep(1e5), std.sql.null, true, "\\0\\xff"}
    local function each(t, depth, seen)
      for k, f in pairs(t) do
        if type(f) == "table" and depth < 3 and not seen[f] then seen[f] = true each(f, depth + 1, seen)
        elseif type(f) == "function" and not (k == "serve" or k == "sleep" or k == "exec" or k == "yield" or k == "checkpoint" or k == "on" or k == "register") then
          for _, a in ipairs(wrong) do pcall(f, a) pcall(f, a, a) pcall(f, "x", a, a) end end
      end
    end
    for _, t in ipairs {std.json, std.fs, std.path, std.string, std.env, std.kv, std.ts, std.sql, std.time, std.validate, std.task, tool, log, mesh} do each(t, 0, {}) end return true`,
  { ends: ["returned", "isle.timeout", "isle.memory"], limits: { cpuMsMax: 1_500, emitMsMax: 50 } }),
  returns("bridges with arguments beyond count", "pcall(std.fs.read, table.unpack({}, 1, 1e5)) pcall(std.json.encode, table.unpack({}, 1, 1e5)) pcall(bus.emit, table.unpack({}, 1, 1e5)) return true"),
  returns("names of the host's JavaScript in Lua", `
    for _, k in ipairs {"__proto__", "constructor", "prototype", "toString", "hasOwnProperty"} do
      assert(std.json.decode('{"' .. k .. '":1}')[k] == 1) std.kv.set(k, k, {[k] = k}) assert(std.kv.get(k, k)[k] == k)
      pcall(tool.call, k) pcall(bus.emit, k) pcall(require, k) assert(std.env.get(k) == nil and os.getenv(k) == nil) end
    return true`, { limits: { ...PATIENT, emitMsMax: 50 } }),
  returns("files and programs without a grant", `
    for _, f in ipairs {function() return assert(io.open("/etc/passwd")) end, function() return std.fs.read("/etc/passwd") end,
      function() return assert(io.popen("id")) end, function() return assert(os.execute("id")) end, function() assert(sh.exec("id").ok) end,
      function() return http.request("http://127.0.0.1:1/") end, function() return assert(os.remove("/tmp/x")) end,
      function() return assert(os.rename("/tmp/x", "/tmp/y")) end, function() return assert(loadfile("/etc/passwd")) end, function() return dofile("/etc/passwd") end} do
      assert(not pcall(f)) end
    return true`, { grants: [] }),
  fails("os.exit inside all kinds of catchers", "while true do pcall(coroutine.wrap(function() xpcall(os.exit, os.exit, 3) end)) end", ["returned"]),
  ends("io handles kept open in every way", `
    local t = {} for i = 1, 5000 do local f, e = io.open("f" .. i, "w") if not f then break end t[i] = f f:write("x") end
    return true`, ["returned", "script.failed", "fs.limit", "io.failed", "isle.timeout"], { limits: { cpuMsMax: 2_000 } }),
];
