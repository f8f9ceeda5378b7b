/**
 * `require` and `package`, `loadfile`, `dofile` and `load` (spec: block 5.11). Written in Lua, so that
 * modules may wait for the host while they load. Behaves as Lua 5.4 does, texts included; there are no C
 * modules, and the last searcher knows the embedded blocks.
 */
import type { Tenant } from "../../thread/tenant.ts";
import { pushTable } from "./face.ts";
import { askHost } from "./host-call.ts";
import { runLazily } from "./later.ts";
import { Loading } from "./loading.ts";
import { ownDoors } from "./own-doors.ts";
import type { HostFunction } from "../vm.ts";

const FIRST = String.raw`
local later, shared, textonly, keep = ...
local package = package
shared.package, shared.loaded, shared.preload, shared.stdin = package, package.loaded, package.preload, io.stdin
require, loadfile, dofile = later("require"), later("loadfile"), later("dofile")
if textonly then load = later("load") end
package.searchpath = later("searchpath")
package.searchers = {later("preloaded"), later("found"), later("standard")}
keep(later("requireall"))
`;

const SOURCE = String.raw`
local shared, ask, doors, enter, leave, textonly = ...
-- as deep as the C stack of Lua lets modules be nested
local DEPTH_MAX = 193
local package, loaded, preload, stdin = shared.package, shared.loaded, shared.preload, shared.stdin
local lib = {}
local load, pcall, error, type, tostring, select = load, pcall, error, type, tostring, select
local gsub, gmatch, find, sub, concat = string.gsub, string.gmatch, string.find, string.sub, table.concat
local rawget, setmetatable, running = rawget, setmetatable, coroutine.running

local function bad(at, what, problem)
  error("bad argument #" .. at .. " to '" .. what .. "' (" .. problem .. ")", 3)
end
local function isstring(v) local t = type(v) return t == "string" or t == "number" end
local function got(n, at, v) return n < at and "no value" or type(v) end

if textonly then
  -- bytecode can break out of the VM's own rules: it is refused, with Lua's text
  local function loadtext(chunk, name, mode, ...)
    if mode == nil then return load(chunk, name, "t", ...) end
    if type(mode) ~= "string" then bad(3, "load", "string expected, got " .. type(mode)) end
    if find(mode, "t", 1, true) then return load(chunk, name, "t", ...) end
    local f, problem = load(chunk, name, "t", ...)
    if f then return nil, "attempt to load a text chunk (mode is '" .. mode .. "')" end
    return nil, problem
  end
  lib.load = loadtext
end
local load = lib.load or load

local function system(what, name, e)
  local facts = type(e) == "table" and e.facts
  if not facts or not facts.errno then error(e, 0) end
  return what .. " " .. name .. ": " .. facts.strerror
end

local function source(name)
  if name == nil then return stdin:read("a") or "", "=stdin" end
  local ok, text = pcall(ask, "module.read", name)
  if ok then return text, "@" .. name end
  local isfolder = type(text) == "table" and text.facts and text.facts.name == "EISDIR"
  return nil, system(isfolder and "cannot read" or "cannot open", name, text)
end

function lib.loadfile(name, mode, ...)
  if name ~= nil and not isstring(name) then bad(1, "loadfile", "string expected, got " .. type(name)) end
  local text, chunk = source(name)
  if not text then return nil, chunk end
  return load(text, chunk, mode, ...)
end

function lib.dofile(name)
  if name ~= nil and not isstring(name) then bad(1, "dofile", "string expected, got " .. type(name)) end
  local text, chunk = source(name)
  local f, problem
  if text then f, problem = load(text, chunk) else problem = chunk end
  if not f then error(problem, 0) end
  return f()
end

-- the files that a name means in a path, and what to say when none of them is there
local function candidates(name, path, sep, rep)
  if sep ~= "" then name = gsub(name, gsub(sep, "%W", "%%%0"), (gsub(rep, "%%", "%%%%"))) end
  local files, all = {}, gsub(path, "%?", (gsub(name, "%%", "%%%%")))
  for file in gmatch(all .. ";", "([^;]*);") do files[#files + 1] = file end
  return files
end
local function miss(files) return "no file '" .. concat(files, "'\n\tno file '") .. "'" end

function lib.searchpath(...)
  local name, path, sep, rep = ...
  local n = select("#", ...)
  if not isstring(name) then bad(1, "searchpath", "string expected, got " .. got(n, 1, name)) end
  if not isstring(path) then bad(2, "searchpath", "string expected, got " .. got(n, 2, path)) end
  local files = candidates(tostring(name), tostring(path), tostring(sep or "."), tostring(rep or "/"))
  local found = ask("module.find", files, false)
  if found then return files[found.at] end
  return nil, miss(files)
end

local depth = setmetatable({}, {__mode = "k"})

local function broken(name, file, problem)
  error("error loading module '" .. name .. "' from file '" .. file .. "':\n\t" .. tostring(problem), 0)
end

-- doors to the host that only our own blocks get, made when the first of them is required
local own

function lib.preloaded(name)
  local loader = preload[name]
  if loader ~= nil then return loader, ":preload:" end
  return "no field package.preload['" .. name .. "']"
end

function lib.found(name)
  local path = package.path
  if not isstring(path) then error("'package.path' must be a string", 0) end
  local files = candidates(name, tostring(path), ".", "/")
  local found = ask("module.find", files, true)
  if not found then return miss(files) end
  local file = files[found.at]
  if (depth[running()] or 0) > DEPTH_MAX then broken(name, file, "C stack overflow") end
  local loader, problem = load(found.source, "@" .. file)
  if not loader then broken(name, file, problem) end
  return loader, file
end

function lib.standard(name)
  local found = ask("module.embedded", name)
  if not found then return "no embedded block '" .. name .. "'" end
  local block, problem = load(found.source, found.chunk)
  if not block then error(problem, 0) end
  own = own or doors()
  return function(name, data) return block(name, data, own) end, sub(found.chunk, 2)
end

local function findloader(name)
  local searchers, told = package.searchers, {}
  if type(searchers) ~= "table" then error("'package.searchers' must be a table", 3) end
  local i = 1
  local search = rawget(searchers, i)
  while search ~= nil do
    local loader, data = search(name)
    if type(loader) == "function" then return loader, data end
    if isstring(loader) then told[#told + 1] = "\n\t" .. loader end
    i = i + 1
    search = rawget(searchers, i)
  end
  error("module '" .. name .. "' not found:" .. concat(told), 3)
end

-- while a module is being loaded by this coroutine
local guard = {}
function guard.__close(g)
  depth[g.co] = g.depth
  if g.owns then leave(g.name) end
end

function lib.require(...)
  local name = ...
  if not isstring(name) then bad(1, "require", "string expected, got " .. got(select("#", ...), 1, name)) end
  name = tostring(name)
  local owns
  repeat
    local value = loaded[name]
    if value then return value end
    owns = enter(name)
  until owns ~= nil
  local co = running()
  local _ <close> = setmetatable({co = co, depth = depth[co], name = name, owns = owns}, guard)
  depth[co] = (depth[co] or 0) + 1
  local loader, data = findloader(name)
  local value = loader(name, data)
  if value ~= nil then loaded[name] = value end
  if loaded[name] == nil then loaded[name] = true end
  return loaded[name], data
end

function lib.requireall(...)
  for i = 1, select("#", ...) do lib.require((select(i, ...))) end
end

return lib
`;

export function installRequire(isle: Tenant): void {
  const { state } = isle.vm;
  const { textOnly } = isle.setup;
  const keep: HostFunction = (L) => {
    state.remember(L, "requirer");
    return 0;
  };
  runLazily(isle, "require", { source: FIRST, args: [textOnly, keep] }, {
    source: SOURCE,
    args: () => {
      const loading = new Loading(isle.vm);
      return [askHost(isle), ownDoors(isle), loading.enter, loading.leave, textOnly];
    },
  });
}

export function givePackagePath(isle: Tenant): void {
  const { state } = isle.vm;
  pushTable(isle, ["package"]);
  state.pushText(state.main, "path");
  state.pushText(state.main, isle.setup.packagePath);
  state.x.lua_rawset(state.main, -3);
  state.pop(state.main);
}
