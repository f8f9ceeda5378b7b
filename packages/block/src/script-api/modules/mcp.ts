/** `mcp`: servers of the Model Context Protocol. */
import { type ApiFunction, apiModule, fn, shape } from "../declare.ts";

const DEMO = `mcp.connect("demo", "my-mcp-server")`;
const SERVER = "Name that `connect` gave it.";

/** Functions that give `{ok = true, …}`, or `{ok = false, error, code}`; `adds` are parameters after the server. */
function asks(
  name: string, result: string, doc: string,
  o: { adds?: string; params?: Readonly<Record<string, string>>; example: string },
): ApiFunction {
  const adds = o.adds === undefined ? "" : `, ${o.adds}`;
  return fn(`~mcp.${name}(server: string${adds}) -> ${result}`, doc, {
    params: { server: SERVER, ...o.params }, host: true, before: DEMO, example: o.example,
  });
}

function hears(name: string, handler: string, doc: string, example: string): ApiFunction {
  return fn(`~mcp.${name}(server: string, handler: (${handler})?)`, doc, {
    params: {
      server: "Name that `connect` gave it; when it is left out, all servers.",
      handler: "Runs in this isle; may wait. Nil ends what was set.",
    }, before: DEMO, example,
  });
}

function changed(what: string): ApiFunction {
  return hears(`on_${what}_list_changed`, "fn(event: McpListChanged) -> any", `Hears that the ${what} of a server changed.`,
    `mcp.on_${what}_list_changed("demo", function(event) print(event.server) end)`);
}

