-- `require("agent")`: a thin face of the agent loop in TypeScript (spec: block 6.1).
local _, _, own = ...
local type, pairs, ipairs, next, pcall, tostring, setmetatable, error =
  type, pairs, ipairs, next, pcall, tostring, setmetatable, error
local tool = tool
local M = {}

-- what is plain data goes over as it is; functions and tools have their own way
local SPECIAL = {
  extra_tools = true, on_turn = true, on_delta = true, on_progress = true, on_log = true, sampling = true, tools = true,
}
local CALLBACKS = {"on_turn", "on_delta", "on_progress", "on_log", "sampling"}

-- settings of the runs that are under way, by the number that their tasks hand on
local running, last = {}, 0

local ENDED = {__close = function(guard) running[guard[1]] = nil end}

-- what a call waits for that was not made
local function park_of(raised)
  return type(raised) == "table" and type(raised.facts) == "table" and raised.facts.park or nil
end

local function failure(text, code)
  return {
    ok = false, content = "", num_turns = 0, messages = {}, stopped_by = "error",
    error = text, error_code = code or "agent.invalid",
    usage = {
      input_tokens = 0, output_tokens = 0, total_tokens = 0, cache_read_tokens = 0, cache_write_tokens = 0,
    },
  }
end

local function extras(given)
  local defs, handlers = {}, {}
  for i, t in ipairs(given or {}) do
    local schema = t.schema or t
    local def = {
      name = t.name, description = schema.description, input_schema = schema.input_schema, group = t.group,
    }
    -- a tool that the provider runs itself
    if t.type ~= nil and schema.input_schema == nil then def = t end
    defs[i], handlers[i] = def, t.handler
  end
  return defs, handlers
end

-- servers without their functions, and the functions by the name of the server
local function servers(given)
  if type(given) ~= "table" then return given, {} end
  local specs, samplers = {}, {}
  for i, one in ipairs(given) do
    local spec = {}
    for key, value in pairs(one) do if type(value) ~= "function" then spec[key] = value end end
    if type(one.sampling) == "function" then spec.sampling, samplers[one.name] = true, one.sampling end
    specs[i] = spec
  end
  return specs, samplers
end

local function answer(value)
  if type(value) == "table" then return own.json(value) end
  return tostring(value)
end

local function run(opts)
  local data, functions = {}, {}
  for key, value in pairs(opts) do
    if not SPECIAL[key] and type(value) ~= "function" then data[key] = value end
  end
  data.tools = tool.schema()
  if opts.sampling == true then data.sampling = true end
  local samplers
  data.mcp_servers, samplers = servers(opts.mcp_servers)
  local handlers
  data.extra_tools, handlers = extras(opts.extra_tools)
  last = last + 1
  local id = last
  running[id] = {
    provider = opts.provider or "anthropic", model = opts.model, base_url = opts.base_url, api_key = opts.api_key,
    api_key_env = opts.api_key_env, max_tokens = opts.max_tokens, temperature = opts.temperature, timeout = opts.timeout,
  }
  local guard <close> = setmetatable({id}, ENDED)
  local sampling = opts.sampling
  if next(samplers) then
    functions.sampling = function(server, params)
      own.enter(id)
      local fn = samplers[server] or type(sampling) == "function" and sampling
      return fn and fn(server, params)
    end
  end
  for _, name in ipairs(CALLBACKS) do
    local fn = not functions[name] and opts[name]
    if type(fn) == "function" then
      functions[name] = function(...)
        own.enter(id)
        return fn(...)
      end
    end
  end
  function functions.tool(list, index, input)
    own.enter(id)
    local name, handler = data[list][index].name, list == "extra_tools" and handlers[index]
    local ok, value
    if handler then ok, value = pcall(handler, input) else ok, value = pcall(tool.call, name, input) end
    if ok then ok, value = pcall(answer, value) end
    if ok then return value end
    return {error = tostring(value), park = park_of(value)}
  end
  return own.settle("agent.run", own.json(data), functions)
end

function M.run(opts)
  if type(opts) ~= "table" then return failure("prompt is required") end
  if opts.history ~= nil and type(opts.history) ~= "table" then
    return failure("history must be a table (messages array)")
  end
  local ok, result = pcall(run, opts)
  if ok then return result end
  if park_of(result) then error(result, 0) end
  return failure(tostring(result), type(result) == "table" and result.code or "runtime.failed")
end

function M._resolve_mcp_group(tool, server)
  local meta = type(tool) == "table" and tool._meta
  return type(meta) == "table" and type(meta.group) == "string" and meta.group or server
end

-- mcp_map: lists of MCP tools by server, or {server = name, tools = list} in order
function M._build_tools(mcp_map, extra, groups)
  local mcp, servers = {}, {}
  for key, value in pairs(mcp_map or {}) do
    if type(key) == "number" then servers[key] = value else servers[#servers + 1] = {server = key, tools = value} end
  end
  if mcp_map and #mcp_map == 0 then table.sort(servers, function(a, b) return a.server < b.server end) end
  for _, entry in ipairs(servers) do
    for _, t in ipairs(entry.tools or {}) do
      mcp[#mcp + 1] = {
        name = entry.server .. "__" .. t.name, description = t.description or "",
        input_schema = t.inputSchema or t.input_schema, group = M._resolve_mcp_group(t, entry.server),
      }
    end
  end
  return own.call("agent.tools", own.json{lists = {tool.schema(), mcp, (extras(extra))}, groups = groups})
end

function M._llm_ctx_top()
  local top = running[own.context()]
  if top == nil then return nil end
  local copy = {}
  for key, value in pairs(top) do copy[key] = value end
  return copy
end

return M
