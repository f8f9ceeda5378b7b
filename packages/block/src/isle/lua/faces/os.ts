/**
 * `os`: what needs the host goes through its grants; `time`, `date`, `difftime` and `setlocale` are Lua's
 * own. All times are UTC, and the locale is "C".
 */
import type { Tenant } from "../../thread/tenant.ts";
import type { HostFunction } from "../vm.ts";
import { askHost } from "./host-call.ts";
import { runLazily } from "./later.ts";

const FIRST = String.raw`
local later, _, clock = ...
for _, name in ipairs{"execute", "exit", "getenv", "remove", "rename", "tmpname"} do os[name] = later(name) end
os.clock = clock
`;

const SOURCE = String.raw`
local _, ask, exit = ...
local type, error, pcall, select, tostring, tonumber = type, error, pcall, select, tostring, tonumber
local tointeger, os = math.tointeger, {}

local function bad(at, what, problem)
  error("bad argument #" .. at .. " to '" .. what .. "' (" .. problem .. ")", 4)
end

local function text(at, what, ...)
  local v = (select(at, ...))
  if type(v) == "string" then return v end
  if type(v) == "number" then return tostring(v) end
  bad(at, what, "string expected, got " .. (select("#", ...) < at and "no value" or type(v)))
end

-- what the system refuses is a result, everything else goes on as an error
local function refused(e, problem)
  local facts = type(e) == "table" and e.facts
  if not facts or not facts.errno then error(e, 0) end
  return nil, problem or e.message, facts.errno
end

function os.execute(...)
  local command = ...
  if command ~= nil then command = text(1, "execute", ...) end
  local ok, ended = pcall(ask, "os.execute", command)
  if not ok then return refused(ended) end
  if command == nil then return ended end
  return ended.ok or nil, ended.kind, ended.code
end

function os.exit(code)
  if code == nil or code == true then code = 0
  elseif code == false then code = 1
  else
    local n = tonumber(code)
    if n == nil or (type(code) ~= "number" and type(code) ~= "string") then
      error("bad argument #1 to 'exit' (number expected, got " .. type(code) .. ")", 2)
    end
    code = tointeger(n)
    if code == nil then error("bad argument #1 to 'exit' (number has no integer representation)", 2) end
  end
  exit(code)
end

function os.getenv(...)
  return (ask("std.env.get", text(1, "getenv", ...)))
end

function os.remove(...)
  local ok, e = pcall(ask, "os.remove", text(1, "remove", ...))
  if ok then return true end
  return refused(e)
end

function os.rename(...)
  local ok, e = pcall(ask, "os.rename", text(1, "rename", ...), text(2, "rename", ...))
  if ok then return true end
  return refused(e, type(e) == "table" and e.facts and e.facts.strerror)
end

function os.tmpname()
  local ok, name = pcall(ask, "os.tmpname")
  if ok then return name end
  refused(name)
  error("unable to generate a unique filename", 2)
end

return os
`;

export function installOs(isle: Tenant): void {
  const { vm, files } = isle;
  /** Ends the run. What was written is with the host before; the caller waits for its end. */
  const exit: HostFunction = (L) => {
    const code = Number(vm.state.number(L, 1));
    return vm.wait(L, () => {
      files.settle(() => isle.send("os.exit", [code], () => undefined));
      return { cancel: () => undefined };
    });
  };
  /** CPU seconds of this isle. */
  const clock: HostFunction = (L) => {
    vm.state.x.lua_pushnumber(L, vm.cpuMsNow / 1000);
    return 1;
  };
  runLazily(isle, "os", { source: FIRST, args: [clock] },
    { source: SOURCE, args: () => [askHost(isle), exit] });
}
