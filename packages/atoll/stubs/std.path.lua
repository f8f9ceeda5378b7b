---@meta

---Paths as text; only `absolute` looks at the disk.
std.path = {}

---Parts with `/` between; an absolute part begins anew.
---@param ... string Texts.
---@return string
function std.path.join(...) end

---The path without its last part, or nil.
---@param p string Path.
---@return string?
function std.path.parent(p) end

---The last part, or nil.
---@param p string Path.
---@return string?
function std.path.filename(p) end

---The last part without its extension, or nil.
---@param p string Path.
---@return string?
function std.path.stem(p) end

---The extension without its dot, or nil.
---@param p string Path.
---@return string?
function std.path.ext(p) end

---The real path of what exists, links resolved.
---@async
---@param path string Path.
---@return string
function std.path.absolute(path) end

---Does it begin at the root?
---@param p string Path.
---@return boolean
function std.path.is_absolute(p) end
