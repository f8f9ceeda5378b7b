---@meta

---How a server is started.
---@class McpConnectOptions
---@field trace_context? boolean Send `__ab_obs` with every call. Default false.
---@field cwd? string Folder; default the project's.
---@field env? table<string, string> Variables to add.
---@field timeout_ms? integer Milliseconds of one round trip. Default 30,000.
---@field capabilities? table<string, any> Set one to false to withhold it: `sampling`, `roots`, `elicitation`.
local McpConnectOptions = {}

---How a server is reached.
---@class McpHttpOptions
---@field auth_header? string Sent as `Bearer …`.
---@field headers? table<string, string> Sent with every request.
---@field transport? ("http" | "sse") Default `http`.
---@field trace_context? boolean Send `__ab_obs` with every call. Default false.
---@field timeout_ms? integer Milliseconds of one round trip. Default 30,000.
---@field capabilities? table<string, any> Set one to false to withhold it: `sampling`, `roots`, `elicitation`.
local McpHttpOptions = {}

---How a tool is called.
---@class McpCallOptions
---@field timeout_ms? integer Milliseconds, then the server is told to stop.
---@field on_id? fun(id: integer): any Gets the id of the request, for `mcp.cancel`.
local McpCallOptions = {}

---An answer without content.
---@class McpDone
---@field ok boolean It worked.
---@field error? string Why it did not.
---@field code? string Code of the error.
local McpDone = {}

---What a tool gave.
---@class McpCallResult
---@field ok boolean It worked.
---@field error? string Why it did not.
---@field code? string Code of the error.
---@field content? any[] Blocks, as in MCP.
---@field is_error? boolean The tool says that it failed.
---@field structured_content? any Data beside the blocks.
local McpCallResult = {}

---Tools of a server.
---@class McpTools
---@field ok boolean It worked.
---@field error? string Why it did not.
---@field code? string Code of the error.
---@field tools? any[] As in MCP.
local McpTools = {}

---Resources of a server.
---@class McpResources
---@field ok boolean It worked.
---@field error? string Why it did not.
---@field code? string Code of the error.
---@field resources? any[] As in MCP.
local McpResources = {}

---Templates of a server.
---@class McpResourceTemplates
---@field ok boolean It worked.
---@field error? string Why it did not.
---@field code? string Code of the error.
---@field resource_templates? any[] As in MCP.
local McpResourceTemplates = {}

---Prompts of a server.
---@class McpPrompts
---@field ok boolean It worked.
---@field error? string Why it did not.
---@field code? string Code of the error.
---@field prompts? any[] As in MCP.
local McpPrompts = {}

---What a resource holds.
---@class McpContents
---@field ok boolean It worked.
---@field error? string Why it did not.
---@field code? string Code of the error.
---@field contents? any[] As in MCP.
local McpContents = {}

---A prompt.
---@class McpMessages
---@field ok boolean It worked.
---@field error? string Why it did not.
---@field code? string Code of the error.
---@field messages? any[] As in MCP.
---@field description? string What it is for.
local McpMessages = {}

---How an argument may go on.
---@class McpCompletion
---@field ok boolean It worked.
---@field error? string Why it did not.
---@field code? string Code of the error.
---@field values? string[] Proposals.
---@field total? integer How many there are.
---@field has_more? boolean There are more.
local McpCompletion = {}

---That a server answers.
---@class McpPing
---@field ok boolean It worked.
---@field error? string Why it did not.
---@field code? string Code of the error.
---@field latency_ms? integer Milliseconds it took.
local McpPing = {}

---What a server said of itself.
---@class McpServerInfo
---@field ok boolean It worked.
---@field error? string Why it did not.
---@field code? string Code of the error.
---@field server_info? any `{protocolVersion, capabilities, serverInfo, instructions?}`.
local McpServerInfo = {}

