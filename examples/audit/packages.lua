-- Finds every package below a node_modules folder: scoped ones, and those nested in other packages.
local licence = require("licence")
local M = {}

local WORKERS = 8
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
      found[#found + 1] = { hook = hook, command = command, file = called(dir, command) }
    end
  end
  if #found == 0 and std.fs.is_file(std.path.join(dir, "binding.gyp")) then
    found[1] = { hook = "install", command = "node-gyp rebuild" }
  end
  return found
end

local function text(value) return type(value) == "string" and value or nil end

local function read_package(dir, path)
  local package = { path = path, files = 0, bytes = 0, native = {}, install = {} }
  measure(dir, "", package)
  local ok, manifest = pcall(function() return std.json.decode(std.fs.read(std.path.join(dir, "package.json"))) end)
  if not ok or type(manifest) ~= "table" then
    package.name = path:match("@[^/]+/[^/]+$") or path:match("[^/]+$")
    package.broken = ok and "package.json is not an object" or (tostring(manifest):gsub("^fs%.read: .-: ", ""))
    return package
  end
  package.name = text(manifest.name) or path:match("@[^/]+/[^/]+$") or path:match("[^/]+$")
  package.version = text(manifest.version) or ""
  package.licence, package.licence_kind = licence.read(manifest)
  package.install = install_scripts(dir, manifest)
  return package
end

-- Folders that may hold packages, as a list of work: {dir, path}. Grows while it is worked on.
local function packages_in(root)
  local dirs = {}
  local function collect(modules, path)
    for _, entry in ipairs(std.fs.list(modules)) do
      local dir, here = std.path.join(modules, entry.name), path .. entry.name
      if entry.type == "dir" and entry.name:sub(1, 1) == "@" then
        collect(dir, here .. "/")
      elseif entry.type == "dir" and entry.name:sub(1, 1) ~= "." then
        if std.fs.is_file(std.path.join(dir, "package.json")) then dirs[#dirs + 1] = { dir = dir, path = here } end
        local nested = std.path.join(dir, "node_modules")
        if std.fs.is_dir(nested) then collect(nested, here .. "/node_modules/") end
      end
    end
  end
  collect(root, "")
  return dirs
end

function M.find(root, show)
  local dirs = packages_in(root)
  local found, next_index = {}, 0
  std.task.scope("audit", function(scope)
    local workers = {}
    for i = 1, WORKERS do
      workers[i] = scope:spawn(function()
        while next_index < #dirs do
          next_index = next_index + 1
          local index = next_index
          found[index] = read_package(dirs[index].dir, dirs[index].path)
          show.step(index, #dirs, dirs[index].path)
        end
      end, { name = "worker " .. i })
    end
    for i = 1, WORKERS do workers[i]:join() end
  end)
  table.sort(found, function(a, b) return a.path < b.path end)
  return found
end

return M
