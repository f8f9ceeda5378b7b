-- What the client scenarios expect of a client: connect, look around, call what is there.
local url = arg[1]

-- SEP-1034: fields that nobody fills get the defaults of their schema.
mcp.set_elicitation_handler(function(_, _, schema_json)
  local content = {}
  for name, field in pairs(std.json.decode(schema_json).properties or {}) do content[name] = field.default end
  return {action = "accept", content = content}
end)

mcp.connect_http("server", url)
local listed = mcp.list_tools("server")
assert(listed.ok, listed.error)
local INPUT = {add_numbers = {a = 5, b = 3}}
for _, found in ipairs(listed.tools) do
  local result = mcp.call("server", found.name, INPUT[found.name] or {})
  assert(result.ok, result.error)
  log.info("called", {tool = found.name, text = result.content[1] and result.content[1].text})
end
mcp.disconnect("server")