---A prompt or a resource.
---@class McpRef
---@field type ("ref/prompt" | "ref/resource") Which of both.
---@field name? string Name of the prompt.
---@field uri? string Address of the resource.
local McpRef = {}

---Progress of a call.
---@class McpProgress
---@field type "progress" Always that.
---@field server string Which server.
---@field token string Which call.
---@field progress number How far.
---@field total? number Of how much.
---@field message? string What it does.
local McpProgress = {}

---A log line of a server.
---@class McpLog
---@field type "log" Always that.
---@field server string Which server.
---@field level string debug, info, warning or error.
---@field logger string Part of the server, or empty.
---@field data string JSON.
local McpLog = {}

---A resource changed.
---@class McpResourceUpdate
---@field type "resource_update" Always that.
---@field server string Which server.
---@field uri string Which one.
local McpResourceUpdate = {}

---A list changed.
---@class McpListChanged
---@field type string `tools_list_changed` and so on.
---@field server string Which server.
local McpListChanged = {}

---What a model said.
---@class McpSample
---@field model? string Its name; default `unknown`.
---@field stop_reason? string Why it stopped.
---@field role? string Default `assistant`.
---@field content any A block, as in MCP.
local McpSample = {}

---A folder that a server may know of.
---@class McpRoot
---@field uri string `file://…`.
---@field name? string Name for people.
local McpRoot = {}

---What the user said.
---@class McpElicited
---@field action ("accept" | "decline" | "cancel") What the user did.
---@field content? any With `accept`: the answer.
local McpElicited = {}

---Servers of the Model Context Protocol: their tools, resources and prompts.
mcp = {}

---Starts a server and talks to it over its standard streams; one of that name is closed first.
---@async
---@param server string Name for it.
---@param command string Program.
---@param args? string[] Its arguments.
---@param opts? McpConnectOptions See McpConnectOptions.
function mcp.connect(server, command, args, opts) end

---Connects to a server over HTTP; one of that name is closed first.
---@async
---@param server string Name for it.
---@param url string Where it is.
---@param opts? McpHttpOptions See McpHttpOptions.
function mcp.connect_http(server, url, opts) end

---Calls a tool.
---@async
---@param server string Name that `connect` gave it.
---@param tool string Name of the tool.
---@param args? any A table with its arguments.
---@param opts? McpCallOptions See McpCallOptions.
---@return McpCallResult
function mcp.call(server, tool, args, opts) end

---All tools of a server.
---@async
---@param server string Name that `connect` gave it.
---@return McpTools
function mcp.list_tools(server) end

---All resources of a server.
---@async
---@param server string Name that `connect` gave it.
---@return McpResources
function mcp.list_resources(server) end

---All templates of resources of a server.
---@async
---@param server string Name that `connect` gave it.
---@return McpResourceTemplates
function mcp.list_resource_templates(server) end

---Reads a resource.
---@async
---@param server string Name that `connect` gave it.
---@param uri string Which one.
---@return McpContents
function mcp.read_resource(server, uri) end

---Asks to be told when a resource changes.
---@async
---@param server string Name that `connect` gave it.
---@param uri string Which one.
---@return McpDone
function mcp.subscribe_resource(server, uri) end

---Ends a subscription.
---@async
---@param server string Name that `connect` gave it.
---@param uri string Which one.
---@return McpDone
function mcp.unsubscribe_resource(server, uri) end

---All prompts of a server.
---@async
---@param server string Name that `connect` gave it.
---@return McpPrompts
function mcp.list_prompts(server) end

---Gets a prompt.
---@async
---@param server string Name that `connect` gave it.
---@param prompt string Name of the prompt.
---@param args? any Its arguments.
---@return McpMessages
function mcp.get_prompt(server, prompt, args) end

---Asks how an argument may go on.
---@async
---@param server string Name that `connect` gave it.
---@param ref any Prompt or resource.
---@param arg string Name of the argument.
---@param value string What is there so far.
---@return McpCompletion
function mcp.complete(server, ref, arg, value) end

