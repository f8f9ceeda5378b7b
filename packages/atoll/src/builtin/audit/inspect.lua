-- Looks through one package: licence, size, native binaries, install scripts and what they call, how it is locked.
local licence = require("licence")
local risk = require("risk")
local M = {}

local NATIVE = { node = true, so = true, dll = true, dylib = true, exe = true, wasm = true }
local INSTALL = { "preinstall", "install", "postinstall" }
-- First bytes of programs: ELF, Mach-O (both byte orders, fat), Windows.
local MAGIC = { ["\127ELF"] = true, ["\xcf\xfa\xed\xfe"] = true, ["\xfe\xed\xfa\xcf"] = true, ["\xca\xfe\xba\xbe"] = true }

local function is_program(path)
  local file = io.open(path, "rb")
  if not file then return false end
  local head = file:read(4)
  file:close()
  return head ~= nil and (MAGIC[head] == true or head:sub(1, 2) == "MZ")
end

local function is_native(path, name, size)
  local ext = std.path.ext(name)
  if ext then return NATIVE[ext] == true end
  return size >= 4096 and is_program(path)
end

-- Sizes and native files of one package, without the packages nested in it.
local function measure(dir, inside, into)
  for _, entry in ipairs(std.fs.list(dir)) do
    local path = std.path.join(dir, entry.name)
    local name = inside == "" and entry.name or inside .. "/" .. entry.name
    if entry.type == "file" then
      into.files = into.files + 1
      into.bytes = into.bytes + entry.size
      if is_native(path, entry.name, entry.size) then into.native[#into.native + 1] = { file = name, bytes = entry.size } end
    elseif entry.type == "dir" and entry.name ~= "node_modules" then
      measure(path, name, into)
    end
  end
end

-- What an install script starts: the file it names, if it names one that is there.
local function called(dir, command)
  local file = command:match("node%s+([^%s;&|]+)")
  if not file then return nil end
  for _, name in ipairs({ file, file .. ".js", file .. ".cjs", file .. ".mjs" }) do
    if std.fs.is_file(std.path.join(dir, name)) then return name end
  end
  return nil
end

local function install_scripts(dir, manifest)
  local found = {}
  local scripts = type(manifest.scripts) == "table" and manifest.scripts or {}
  for _, hook in ipairs(INSTALL) do
    local command = scripts[hook]
    if type(command) == "string" then
      local file = called(dir, command)
      found[#found + 1] = { hook = hook, command = command, file = file, risky = risk.calls(command, file and std.path.join(dir, file)) }
    end
  end
  if #found == 0 and std.fs.is_file(std.path.join(dir, "binding.gyp")) then
    found[1] = { hook = "install", command = "node-gyp rebuild" }
  end
  return found
end

local function text(value) return type(value) == "string" and value or nil end

-- What is found in {path, version?, unlocked?, unsigned?}, and a score: 0 is nothing to say, 100 the most.
function M.package(root, item)
  local path = item.path
  local dir = std.path.join(root, path)
  local package = { path = path, files = 0, bytes = 0, native = {}, install = {}, unlocked = item.unlocked, unsigned = item.unsigned }
  local ok, problem = pcall(measure, dir, "", package)
  local read, manifest = pcall(function() return std.json.decode(std.fs.read(std.path.join(dir, "package.json"))) end)
  if not ok or not read or type(manifest) ~= "table" then
    package.name = path:match("@[^/]+/[^/]+$") or path:match("[^/]+$")
    package.broken = (not ok or not read) and (tostring(not read and manifest or problem):gsub("^fs%.%w+: .-: ", ""))
      or "package.json is not an object"
  else
    package.name = text(manifest.name) or path:match("@[^/]+/[^/]+$") or path:match("[^/]+$")
    package.version = text(manifest.version) or ""
    package.licence, package.licence_kind = licence.read(manifest)
    package.install = install_scripts(dir, manifest)
    package.engine = type(manifest.engines) == "table" and text(manifest.engines.node) or nil
    if item.version and item.version ~= package.version then package.locked = item.version end
  end
  package.score = risk.score(package)
  for _, list in ipairs({ "native", "install" }) do if #package[list] == 0 then package[list] = nil end end
  return package
end

return M
