---@meta

---Which tools of a store are registered.
---@class StoreToolOptions
---@field allowed? string[] Names without prefix; default all.
---@field prefix? string Default `sql_`, `kv_` or `ts_`.
---@field ns_lock? string kv: the one namespace that the tools use; a model cannot name another.
local StoreToolOptions = {}

---Values under keys, in namespaces.
std.kv = {}

---The value under a key; nil when there is none.
---@async
---@param ns string Namespace: any name without `/`, `\`, `..` and NUL.
---@param key string Key.
---@return any?
function std.kv.get(ns, key) end

---Stores a value; when it returns, it is on disk.
---@async
---@param ns string Namespace: any name without `/`, `\`, `..` and NUL.
---@param key string Key.
---@param value any Plain data; nil is stored as null.
function std.kv.set(ns, key, value) end

---Deletes a key; true when it was there.
---@async
---@param ns string Namespace: any name without `/`, `\`, `..` and NUL.
---@param key string Key.
---@return boolean
function std.kv.delete(ns, key) end

---Keys of a namespace, sorted by bytes.
---@async
---@param ns string Namespace: any name without `/`, `\`, `..` and NUL.
---@param prefix? string Only keys that begin so.
---@return string[]
function std.kv.list(ns, prefix) end

---Registers the store as tools (get, set, delete, list) and gives their names.
---@param opts? StoreToolOptions Which tools, and their prefix.
---@return string[]
function std.kv.register_tools(opts) end
