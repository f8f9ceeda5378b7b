-- What a schema says, as data.
local M = {}

-- A schema without its wrappers; whether nil is fine; the outermost sentence about it.
local function bare(schema)
  local optional, doc = false, nil
  while schema.kind == "optional" or schema.kind == "described" do
    optional = optional or schema.kind == "optional"
    doc = doc or schema.doc
    schema = schema.inner
  end
  return schema, optional, doc
end
M._bare = bare

local function sorted(map)
  local names = {}
  for name in pairs(map) do names[#names + 1] = name end
  table.sort(names)
  return names
end

--- The fields of a shape, by name: `{name, kind, optional, doc?, schema}`, the schema without wrappers.
function M.fields(schema)
  local shape = bare(schema)
  if shape.kind ~= "shape" then error("lshape: reflect.fields: expected a shape, got " .. shape.kind, 0) end
  local out = {}
  for i, name in ipairs(sorted(shape.fields)) do
    local field, optional, doc = bare(shape.fields[name])
    out[i] = {name = name, kind = field.kind, optional = optional, doc = doc, schema = field}
  end
  return out
end

local function children(schema)
  local kind = schema.kind
  if kind == "optional" or kind == "described" then return {{"", schema.inner}} end
  if kind == "array_of" then return {{"[]", schema.item}} end
  if kind == "map_of" then return {{"{key}", schema.key}, {"{value}", schema.value}} end
  local out = {}
  if kind == "any_of" then
    for i, one in ipairs(schema.schemas) do out[i] = {"|" .. i, one} end
  elseif kind == "shape" then
    for i, name in ipairs(sorted(schema.fields)) do out[i] = {"." .. name, schema.fields[name]} end
  elseif kind == "discriminated" then
    for i, name in ipairs(sorted(schema.variants)) do out[i] = {"<" .. name .. ">", schema.variants[name]} end
  end
  return out
end

local function walk(schema, visit, path)
  if visit(schema, path) == false then return end
  for _, child in ipairs(children(schema)) do walk(child[2], visit, path .. child[1]) end
end

--- Calls `visit(schema, path)` for the schema and all within, parents first; `false` skips what is within.
function M.walk(schema, visit) walk(schema, visit, "$") end

return M