---Asks whether a server answers.
---@async
---@param server string Name that `connect` gave it.
---@return McpPing
function mcp.ping(server) end

---What a server said of itself.
---@async
---@param server string Name that `connect` gave it.
---@return McpServerInfo
function mcp.server_info(server) end

---Cancels a request that runs; a failure is only a warning.
---@async
---@param server string Name that `connect` gave it.
---@param id integer What `opts.on_id` of `mcp.call` was given.
function mcp.cancel(server, id) end

---Tells a server that the roots changed; a failure is only a warning.
---@async
---@param server string Name that `connect` gave it.
function mcp.notify_roots_list_changed(server) end

---Hears of the progress of calls that begin while it listens.
---@async
---@param server string Name that `connect` gave it; when it is left out, all servers.
---@param handler? fun(event: McpProgress): any Runs in this isle; may wait. Nil ends what was set.
---@overload fun(handler: fun(event: McpProgress): any?)
function mcp.on_progress(server, handler) end

---Hears the log of a server; otherwise it goes to the log.
---@async
---@param server string Name that `connect` gave it; when it is left out, all servers.
---@param handler? fun(event: McpLog): any Runs in this isle; may wait. Nil ends what was set.
---@overload fun(handler: fun(event: McpLog): any?)
function mcp.on_log(server, handler) end

---Hears that a subscribed resource changed.
---@async
---@param server string Name that `connect` gave it; when it is left out, all servers.
---@param handler? fun(event: McpResourceUpdate): any Runs in this isle; may wait. Nil ends what was set.
---@overload fun(handler: fun(event: McpResourceUpdate): any?)
function mcp.on_resource_update(server, handler) end

---Hears that the resources of a server changed.
---@async
---@param server string Name that `connect` gave it; when it is left out, all servers.
---@param handler? fun(event: McpListChanged): any Runs in this isle; may wait. Nil ends what was set.
---@overload fun(handler: fun(event: McpListChanged): any?)
function mcp.on_resources_list_changed(server, handler) end

---Hears that the tools of a server changed.
---@async
---@param server string Name that `connect` gave it; when it is left out, all servers.
---@param handler? fun(event: McpListChanged): any Runs in this isle; may wait. Nil ends what was set.
---@overload fun(handler: fun(event: McpListChanged): any?)
function mcp.on_tools_list_changed(server, handler) end

---Hears that the prompts of a server changed.
---@async
---@param server string Name that `connect` gave it; when it is left out, all servers.
---@param handler? fun(event: McpListChanged): any Runs in this isle; may wait. Nil ends what was set.
---@overload fun(handler: fun(event: McpListChanged): any?)
function mcp.on_prompts_list_changed(server, handler) end

---Answers a server that asks for a model.
---@async
---@param server string Name that `connect` gave it; when it is left out, all servers.
---@param handler? fun(server: string, params_json: string): McpSample? Runs in this isle; may wait. Nil ends what was set.
---@overload fun(handler: fun(server: string, params_json: string): McpSample??)
function mcp.set_sampling_handler(server, handler) end

---Answers a server that asks for the roots.
---@async
---@param server string Name that `connect` gave it; when it is left out, all servers.
---@param handler? fun(server: string): McpRoot[] Runs in this isle; may wait. Nil ends what was set.
---@overload fun(handler: fun(server: string): McpRoot[]?)
function mcp.set_roots_handler(server, handler) end

---Answers a server that asks the user.
---@async
---@param server string Name that `connect` gave it; when it is left out, all servers.
---@param handler? fun(server: string, message: string, schema_json: string): McpElicited Runs in this isle; may wait. Nil ends what was set.
---@overload fun(handler: fun(server: string, message: string, schema_json: string): McpElicited?)
function mcp.set_elicitation_handler(server, handler) end

---Closes a server; an unknown name is fine.
---@async
---@param server string Name that `connect` gave it.
function mcp.disconnect(server) end
