---@meta

---JSON texts.
std.json = {}

---A value as JSON, its keys sorted.
---@param v any Plain data.
---@return string
function std.json.encode(v) end

---The same over several lines, indented by two.
---@param v any Plain data.
---@return string
function std.json.encode_pretty(v) end

---The value of a JSON text; null is nil.
---@param s string JSON.
---@return any
function std.json.decode(s) end

---The value in a JSON file.
---@async
---@param path string File.
---@return any
function std.json.read_file(path) end

---Writes a value as an indented JSON file.
---@async
---@param path string File.
---@param v any Plain data.
---@return boolean
function std.json.write_file(path, v) end

---Marks a table as a list, so that an empty one is `[]`.
---@param t? table Default a new table.
---@return table
function std.json.array(t) end
