---@meta

---What a field must be.
---@class FieldRule
---@field type? ("string" | "number" | "integer" | "boolean" | "table" | "function" | "any") Its type.
---@field required? boolean It must be there.
---@field min? number Least number.
---@field max? number Greatest number.
---@field min_len? integer Least length.
---@field max_len? integer Greatest length.
---@field one_of? any[] All it may be.
local FieldRule = {}

---Tables against schemas.
std.validate = {}

---True, or false and a message for each problem, sorted by key.
---@param data table What to check.
---@param schema table<string, (string | FieldRule)> For each key a type name or a rule.
---@return boolean
---@return string[]?
function std.validate.check(data, schema) end
