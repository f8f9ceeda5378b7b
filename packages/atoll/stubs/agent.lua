---@meta agent

---What an agent does, with which model, and how long.
---@class AgentOptions
---@field prompt string What to do.
---@field system? string Who it is.
---@field history? any[] Messages before the prompt.
---@field provider? string `anthropic` (default) or `openai`.
---@field model? string Default from the environment.
---@field base_url? string Where the model is.
---@field api_key? string Its key.
---@field api_key_env? string Variable that holds the key.
---@field max_tokens? integer Of one answer. Default 4096.
---@field timeout? number Seconds of one model call with its retries. Default 120.
---@field temperature? number Passed on.
---@field top_p? number Passed on.
---@field stop? string[] Passed on.
---@field extra_body? table Added to the request of a model.
---@field max_iterations? integer Rounds of tools. Default 20.
---@field max_tokens_budget? integer Tokens of all calls.
---@field budget_counts? ("in_out" | "all") `all` counts cache tokens too.
---@field max_wall_ms? integer Milliseconds of all of it.
---@field cache_control? boolean Mark what the provider may cache. Default true.
---@field context_management? boolean Let the provider clear old tool results. Default true.
---@field context_management_config? table Replaces how.
---@field tool_choice? (string | table) Default `auto`.
---@field tool_groups? string[] Only tools of these groups; ungrouped ones are `default`.
---@field extra_tools? table[] `{name, description, input_schema}` or `{name, schema, handler, group?}`.
---@field mcp_servers? table[] `{name, command, args, env?, trace_context}` or `{name, url, transport_opts, trace_context}`.
---@field sampling? any For each server.
---@field enable_resources? any For each server: tools that list and read its resources.
---@field enable_prompts? any For each server: tools that list and get its prompts.
---@field on_progress? fun(event: McpProgress): any Progress of MCP calls.
---@field progress_to_log? boolean Log it instead.
---@field on_log? fun(event: McpLog): any Log lines of MCP servers.
---@field log_to_stderr? boolean Log them instead.
---@field on_turn? fun(info: table): any `{turn_number, content, tool_calls, usage, context_management?}` after each model call.
---@field log_meta? table `{trace_id, run_id, agent_id, agent_name}` of this run.
---@field parallel_tools? (integer | boolean) Tools of one turn that run together. Default 1; true is 8.
---@field stream? boolean Read the answers as they are written.
---@field on_delta? fun(event: AgentDelta): any Each piece of them.
---@field retries? integer After connect errors, 408, 429 and 5xx. Default 2.
---@field tool_timeout? number Seconds of one tool.
---@field max_tool_result_chars? integer Then it is cut. Default 200,000.
local AgentOptions = {}

---A piece of an answer.
---@class AgentDelta
---@field type ("text" | "thinking" | "tool_input") Of what.
---@field text string The piece.
---@field index integer Block it belongs to.
local AgentDelta = {}

---How a run ended.
---@class AgentResult
---@field ok boolean It ended well; a bound counts as well.
---@field content? string What the model said last.
---@field usage? AgentUsage Tokens of all calls.
---@field num_turns? integer Model calls.
---@field messages? any[] The whole talk; valid as `history`.
---@field stopped_by? ("end_turn" | "max_tokens" | "max_iterations" | "budget" | "wall" | "refusal" | "error" | "cancelled") Why it ended.
---@field error? string What went wrong.
---@field error_code? string Its code.
---@field error_detail? table `{status, type, request_id, message}` of the provider.
local AgentResult = {}

---Tokens.
---@class AgentUsage
---@field input_tokens integer Read.
---@field output_tokens integer Written.
---@field total_tokens integer Both.
---@field cache_read_tokens integer Read from the cache.
---@field cache_write_tokens integer Written to the cache.
local AgentUsage = {}

---The agent loop: a model that calls tools until it is done.
local agent = {}

---Runs a model with tools; never raises.
---@async
---@param opts AgentOptions Prompt, model, tools, bounds; see AgentOptions.
---@return AgentResult
function agent.run(opts) end

return agent
