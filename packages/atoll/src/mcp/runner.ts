/**
 * The script that serves the tools of blocks. It loads them, tells what they registered, and runs each call
 * as a task of its own, so that calls do not wait for each other. Host tools are its only way out, and are
 * taken off the registry before a block can see them.
 */

/** Names of the host tools that the script takes for itself. */
export const DOORS = { next: "atoll_mcp_next", tell: "atoll_mcp_tell", ask: "atoll_mcp_ask" } as const;
/** Global that holds the list of blocks until the script begins. */
export const BLOCKS_GLOBAL = "_ATOLL_MCP_BLOCKS";

export const RUNNER = String.raw`
local function door(name)
  local call = _TOOL_REGISTRY[name].handler
  tool.unregister(name)
  return call
end
local next_message, tell, ask = door("${DOORS.next}"), door("${DOORS.tell}"), door("${DOORS.ask}")
local blocks, plain = ${BLOCKS_GLOBAL}.blocks, ${BLOCKS_GLOBAL}.plain_names
${BLOCKS_GLOBAL} = nil

local handlers, tools, owner = {}, {}, nil
local is_block = {}
for _, block in ipairs(blocks) do is_block[block.name] = block.source == nil end

-- a tool belongs to the block that was being loaded when it was registered, also when another block required that one
local register, load_module = tool.register, require
function tool.register(name, schema, handler, meta)
  register(name, schema, handler, meta)
  local full = plain and name or owner .. "__" .. name
  local entry = handlers[full]
  if entry and entry.owner ~= owner then
    return tell{kind = "broken", block = owner, problem = "its tool '" .. name .. "' is already one of " .. entry.owner}
  end
  if not entry then tools[#tools + 1] = full end
  handlers[full] = {handler = handler, schema = schema, owner = owner}
end
local function back(before, ...)
  owner = before
  return ...
end
function require(name)
  if not is_block[name] or package.loaded[name] ~= nil then return load_module(name) end
  local before = owner
  owner = name
  return back(before, load_module(name))
end

for _, block in ipairs(blocks) do
  owner = block.name
  local ok, problem = pcall(function()
    if block.source == nil then return require(block.name) end
    return assert(load(block.source, "@" .. block.path, "t"))()
  end)
  if not ok then tell{kind = "broken", block = block.name, problem = tostring(problem)} end
end
tool.register, require = register, load_module

local listed = {}
for i, full in ipairs(tools) do
  local schema = handlers[full].schema
  listed[i] = {name = full, description = schema.description, input_schema = schema.input_schema,
    output_schema = schema.output_schema, annotations = schema.annotations, title = schema.title}
end
tell{kind = "tools", tools = listed}

local running = {}
local function start(id, entry, input)
  local call = {id = id}
  function call.progress(done, total, message)
    tell{kind = "progress", id = id, progress = done, total = total, message = message}
  end
  function call.log(level, data, logger) tell{kind = "log", id = id, level = level, data = data, logger = logger} end
  function call.sample(params) return ask{kind = "sample", id = id, params = params} end
  function call.elicit(message, schema) return ask{kind = "elicit", id = id, message = message, schema = schema} end
  running[id] = std.task.spawn(function()
    local ok, value = pcall(entry.handler, input, call)
    if not ok then value = tostring(value) end
    local told, problem = pcall(tell, {kind = "done", id = id, ok = ok, value = value})
    if not told then tell{kind = "done", id = id, ok = false, value = tostring(problem)} end
    running[id] = nil
  end)
end

while true do
  local message = next_message()
  if message.kind == "end" then break end
  if message.kind == "call" then
    start(message.id, handlers[message.name], message.input)
  elseif message.kind == "cancel" and running[message.id] then
    running[message.id]:abort()
    running[message.id] = nil
  end
end
`;
