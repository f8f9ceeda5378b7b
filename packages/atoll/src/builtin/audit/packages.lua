-- Finds the packages below a node_modules folder: scoped ones, and those nested in other packages.
local M = {}

-- What npm noted when it installed: {path → {version, integrity}}; nil where there is no such file, or it cannot be read.
function M.lock(root)
  local path = std.path.join(root, ".package-lock.json")
  if not std.fs.is_file(path) then return nil end
  local ok, file = pcall(function() return std.json.decode(std.fs.read(path)) end)
  return ok and type(file) == "table" and type(file.packages) == "table" and file.packages or nil
end

local function entry(path, lock)
  if not lock then return { path = path } end
  local locked = lock["node_modules/" .. path]
  if type(locked) ~= "table" then return { path = path, unlocked = true } end
  local version = type(locked.version) == "string" and locked.version or nil
  return { path = path, version = version, unsigned = type(locked.integrity) ~= "string" or nil }
end

-- {path, version?, unlocked?, unsigned?} of each, by path: the locked version, not in the lock file, there without a checksum.
function M.find(root, lock)
  local found = {}
  local function collect(modules, path)
    for _, item in ipairs(std.fs.list(modules)) do
      local dir, here = std.path.join(modules, item.name), path .. item.name
      if item.type == "dir" and item.name:sub(1, 1) == "@" then
        collect(dir, here .. "/")
      elseif item.type == "dir" and item.name:sub(1, 1) ~= "." then
        if std.fs.is_file(std.path.join(dir, "package.json")) then found[#found + 1] = entry(here, lock) end
        local nested = std.path.join(dir, "node_modules")
        if std.fs.is_dir(nested) then collect(nested, here .. "/node_modules/") end
      end
    end
  end
  collect(root, "")
  table.sort(found, function(a, b) return a.path < b.path end)
  return found
end

return M
