-- Schemas as LuaCATS annotations, which editors read.
local reflect = require("lshape.reflect")

local M = {}

local show, write

local function literal(value)
  return type(value) == "string" and string.format("%q", value) or tostring(value)
end

local function union(list, of)
  local out = {}
  for i, one in ipairs(list) do out[i] = of(one) end
  return table.concat(out, "|")
end

write = {
  pattern = function() return "string" end,
  ref = function(schema) return schema.name end,
  literal = function(schema) return literal(schema.value) end,
  one_of = function(schema) return union(schema.values, literal) end,
  any_of = function(schema) return union(schema.schemas, show) end,
  map_of = function(schema) return "table<" .. show(schema.key) .. ", " .. show(schema.value) .. ">" end,
  array_of = function(schema)
    local item = show(schema.item)
    return (item:find("|", 1, true) and "(" .. item .. ")" or item) .. "[]"
  end,
  shape = function(schema)
    local out = {}
    for i, field in ipairs(reflect.fields(schema)) do
      out[i] = field.name .. (field.optional and "?" or "") .. ": " .. show(field.schema)
    end
    return "{ " .. table.concat(out, ", ") .. " }"
  end,
  discriminated = function(schema)
    local variants = {}
    for _, variant in pairs(schema.variants) do variants[#variants + 1] = show(variant) end
    table.sort(variants)
    return table.concat(variants, "|")
  end,
}

function show(schema)
  local inner, optional = reflect._bare(schema)
  local text = write[inner.kind] and write[inner.kind](inner) or inner.kind
  return optional and text .. "|nil" or text
end

local function one_line(text) return (text:gsub("%s*\n%s*", " ")) end

--- One class or alias: `---@class Name` with a line a field, or `---@alias Name type`.
function M.class_for(name, schema)
  local inner, _, doc = reflect._bare(schema)
  local lines = {}
  if doc then lines[1] = "---" .. one_line(doc) end
  if inner.kind ~= "shape" then
    lines[#lines + 1] = "---@alias " .. name .. " " .. show(schema)
    return table.concat(lines, "\n")
  end
  lines[#lines + 1] = "---@class " .. name
  for _, field in ipairs(reflect.fields(inner)) do
    local line = "---@field " .. field.name .. (field.optional and "? " or " ") .. show(field.schema)
    lines[#lines + 1] = field.doc and line .. " " .. one_line(field.doc) or line
  end
  return table.concat(lines, "\n")
end

--- A whole file for schemas by name, in the order of the names.
function M.gen(schemas)
  local names = {}
  for name in pairs(schemas) do names[#names + 1] = name end
  table.sort(names)
  local parts = {"---@meta"}
  for _, name in ipairs(names) do parts[#parts + 1] = M.class_for(name, schemas[name]) end
  return table.concat(parts, "\n\n") .. "\n"
end

return M