export const mcp = apiModule("mcp", "Servers of the Model Context Protocol: their tools, resources and prompts.", {
  functions: [
    fn("~mcp.connect(server: string, command: string, args: string[]?, opts: McpConnectOptions?)",
      "Starts a server and talks to it over its standard streams; one of that name is closed first.", {
        params: { server: "Name for it.", command: "Program.", args: "Its arguments.", opts: "See McpConnectOptions." },
        errors: "mcp.spawn_failed mcp.handshake mcp.timeout", host: true, example: DEMO,
      }),
    fn("~mcp.connect_http(server: string, url: string, opts: McpHttpOptions?)",
      "Connects to a server over HTTP; one of that name is closed first.", {
        params: { server: "Name for it.", url: "Where it is.", opts: "See McpHttpOptions." },
        errors: "mcp.handshake mcp.timeout http.connect", host: true,
        example: `mcp.connect_http("remote", "https://example.com/mcp", {auth_header = "secret"})`,
      }),
    asks("call", "McpCallResult", "Calls a tool.", {
      adds: "tool: string, args: json?, opts: McpCallOptions?",
      params: { tool: "Name of the tool.", args: "A table with its arguments.", opts: "See McpCallOptions." },
      example: `local r = mcp.call("demo", "echo", {message = "hi"})\nprint(r.ok, r.content[1].text)`,
    }),
    asks("list_tools", "McpTools", "All tools of a server.", { example: `local r = mcp.list_tools("demo")` }),
    asks("list_resources", "McpResources", "All resources of a server.", { example: `local r = mcp.list_resources("demo")` }),
    asks("list_resource_templates", "McpResourceTemplates", "All templates of resources of a server.", {
      example: `local r = mcp.list_resource_templates("demo")`,
    }),
    asks("read_resource", "McpContents", "Reads a resource.", {
      adds: "uri: string", params: { uri: "Which one." },
      example: `local first = mcp.list_resources("demo").resources[1]\nlocal r = mcp.read_resource("demo", first.uri)`,
    }),
    asks("subscribe_resource", "McpDone", "Asks to be told when a resource changes.", {
      adds: "uri: string", params: { uri: "Which one." }, example: `mcp.subscribe_resource("demo", "demo://note")`,
    }),
    asks("unsubscribe_resource", "McpDone", "Ends a subscription.", {
      adds: "uri: string", params: { uri: "Which one." }, example: `mcp.unsubscribe_resource("demo", "demo://note")`,
    }),
    asks("list_prompts", "McpPrompts", "All prompts of a server.", { example: `local r = mcp.list_prompts("demo")` }),
    asks("get_prompt", "McpMessages", "Gets a prompt.", {
      adds: "prompt: string, args: json?", params: { prompt: "Name of the prompt.", args: "Its arguments." },
      example: `local r = mcp.get_prompt("demo", "greet")`,
    }),
    asks("complete", "McpCompletion", "Asks how an argument may go on.", {
      adds: "ref: json, arg: string, value: string",
      params: { ref: "Prompt or resource.", arg: "Name of the argument.", value: "What is there so far." },
      example: `local r = mcp.complete("demo", {type = "ref/prompt", name = "greet"}, "name", "A")`,
    }),
    asks("ping", "McpPing", "Asks whether a server answers.", { example: `print(mcp.ping("demo").latency_ms)` }),
    asks("server_info", "McpServerInfo", "What a server said of itself.", { example: `local r = mcp.server_info("demo")` }),
    fn("~mcp.cancel(server: string, id: integer)", "Cancels a request that runs; a failure is only a warning.", {
      params: { server: SERVER, id: "What `opts.on_id` of `mcp.call` was given." }, host: true, before: DEMO,
      example: `mcp.call("demo", "echo", {message = "hi"}, {on_id = function(id) mcp.cancel("demo", id) end})`,
    }),
    fn("~mcp.notify_roots_list_changed(server: string)", "Tells a server that the roots changed; a failure is only a warning.", {
      params: { server: SERVER }, host: true, before: DEMO, example: `mcp.notify_roots_list_changed("demo")`,
    }),
    hears("on_progress", "fn(event: McpProgress) -> any", "Hears of the progress of calls that begin while it listens.",
      `mcp.on_progress("demo", function(event) print(event.progress) end)`),
    hears("on_log", "fn(event: McpLog) -> any", "Hears the log of a server; otherwise it goes to the log.",
      `mcp.on_log("demo", function(event) print(event.level, event.data) end)`),
    hears("on_resource_update", "fn(event: McpResourceUpdate) -> any", "Hears that a subscribed resource changed.",
      `mcp.on_resource_update("demo", function(event) print(event.uri) end)`),
    changed("resources"), changed("tools"), changed("prompts"),
    hears("set_sampling_handler", "fn(server: string, params_json: string) -> McpSample?",
      "Answers a server that asks for a model.",
      `mcp.set_sampling_handler("demo", function(server, params)\n  return {model = "mine", content = {type = "text", text = "…"}}\nend)`),
    hears("set_roots_handler", "fn(server: string) -> McpRoot[]", "Answers a server that asks for the roots.",
      `mcp.set_roots_handler("demo", function() return {{uri = "file:///srv", name = "srv"}} end)`),
    hears("set_elicitation_handler", "fn(server: string, message: string, schema_json: string) -> McpElicited",
      "Answers a server that asks the user.",
      `mcp.set_elicitation_handler("demo", function() return {action = "decline"} end)`),
    fn("~mcp.disconnect(server: string)", "Closes a server; an unknown name is fine.", {
      params: { server: SERVER }, host: true, before: DEMO, example: `mcp.disconnect("demo")`,
    }),
  ],
  shapes: shapes(),
});

/** What every answer has; `error` and `code` only when it is not ok. */
function answer(name: string, doc: string, fields: Readonly<Record<string, string>>): ReturnType<typeof shape> {
  return shape(name, doc, {
    "ok: boolean": "It worked.", "error: string?": "Why it did not.", "code: string?": "Code of the error.", ...fields,
  });
}

