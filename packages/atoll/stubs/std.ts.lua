---@meta

---Which rows of a series, and how they are summed up.
---@class SeriesQuery
---@field from? integer Milliseconds, inclusive.
---@field to? integer Milliseconds, inclusive.
---@field tags? table<string, any> Only rows that have all of these; `1` is not `"1"`.
---@field agg? ("count" | "sum" | "avg" | "last") One row `{value}` instead of rows.
---@field bucket_ms? integer With `agg`: one row for each stretch of so many milliseconds.
---@field limit? integer Rows at most.
---@field offset? integer Rows to leave out first.
local SeriesQuery = {}

---A row of a series.
---@class SeriesRow
---@field ts? integer Milliseconds since 1970.
---@field bucket_ts? integer Begin of its stretch of time.
---@field value? any What was appended, or what it comes to.
---@field tags? table<string, any> As appended.
local SeriesRow = {}

---Values over time.
std.ts = {}

---Appends a value to a series.
---@async
---@param series string Name of the series.
---@param value any Plain data; numbers can be summed.
---@param tags? table<string, any> Names of letters, digits and `_`, with texts, numbers or booleans.
---@param at_ms? integer Milliseconds since 1970; default now.
function std.ts.append(series, value, tags, at_ms) end

---Rows of a series, or what they come to.
---@async
---@param series string Name of the series.
---@param opts? SeriesQuery Which rows, and how they are summed up.
---@return SeriesRow[]
function std.ts.query(series, opts) end

---The last row of a series, or nil.
---@async
---@param series string Name of the series.
---@param tags? table<string, any> Only rows that have all of these.
---@return SeriesRow?
function std.ts.last(series, tags) end

---Registers the store as tools (append, query, last) and gives their names.
---@param opts? StoreToolOptions Which tools, and their prefix.
---@return string[]
function std.ts.register_tools(opts) end
