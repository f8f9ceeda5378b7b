-- Does a value fit a schema, and where does it not?
local M = {dev_env_var = "LSHAPE_CHECK"}

-- deeper than any JSON of ours; what goes deeper is a cycle
local DEPTH_MAX = 128

--- Schemas by the name that `t.ref` gives; calling it gives the table itself.
M.default_registry = setmetatable({}, {__call = function(registry) return registry end})

local checks = {}

local function violation(path, problem) return false, "shape violation at " .. path .. ": " .. problem end

-- plain values, so that reasons stay short and show no addresses
local function show(v)
  if type(v) == "string" then
    return string.format("%q", #v > 60 and v:sub(1, 60) .. "..." or v)
  end
  if type(v) == "table" or type(v) == "function" or type(v) == "thread" or type(v) == "userdata" then
    return type(v)
  end
  return tostring(v)
end

local function step(path, key)
  if type(key) == "string" and key:find("^[%a_][%w_]*$") then return path .. "." .. key end
  return path .. "[" .. show(key) .. "]"
end

local function list(values)
  local out = {}
  for i, value in ipairs(values) do out[i] = show(value) end
  return table.concat(out, ", ")
end

local function sorted_keys(of)
  local keys = {}
  for key in pairs(of) do keys[#keys + 1] = key end
  table.sort(keys, function(a, b)
    if type(a) == type(b) and (type(a) == "string" or type(a) == "number") then return a < b end
    return tostring(a) < tostring(b)
  end)
  return keys
end

local function check(v, schema, path, how)
  if how.depth >= DEPTH_MAX then
    return violation(path, "nesting too deep (limit: " .. DEPTH_MAX .. ")")
  end
  local inner = {registry = how.registry, depth = how.depth + 1}
  return checks[schema.kind](v, schema, path, inner)
end

local function expect(wanted, v, path)
  if type(v) == wanted then return true end
  return violation(path, "expected " .. wanted .. ", got " .. type(v))
end

for _, kind in ipairs({"string", "number", "boolean", "table"}) do
  checks[kind] = function(v, _, path) return expect(kind, v, path) end
end
function checks.any() return true end
function checks.optional(v, schema, path, how)
  if v == nil then return true end
  return check(v, schema.inner, path, how)
end
function checks.described(v, schema, path, how) return check(v, schema.inner, path, how) end

function checks.shape(v, schema, path, how)
  local ok, why = expect("table", v, path)
  if not ok then return ok, why end
  for _, name in ipairs(sorted_keys(schema.fields)) do
    ok, why = check(v[name], schema.fields[name], step(path, name), how)
    if not ok then return ok, why end
  end
  if schema.open then return true end
  for _, name in ipairs(sorted_keys(v)) do
    if schema.fields[name] == nil then return violation(step(path, name), "unexpected field") end
  end
  return true
end

function checks.array_of(v, schema, path, how)
  local ok, why = expect("table", v, path)
  if not ok then return ok, why end
  local n, count = #v, 0
  for key in pairs(v) do
    count = count + 1
    if math.type(key) ~= "integer" or key < 1 or key > n then
      return violation(step(path, key), "unexpected key in an array")
    end
  end
  if count ~= n then return violation(path, "array with holes") end
  for i = 1, n do
    ok, why = check(v[i], schema.item, step(path, i), how)
    if not ok then return ok, why end
  end
  return true
end

function checks.map_of(v, schema, path, how)
  local ok, why = expect("table", v, path)
  if not ok then return ok, why end
  for _, key in ipairs(sorted_keys(v)) do
    local at = step(path, key)
    ok, why = check(key, schema.key, at .. " (key)", how)
    if not ok then return ok, why end
    ok, why = check(v[key], schema.value, at, how)
    if not ok then return ok, why end
  end
  return true
end

function checks.one_of(v, schema, path)
  for _, value in ipairs(schema.values) do if rawequal(v, value) then return true end end
  return violation(path, "expected one of [" .. list(schema.values) .. "], got " .. show(v))
end

function checks.literal(v, schema, path)
  if rawequal(v, schema.value) then return true end
  return violation(path, "expected " .. show(schema.value) .. ", got " .. show(v))
end

function checks.any_of(v, schema, path, how)
  local reasons = {}
  for i, one in ipairs(schema.schemas) do
    local ok, why = check(v, one, path, how)
    if ok then return true end
    reasons[i] = why:gsub("^shape violation at ", "")
  end
  return violation(path, "no alternative fits (" .. table.concat(reasons, "; ") .. ")")
end

function checks.discriminated(v, schema, path, how)
  local ok, why = expect("table", v, path)
  if not ok then return ok, why end
  local variant = v[schema.tag] ~= nil and schema.variants[v[schema.tag]]
  if variant then return check(v, variant, path, how) end
  local names = list(sorted_keys(schema.variants))
  return violation(step(path, schema.tag), "expected one of [" .. names .. "], got " .. show(v[schema.tag]))
end

function checks.pattern(v, schema, path)
  local ok, why = expect("string", v, path)
  if not ok then return ok, why end
  if v:find(schema.pattern) then return true end
  return violation(path, "expected a string like " .. show(schema.pattern) .. ", got " .. show(v))
end

function checks.ref(v, schema, path, how)
  local known = how.registry[schema.name]
  if known == nil then return violation(path, "unknown schema '" .. schema.name .. "'") end
  return check(v, known, path, how)
end

--- true, or false and why not. `opts.registry`: schemas by name for `t.ref`, instead of the default one.
function M.check(v, schema, opts)
  if type(schema) ~= "table" or checks[schema.kind] == nil then
    error("lshape: check: argument #2 must be a schema, got " .. type(schema), 0)
  end
  return check(v, schema, "$", {registry = opts and opts.registry or M.default_registry, depth = 0})
end

--- The value itself, or an error; `hint` says what was being looked at.
function M.assert(v, schema, hint, opts)
  local ok, why = M.check(v, schema, opts)
  if not ok then error(hint and tostring(hint) .. ": " .. why or why, 2) end
  return v
end

--- Whether `LSHAPE_CHECK` asks for the checks of `assert_dev`: set, and neither empty nor `0`.
function M.is_dev_mode()
  local value = os.getenv(M.dev_env_var)
  return value ~= nil and value ~= "" and value ~= "0"
end

--- `assert` while developing; the bare value otherwise.
function M.assert_dev(v, schema, hint, opts)
  if not M.is_dev_mode() then return v end
  local ok, why = M.check(v, schema, opts)
  if not ok then error(hint and tostring(hint) .. ": " .. why or why, 2) end
  return v
end

return M