function shapes(): ReturnType<typeof shape>[] {
  return [
    shape("McpConnectOptions", "How a server is started.", {
      "trace_context: boolean?": "Send `__ab_obs` with every call. Default false.",
      "cwd: string?": "Folder; default the project's.",
      "env: {[string]: string}?": "Variables to add.",
      "timeout_ms: integer?": "Milliseconds of one round trip. Default 30,000.",
      "capabilities: {[string]: any}?": "Set one to false to withhold it: `sampling`, `roots`, `elicitation`.",
    }),
    shape("McpHttpOptions", "How a server is reached.", {
      "auth_header: string?": "Sent as `Bearer …`.",
      "headers: {[string]: string}?": "Sent with every request.",
      'transport: ("http" | "sse")?': "Default `http`.",
      "trace_context: boolean?": "Send `__ab_obs` with every call. Default false.",
      "timeout_ms: integer?": "Milliseconds of one round trip. Default 30,000.",
      "capabilities: {[string]: any}?": "Set one to false to withhold it: `sampling`, `roots`, `elicitation`.",
    }),
    shape("McpCallOptions", "How a tool is called.", {
      "timeout_ms: integer?": "Milliseconds, then the server is told to stop.",
      "on_id: (fn(id: integer) -> any)?": "Gets the id of the request, for `mcp.cancel`.",
    }),
    answer("McpDone", "An answer without content.", {}),
    answer("McpCallResult", "What a tool gave.", {
      "content: json[]?": "Blocks, as in MCP.", "is_error: boolean?": "The tool says that it failed.",
      "structured_content: json?": "Data beside the blocks.",
    }),
    answer("McpTools", "Tools of a server.", { "tools: json[]?": "As in MCP." }),
    answer("McpResources", "Resources of a server.", { "resources: json[]?": "As in MCP." }),
    answer("McpResourceTemplates", "Templates of a server.", { "resource_templates: json[]?": "As in MCP." }),
    answer("McpPrompts", "Prompts of a server.", { "prompts: json[]?": "As in MCP." }),
    answer("McpContents", "What a resource holds.", { "contents: json[]?": "As in MCP." }),
    answer("McpMessages", "A prompt.", { "messages: json[]?": "As in MCP.", "description: string?": "What it is for." }),
    answer("McpCompletion", "How an argument may go on.", {
      "values: string[]?": "Proposals.", "total: integer?": "How many there are.", "has_more: boolean?": "There are more.",
    }),
    answer("McpPing", "That a server answers.", { "latency_ms: integer?": "Milliseconds it took." }),
    answer("McpServerInfo", "What a server said of itself.", { "server_info: json?": "`{protocolVersion, capabilities, serverInfo, instructions?}`." }),
    shape("McpRef", "A prompt or a resource.", {
      'type: "ref/prompt" | "ref/resource"': "Which of both.", "name: string?": "Name of the prompt.", "uri: string?": "Address of the resource.",
    }),
    shape("McpProgress", "Progress of a call.", {
      'type: "progress"': "Always that.", "server: string": "Which server.", "token: string": "Which call.",
      "progress: number": "How far.", "total: number?": "Of how much.", "message: string?": "What it does.",
    }),
    shape("McpLog", "A log line of a server.", {
      'type: "log"': "Always that.", "server: string": "Which server.", "level: string": "debug, info, warning or error.",
      "logger: string": "Part of the server, or empty.", "data: string": "JSON.",
    }),
    shape("McpResourceUpdate", "A resource changed.", {
      'type: "resource_update"': "Always that.", "server: string": "Which server.", "uri: string": "Which one.",
    }),
    shape("McpListChanged", "A list changed.", { "type: string": "`tools_list_changed` and so on.", "server: string": "Which server." }),
    shape("McpSample", "What a model said.", {
      "model: string?": "Its name; default `unknown`.", "stop_reason: string?": "Why it stopped.",
      "role: string?": "Default `assistant`.", "content: json": "A block, as in MCP.",
    }),
    shape("McpRoot", "A folder that a server may know of.", { "uri: string": "`file://…`.", "name: string?": "Name for people." }),
    shape("McpElicited", "What the user said.", {
      'action: "accept" | "decline" | "cancel"': "What the user did.", "content: json?": "With `accept`: the answer.",
    }),
  ];
}
