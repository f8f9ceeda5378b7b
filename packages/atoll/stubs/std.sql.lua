---@meta

---What a statement changed.
---@class SqlChange
---@field affected integer Rows that changed.
---@field last_id integer Row id of the last insert.
local SqlChange = {}

---An SQLite database of the block.
std.sql = {}

---NULL in rows and parameters; JSON's null everywhere else.
---@type userdata
std.sql.null = nil

---Rows of a query; NULL is `std.sql.null`.
---@async
---@param sql string One statement.
---@param params? any[] Values of its `?`, by place.
---@return table<string, any>[]
function std.sql.query(sql, params) end

---Runs a statement that changes data.
---@async
---@param sql string One statement.
---@param params? any[] Values of its `?`, by place.
---@return SqlChange
function std.sql.exec(sql, params) end

---Registers the store as tools (query, exec) and gives their names.
---@param opts? StoreToolOptions Which tools, and their prefix.
---@return string[]
function std.sql.register_tools(opts) end
