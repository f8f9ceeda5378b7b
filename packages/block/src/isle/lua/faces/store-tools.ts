/** `std.sql.register_tools`, `std.kv.register_tools`, `std.ts.register_tools`: the stores as tools for a model. */
import type { Tenant } from "../../thread/tenant.ts";
import { runLazily } from "./later.ts";

const FIRST = String.raw`
local later = ...
for _, name in ipairs{"sql", "kv", "ts"} do std[name].register_tools = later(name) end
`;

const SOURCE = String.raw`
local std, G = _G.std, _G
local sql, kv, ts, lib = std.sql, std.kv, std.ts, {}
local text, object, list = {type = "string"}, {type = "object"}, {type = "array"}
local any = {}

local SETS = {
  {name = "sql", prefix = "sql_", tools = {
    {"query", "Run a SQL query and return its rows.", {"sql"}, {sql = text, params = list},
      function(i) return {rows = sql.query(i.sql, i.params)} end},
    {"exec", "Run a SQL statement that changes data.", {"sql"}, {sql = text, params = list},
      function(i) return sql.exec(i.sql, i.params) end},
  }},
  {name = "kv", prefix = "kv_", tools = {
    {"get", "Read a value by key.", {"ns", "key"}, {ns = text, key = text},
      function(i) return {value = kv.get(i.ns, i.key)} end},
    {"set", "Store a value under a key.", {"ns", "key", "value"}, {ns = text, key = text, value = any},
      function(i) kv.set(i.ns, i.key, i.value) return {ok = true} end},
    {"delete", "Delete a key.", {"ns", "key"}, {ns = text, key = text},
      function(i) return {deleted = kv.delete(i.ns, i.key)} end},
    {"list", "List keys, optionally by prefix.", {"ns"}, {ns = text, prefix = text},
      function(i) return {keys = kv.list(i.ns, i.prefix)} end},
  }},
  {name = "ts", prefix = "ts_", tools = {
    {"append", "Append a value to a time series.", {"series", "value"}, {series = text, value = any, tags = object, at_ms = {type = "integer"}},
      function(i) ts.append(i.series, i.value, i.tags, i.at_ms) return {ok = true} end},
    {"query", "Query a time series.", {"series"}, {series = text, opts = object},
      function(i) return {rows = ts.query(i.series, i.opts)} end},
    {"last", "Read the last value of a time series.", {"series"}, {series = text, tags = object},
      function(i) return {row = ts.last(i.series, i.tags)} end},
  }},
}

local function allowed(opts, name)
  if opts.allowed == nil then return true end
  for _, one in ipairs(opts.allowed) do if one == name then return true end end
  return false
end

local function without(names, locked)
  local left = {}
  for _, name in ipairs(names) do if not (locked and name == "ns") then left[#left + 1] = name end end
  return left
end

for _, set in ipairs(SETS) do
  lib[set.name] = function(opts)
    opts = opts or {}
    if type(opts) ~= "table" then error(set.name .. ".register_tools: argument #1 must be a table, got " .. type(opts), 0) end
    local names, lock = {}, set.name == "kv" and opts.ns_lock or nil
    for _, t in ipairs(set.tools) do
      if allowed(opts, t[1]) then
        local name = (opts.prefix or set.prefix) .. t[1]
        local properties = {}
        for key, schema in pairs(t[4]) do if not (lock and key == "ns") then properties[key] = schema end end
        local schema = {type = "object", properties = properties}
        local required = without(t[3], lock)
        if #required > 0 then schema.required = required end
        G.tool.register(name, {description = t[2], input_schema = schema}, function(input)
          local i = {}
          for key, value in pairs(input or {}) do i[key] = value end
          if lock then i.ns = lock end
          return t[5](i)
        end)
        names[#names + 1] = name
      end
    end
    return names
  end
end
return lib
`;

export function installStoreTools(isle: Tenant): void {
  runLazily(isle, "store-tools", { source: FIRST }, { source: SOURCE, args: () => [] });
}
