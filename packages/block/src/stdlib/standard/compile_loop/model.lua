-- The model behind the loop: its settings, and one call of it.
local _, _, own = ...

local M = {}

local FIELDS = {"base_url", "model", "max_tokens", "temperature", "timeout"}

local function is_set(v) return v ~= nil and v ~= std.sql.null end

-- what the agent.run told its model calls that this code is a tool of; a project's own agent may not say
local function running()
  local agent = package.loaded.agent
  local top = type(agent) == "table" and agent._llm_ctx_top
  local context = type(top) == "function" and top()
  return type(context) == "table" and context or {}
end

local function provider(llm, context)
  if is_set(llm.provider) then return llm.provider end
  if is_set(context.provider) then return context.provider end
  if is_set(llm.api_key) or is_set(llm.api_key_env) then return "openai" end
  return own.call("model.provider", is_set(llm.base_url) and llm.base_url or nil)
end

-- how each provider is told not to think
local NO_THINKING = {
  anthropic = {thinking = {type = "disabled"}},
  openai = {chat_template_kwargs = {enable_thinking = false}},
}

--- Settings of a model call: what `llm` leaves open comes from the running agent.run. And whether to tell each step.
function M.settings(llm)
  local program = own.call("compile_loop.settings")
  local context = running()
  local s = {provider = provider(llm, context)}
  -- hosts, models and keys of another provider are of no use
  if is_set(context.provider) and context.provider ~= s.provider then
    context = {max_tokens = context.max_tokens, temperature = context.temperature, timeout = context.timeout}
  end
  for _, name in ipairs(FIELDS) do
    s[name] = is_set(llm[name]) and llm[name] or is_set(context[name]) and context[name] or nil
  end
  local keys = (is_set(llm.api_key) or is_set(llm.api_key_env)) and llm or context
  s.api_key = is_set(keys.api_key) and keys.api_key or nil
  s.api_key_env = is_set(keys.api_key_env) and keys.api_key_env or nil
  s.temperature = s.temperature or program.temperature or 0.0
  if llm.disable_thinking == true then s.extra_body = NO_THINKING[s.provider] end
  return s, program.dumps
end

local function why(reply)
  local text = tostring(reply.error)
  local said = type(reply.error_detail) == "table" and reply.error_detail.message
  return said and said ~= std.sql.null and text .. ": " .. tostring(said) or text
end

--- The reply `{content, blocks, stop_reason, …}`; or nil, the reason to give up, and the error.
function M.call(settings, request)
  local whole = {system = request.system, messages = request.messages, tools = request.tools}
  for name, value in pairs(settings) do whole[name] = value end
  local ok, text = pcall(own.json, whole)
  if not ok then return nil, "encode_failed", tostring(text) end
  local reply = own.call("model.call", text)
  if not reply.ok then return nil, "llm_call", why(reply) end
  return reply
end

return M
