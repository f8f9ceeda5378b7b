-- The standard agent (spec: mob 3.1): each turn is a prompt for the model of the profile; its tools are what the grants allow.
local agent = require("agent")
local profile = _AGENT

local function text(description) return {type = "string", description = description} end
local function number(description) return {type = "number", description = description} end
local function any(description) return {description = description} end

local TOOLS = {
  {"fs.read", "read_file", "Reads a file.", {path = text("Path of the file.")}, {"path"}, function(i) return std.fs.read(i.path) end},
  {"fs.read", "list_files", "Lists a folder.", {path = text("Path of the folder.")}, {"path"}, function(i) return std.fs.list(i.path) end},
  {"fs.write", "write_file", "Writes a file, replacing what was there.", {path = text("Path of the file."), text = text("All of it.")}, {"path", "text"},
    function(i)
      std.fs.write(i.path, i.text)
      return "written"
    end},
  {"run", "run_command", "Runs a program and gives its exit code and output.",
    {program = text("Its name."), args = {type = "array", items = {type = "string"}}, timeout = number("Seconds; default 30.")}, {"program"},
    function(i) return sh.exec(i.program, {args = i.args or {}, timeout = i.timeout}) end},
  {"net", "http_get", "Gets a page.", {url = text("Its address.")}, {"url"}, function(i)
    local reply = http.request(i.url)
    return {status = reply.status, body = reply.body}
  end},
  {"mob:members", "mob_members", "Lists the members that can be addressed.", {}, {}, function() return mob.members() end},
  {"mob:send", "mob_send", "Gives a member work and does not wait for it.", {to = text("Id of the member."), content = any("What it is told.")}, {"to", "content"},
    function(i) return mob.send(i.to, i.content) end},
  {"mob:request", "mob_request", "Asks a member and waits for its answer.", {to = text("Id of the member."), content = any("What it is asked.")}, {"to", "content"},
    function(i) return mob.request(i.to, i.content) end},
  {"mob:spawn", "mob_spawn", "Makes a helper.", {id = text("Its id."), profile = text("Name of its profile.")}, {"id", "profile"},
    function(i) return mob.spawn{id = i.id, profile = i.profile} end},
  {"mob:retire", "mob_retire", "Ends a helper that was made here.", {id = text("Its id.")}, {"id"}, function(i)
    mob.retire(i.id)
    return "it ends"
  end},
  {"mob:wake", "mob_wake", "Gives oneself work for later.", {content = any("What is to be done.")}, {"content"}, function(i) return mob.wake(i.content) end},
  {"mob:note", "mob_note", "Writes a note that people can read.", {content = any("The note.")}, {"content"}, function(i)
    mob.note(i.content)
    return "noted"
  end},
  {"mob:flow", "mob_run_flow", "Starts a flow.", {flow = text("Its name."), params = {type = "object"}}, {"flow"},
    function(i) return mob.flow.run(i.flow, i.params) end},
}

local verbs, tools = {}, {}
for _, verb in ipairs(profile.verbs) do verbs[verb] = true end
for _, tool in ipairs(TOOLS) do
  local verb, name, description, properties, required, handler = table.unpack(tool)
  if verbs[verb] or verbs[verb:match("^[^:]+")] then
    local schema = {type = "object", properties = next(properties) and properties or std.json.decode("{}"), required = #required > 0 and required or nil}
    tools[#tools + 1] = {name = name, description = description, input_schema = schema, handler = handler}
  end
end

-- What the step of a flow takes away would be refused: the model is not told of it.
local function without(names)
  if not names then return tools end
  local taken, rest = {}, {}
  for _, name in ipairs(names) do taken[name] = true end
  for _, tool in ipairs(tools) do
    if not taken[tool.name] then rest[#rest + 1] = tool end
  end
  return rest
end

-- no answer, whatever was asked
local AWAY = {["model.api"] = true, ["http.connect"] = true, ["http.timeout"] = true, ["http.request"] = true}
local CALL_SECONDS, TRIES_AGAIN = 120, 3

bus.on("turn", function(event)
  local left = event.meta.deadline_ms
  -- What is asked aside is no part of the session, and does nothing.
  local aside = event.payload.aside
  local result = agent.run{
    prompt = event.payload.prompt, session = not aside and event.id or nil, system = profile.system, provider = profile.provider, model = profile.model,
    extra_tools = not aside and without(event.payload.without) or nil,
    retries = TRIES_AGAIN, timeout = left and math.max(0.001, math.min(CALL_SECONDS, left / 1000)) or CALL_SECONDS,
    max_tokens = profile.params.max_tokens, temperature = profile.params.temperature, top_p = profile.params.top_p,
    max_iterations = profile.params.max_iterations,
  }
  if result.ok then return result.content end
  local status = result.error_detail and result.error_detail.status or 500
  local away = AWAY[result.error_code] and (status == 408 or status == 429 or status >= 500)
  error{atoll = away and "mob.model_unavailable" or result.error_code or "runtime.failed", message = result.error}
end, {isle = "main"})
bus.serve()
