-- Schemas: plain tables with a `kind`, never changed once made, so that they can be shared.
local T = {}

local methods = {}
local schema_mt = {__index = methods, __name = "schema"}

local function make(schema) return setmetatable(schema, schema_mt) end

local function fail(what, problem) error("lshape: t." .. what .. ": " .. problem, 0) end

local function is_schema(v) return type(v) == "table" and getmetatable(v) == schema_mt end

local function need_schema(what, v, name)
  if not is_schema(v) then fail(what, name .. " must be a schema, got " .. type(v)) end
  return v
end

local function need(what, v, wanted, name)
  if type(v) ~= wanted then fail(what, name .. " must be a " .. wanted .. ", got " .. type(v)) end
  return v
end

-- a list of the caller stays the caller's
local function copy(list)
  local out = {}
  for k, v in pairs(list) do out[k] = v end
  return out
end

--- The same schema where nil is fine too.
function methods:is_optional()
  if self.kind == "optional" then return self end
  return make({kind = "optional", inner = self})
end

--- The same schema with a sentence for readers; checking ignores it.
function methods:describe(doc)
  return make({kind = "described", inner = self, doc = need("describe", doc, "string", "the text")})
end

for _, kind in ipairs({"string", "number", "boolean", "table", "any"}) do T[kind] = make({kind = kind}) end

local function names_to_schemas(what, fields)
  for name, field in pairs(need(what, fields, "table", "fields")) do
    if type(name) ~= "string" then fail(what, "names must be strings, got " .. type(name)) end
    need_schema(what, field, "field '" .. name .. "'")
  end
  return copy(fields)
end

--- A table with these fields. Others are fine too, unless `opts.open` is false.
function T.shape(fields, opts)
  local open = true
  if opts ~= nil and need("shape", opts, "table", "opts").open ~= nil then open = opts.open end
  return make({kind = "shape", fields = names_to_schemas("shape", fields), open = open})
end

--- A shape (or its fields) with every field optional.
function T.partial(of, opts)
  local fields, open = of, nil
  if is_schema(of) then
    if of.kind ~= "shape" then fail("partial", "only a shape can be partial, got " .. of.kind) end
    fields, open = of.fields, of.open
  end
  local some = {}
  for name, field in pairs(names_to_schemas("partial", fields)) do some[name] = field:is_optional() end
  return T.shape(some, opts or {open = open})
end

--- A list 1..n of `item`, with no other keys.
function T.array_of(item)
  return make({kind = "array_of", item = need_schema("array_of", item, "the item")})
end

--- A table whose every key and value fits.
function T.map_of(key, value)
  need_schema("map_of", key, "the key")
  return make({kind = "map_of", key = key, value = need_schema("map_of", value, "the value")})
end

--- One of these plain values.
function T.one_of(values)
  if #need("one_of", values, "table", "values") == 0 then fail("one_of", "needs at least one value") end
  return make({kind = "one_of", values = copy(values)})
end

--- Exactly this plain value.
function T.literal(value)
  local type_of = type(value)
  if type_of ~= "string" and type_of ~= "number" and type_of ~= "boolean" then
    fail("literal", "the value must be a string, number or boolean, got " .. type_of)
  end
  return make({kind = "literal", value = value})
end

--- Whatever one of these schemas accepts; they are tried in order.
function T.any_of(schemas)
  if #need("any_of", schemas, "table", "schemas") == 0 then fail("any_of", "needs at least one schema") end
  for i, schema in ipairs(schemas) do need_schema("any_of", schema, "#" .. i) end
  return make({kind = "any_of", schemas = copy(schemas)})
end

--- A table whose field `tag` says which of the shapes it has: `{circle = shape, square = shape}`.
function T.discriminated(tag, variants)
  need("discriminated", tag, "string", "the tag")
  return make({kind = "discriminated", tag = tag, variants = names_to_schemas("discriminated", variants)})
end

--- A string in which this Lua pattern is found; anchor it with `^` and `$`.
function T.pattern(pattern)
  need("pattern", pattern, "string", "the pattern")
  local ok, problem = pcall(string.find, "", pattern)
  if not ok then fail("pattern", problem) end
  return make({kind = "pattern", pattern = pattern})
end

--- The schema of this name in the registry, looked up when it is needed: recursive data is possible.
function T.ref(name) return make({kind = "ref", name = need("ref", name, "string", "the name")}) end

--- Whether `v` was made here.
T.is_schema = is_schema

return T
