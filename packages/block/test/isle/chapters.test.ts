/**
 * Lua passes the chapters of any script engine: on a thread for each isle, and on threads that isles share.
 */
import { isleChapters, type IsleScripts } from "@atoll-run/testkit";
import { createIslePool } from "../../src/isle/host/pool.ts";
import { ownThreads } from "../../src/isle/host/threads.ts";
import { luaModule } from "./bare-state.ts";
import { luaEngine } from "./lua-engine.ts";

const begun = `tool.call("begun")\n`;

const scripts: IsleScripts = {
  seven: "return 7", nothing: "", passOn: `return tool.call("take", tool.call("give"))`,
  caught: `local _, e = pcall(tool.call, "refuse") return {e.code, tostring(e)}`,
  uncaught: `tool.call("refuse")`,
  nested: `
    local answers = {}
    local function ask(n) answers[#answers + 1] = tool.call("ask", n) return n end
    coroutine.wrap(function() pcall(function() coroutine.wrap(ask)(0) end) end)()
    local once = true
    table.sort({2, 1}, function(a, b) if once then once = false ask(1) end return a < b end)
    local _ = ("x"):gsub("x", function() ask(2) end)
    return answers`,
  broken: "local x = = 1", boom: `error("boom")`,
  count: `N = (N or 0) + 1 string.mark = (string.mark or 0) + 1 return N + string.mark - 1`,
  print: `print("a") tool.call("ask") print("b")`,
  serve: `
    local n = 0
    bus.on("echo", function(ev) return ev.payload end)
    bus.on("fail", function() error("no") end)
    bus.on("add", function() n = n + 1 return n end)
    bus.serve()`,
  wait: `tool.call("ask")`,
  endless: {
    "loop in pcall in a coroutine in a task": `${begun} std.task.spawn(function()
      coroutine.wrap(function() while true do pcall(function() while true do end end) end end)() end):join()`,
    "raise and catch errors": `${begun} while true do pcall(error, {}) end`,
    "match a pattern": `${begun} while true do (("a"):rep(40)):find(("a*"):rep(20) .. "b") end`,
    "close variables": `${begun} while true do pcall(function()
      local x <close> = setmetatable({}, {__close = function() while true do end end}) error("x") end) end`,
    "collect garbage": `${begun} for i = 1, math.huge do setmetatable({}, {__gc = function() while true do
      end end}) end`,
    "start tasks": `${begun} while true do std.task.spawn(function() end):join() end`,
    "encode JSON": `${begun} local t = {} for i = 1, 1e5 do t[i] = i end while true do
      std.json.encode(t) end`,
  },
  hungry: {
    "doubling a string": `local s = "x" while true do s = s .. s end`,
    "a growing table": "local t = {} for i = 1, math.huge do t[i] = i end",
    "closures": "local f for i = 1, math.huge do local g = f f = function() return g end end",
    "coroutines": "local t = {} for i = 1, math.huge do t[i] = coroutine.create(print) end",
  },
  sated: `local ok, e = pcall(function() local s = "x" while true do s = s .. s end end)
    return not ok and e == "not enough memory" and "caught"`,
};

isleChapters({ name: "Lua, a thread for each isle", scripts, open: () => luaEngine(ownThreads(luaModule)) });
isleChapters({ name: "Lua, isles on shared threads", scripts,
  open: () => luaEngine(createIslePool(luaModule(), { max: 2 })) });
