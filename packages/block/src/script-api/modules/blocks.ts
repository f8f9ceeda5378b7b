/** Standard blocks: what `require` gives without a file of the project. */
import { apiModule, fn, shape } from "../declare.ts";

/** The model of examples: a server that answers as Anthropic's does. */
const MODEL = `base_url = "https://example.com", api_key = "example"`;

export const agent = apiModule("agent", "The agent loop: a model that calls tools until it is done.", {
  required: true,
  functions: [
    fn("~agent.run(opts: AgentOptions) -> AgentResult", "Runs a model with tools; never raises.", {
      params: { opts: "Prompt, model, tools, bounds; see AgentOptions." },
      example: `local agent = require("agent")\nlocal r = agent.run{prompt = "Say hello.", ${MODEL}}\nprint(r.ok, r.content, r.error)`,
    }),
  ],
  shapes: [
    shape("AgentOptions", "What an agent does, with which model, and how long.", {
      "prompt: string": "What to do.",
      "system: string?": "Who it is.",
      "history: json[]?": "Messages before the prompt.",
      "provider: string?": "`anthropic` (default) or `openai`.",
      "model: string?": "Default from the environment.",
      "base_url: string?": "Where the model is.",
      "api_key: string?": "Its key.",
      "api_key_env: string?": "Variable that holds the key.",
      "max_tokens: integer?": "Of one answer. Default 4096.",
      "timeout: number?": "Seconds of one model call with its retries. Default 120.",
      "temperature: number?": "Passed on.", "top_p: number?": "Passed on.", "stop: string[]?": "Passed on.",
      "extra_body: table?": "Added to the request of a model.",
      "max_iterations: integer?": "Rounds of tools. Default 20.",
      "max_tokens_budget: integer?": "Tokens of all calls.",
      'budget_counts: ("in_out" | "all")?': "`all` counts cache tokens too.",
      "max_wall_ms: integer?": "Milliseconds of all of it.",
      "cache_control: boolean?": "Mark what the provider may cache. Default true.",
      "context_management: boolean?": "Let the provider clear old tool results. Default true.",
      "context_management_config: table?": "Replaces how.",
      "tool_choice: (string | table)?": "Default `auto`.",
      "tool_groups: string[]?": "Only tools of these groups; ungrouped ones are `default`.",
      "extra_tools: table[]?": "`{name, description, input_schema}` or `{name, schema, handler, group?}`.",
      "mcp_servers: table[]?": "`{name, command, args, env?, trace_context}` or `{name, url, transport_opts, trace_context}`.",
      "sampling: any?": "For each server.",
      "enable_resources: any?": "For each server: tools that list and read its resources.",
      "enable_prompts: any?": "For each server: tools that list and get its prompts.",
      "on_progress: (fn(event: McpProgress) -> any)?": "Progress of MCP calls.",
      "progress_to_log: boolean?": "Log it instead.",
      "on_log: (fn(event: McpLog) -> any)?": "Log lines of MCP servers.",
      "log_to_stderr: boolean?": "Log them instead.",
      "on_turn: (fn(info: table) -> any)?": "`{turn_number, content, tool_calls, usage, context_management?}` after each model call.",
      "log_meta: table?": "`{trace_id, run_id, agent_id, agent_name}` of this run.",
      "parallel_tools: (integer | boolean)?": "Tools of one turn that run together. Default 1; true is 8.",
      "stream: boolean?": "Read the answers as they are written.",
      "on_delta: (fn(event: AgentDelta) -> any)?": "Each piece of them.",
      "retries: integer?": "After connect errors, 408, 429 and 5xx. Default 2.",
      "tool_timeout: number?": "Seconds of one tool.",
      "max_tool_result_chars: integer?": "Then it is cut. Default 200,000.",
    }),
    shape("AgentDelta", "A piece of an answer.", {
      'type: "text" | "thinking" | "tool_input"': "Of what.", "text: string": "The piece.", "index: integer": "Block it belongs to.",
    }),
    shape("AgentResult", "How a run ended.", {
      "ok: boolean": "It ended well; a bound counts as well.",
      "content: string?": "What the model said last.",
      "usage: AgentUsage?": "Tokens of all calls.",
      "num_turns: integer?": "Model calls.",
      "messages: json[]?": "The whole talk; valid as `history`.",
      'stopped_by: ("end_turn" | "max_tokens" | "max_iterations" | "budget" | "wall" | "refusal" | "error" | "cancelled")?': "Why it ended.",
      "error: string?": "What went wrong.", "error_code: string?": "Its code.",
      "error_detail: table?": "`{status, type, request_id, message}` of the provider.",
    }),
    shape("AgentUsage", "Tokens.", {
      "input_tokens: integer": "Read.", "output_tokens: integer": "Written.", "total_tokens: integer": "Both.",
      "cache_read_tokens: integer": "Read from the cache.", "cache_write_tokens: integer": "Written to the cache.",
    }),
  ],
});

export const session = apiModule("session", "Conversations that outlive a run, kept in std.kv.", {
  required: true,
  functions: [
    fn("~session.load(id: string) -> json[]", "The stored messages; `{}` when there are none.", {
      params: { id: "Any name." }, errors: "kv.failed kv.timeout",
      example: `local messages = require("session").load("support-17")`,
    }),
    fn("~session.save(id: string, messages: json[])", "Replaces what is stored; when it returns, it is on disk.", {
      params: { id: "Any name.", messages: "As `agent.run` gives them." }, errors: "kv.failed kv.timeout json.encode",
      example: `require("session").save("support-17", {{role = "user", content = "hi"}})`,
    }),
    fn("~session.clear(id: string) -> boolean", "Forgets a conversation; true when there was one.", {
      params: { id: "Any name." }, errors: "kv.failed kv.timeout", example: `require("session").clear("support-17")`,
    }),
  ],
});

const RUNNER = `runner = function(path) return {ok = true, stdout = "", stderr = "", exit_code = 0} end`;

export const compileLoop = apiModule("compile_loop", "Lets a model write a file until a runner accepts it.", {
  required: true,
  functions: [
    fn("compile_loop.make(conf: CompileLoopConf) -> ToolDefinition", "Makes such a tool and registers it.", {
      params: { conf: "Runner, bounds, model; see CompileLoopConf." },
      example: `local loop = require("compile_loop").make{name = "write_code", ${RUNNER}}`, js: "",
    }),
  ],
  shapes: [
    shape("CompileLoopConf", "How code is written and tried.", {
      "runner: fn(path: string | string[]) -> RunnerResult": "Tries what was written.",
      "name: string?": "Name of the tool. Default `compile_loop`.",
      "max_iters: integer?": "Tries. Default 5.",
      "lang: string?": "Language. Default `lua`.",
      "system: string?": "Instructions for the model.",
      'edit_mode: ("full" | "diff")?': "Whole files, or pieces to replace. Default `full`.",
      "on_iter: (fn(info: table) -> any)?": "Called after each try.",
      "llm: table?": "`{provider, base_url, api_key, api_key_env, model, max_tokens, temperature, disable_thinking, timeout}`.",
    }),
    shape("RunnerResult", "How a try ended.", {
      "ok: boolean": "It is accepted.", "stdout: string": "What it wrote.", "stderr: string": "What it wrote there.",
      "exit_code: integer": "Its exit code.",
    }),
    shape("ToolDefinition", "A tool that is registered.", {
      "name: string": "Its name.", "schema: ToolSchema": "What a model is told.", "handler: fn(input: json) -> any": "What it does.",
    }),
  ],
});

export const codingAgent = apiModule("coding_agent", "A model that writes a file which passes its tests.", {
  required: true,
  functions: [
    fn("~coding_agent.run(opts: table) -> table", "Writes a file and gives the outcome of `compile_loop` as a table.", {
      params: { opts: "`{target_file, spec, runner, …}` and the fields of `llm`." },
      example: `local r = require("coding_agent").run{target_file = "a.lua", spec = "print ALL_PASS", ${RUNNER}, ${MODEL}}`, js: "",
    }),
    fn("coding_agent.register_tool(opts: table) -> string", "Registers it as a tool and gives its name.", {
      params: { opts: "`runner_kind`: `lua`, `cargo` or a function." },
      example: `require("coding_agent").register_tool{runner_kind = "lua"}`, js: "",
    }),
  ],
});

const T = `local t = require("lshape").t\n`;
const PET = `${T}local Pet = t.shape{name = t.string}\n`;
const schema = (name: string, params: string, doc: string, more: { params: Record<string, string>; example: string }): ReturnType<typeof fn> =>
  fn(`lshape.t.${name}(${params}) -> Schema`, doc, { params: more.params, example: T + more.example, js: "" });

export const lshape = apiModule("lshape", "Shapes of Lua values: checks, and types for editors.", {
  required: true,
  values: ["string", "number", "boolean", "table", "any"].map((name) => ({
    signature: `lshape.t.${name}: Schema`, doc: `Schema of ${name === "any" ? "any value" : `a ${name}`}.`, luaOnly: true,
  })).concat([
    { signature: "lshape.check.dev_env_var: string", doc: "Variable that turns `assert_dev` on: LSHAPE_CHECK.", luaOnly: true },
    { signature: "lshape.check.default_registry: table", doc: "Schemas by the name that `t.ref` gives.", luaOnly: true },
  ]),
  functions: [
    schema("shape", "fields: {[string]: Schema}, opts: table?", "A table with these fields.", {
      params: { fields: "Schemas by name.", opts: "`open = false` refuses other fields." }, example: `local Pet = t.shape{name = t.string}`,
    }),
    schema("partial", "of: table, opts: table?", "A shape with every field optional.", {
      params: { of: "A shape, or its fields.", opts: "As of `shape`." }, example: `local Some = t.partial{name = t.string}`,
    }),
    schema("array_of", "item: Schema", "A list.", { params: { item: "Schema of its items." }, example: `local Names = t.array_of(t.string)` }),
    schema("map_of", "key: Schema, value: Schema", "A table whose every key and value fits.", {
      params: { key: "Of the keys.", value: "Of the values." }, example: `local Ages = t.map_of(t.string, t.number)`,
    }),
    schema("one_of", "values: any[]", "One of these plain values.", { params: { values: "Which." }, example: `local Size = t.one_of{"small", "large"}` }),
    schema("literal", "value: any", "Exactly this plain value.", { params: { value: "Which." }, example: `local Cat = t.literal("cat")` }),
    schema("any_of", "schemas: Schema[]", "Whatever one of these accepts.", {
      params: { schemas: "Tried in order." }, example: `local Id = t.any_of{t.string, t.number}`,
    }),
    schema("discriminated", "tag: string, variants: {[string]: Schema}", "A table whose field says which shape it has.", {
      params: { tag: "Name of the field.", variants: "Shapes by its value." },
      example: `local Figure = t.discriminated("kind", {dot = t.shape{x = t.number}})`,
    }),
    schema("pattern", "pattern: string", "A string in which a Lua pattern is found.", {
      params: { pattern: "Lua pattern." }, example: `local Code = t.pattern("^%d+$")`,
    }),
    schema("ref", "name: string", "The schema of this name in the registry.", { params: { name: "Its name." }, example: `local Tree = t.ref("Tree")` }),
    fn("lshape.t.is_schema(v: any) -> boolean", "Was it made here?", {
      params: { v: "Any value." }, example: `${T}print(t.is_schema(t.string))`, js: "",
    }),
    fn("lshape.check.check(v: any, schema: Schema, opts: table?) -> boolean, string?", "True, or false and why not.", {
      params: { v: "What to check.", schema: "What it should be.", opts: "`registry`: schemas for `t.ref`." }, js: "",
      example: `${PET}print(require("lshape").check.check({name = 1}, Pet))`,
    }),
    fn("lshape.check.assert(v: any, schema: Schema, hint: string?, opts: table?) -> any", "The value itself, or an error.", {
      params: { v: "What to check.", schema: "What it should be.", hint: "What is being looked at.", opts: "As of `check`." }, js: "",
      example: `${PET}local pet = require("lshape").check.assert({name = "Rex"}, Pet)`,
    }),
    fn("lshape.check.assert_dev(v: any, schema: Schema, hint: string?, opts: table?) -> any", "`assert` while developing, else the value.", {
      params: { v: "What to check.", schema: "What it should be.", hint: "What is being looked at.", opts: "As of `check`." }, js: "",
      example: `${PET}local pet = require("lshape").check.assert_dev({name = "Rex"}, Pet)`,
    }),
    fn("lshape.check.is_dev_mode() -> boolean", "Does LSHAPE_CHECK ask for the checks of `assert_dev`?", {
      js: "", example: `print(require("lshape").check.is_dev_mode())`,
    }),
    fn("lshape.reflect.fields(schema: Schema) -> table", "The fields of a shape, by name.", {
      params: { schema: "A shape." }, js: "", example: `${PET}local fields = require("lshape").reflect.fields(Pet)`,
    }),
    fn("lshape.reflect.walk(schema: Schema, visit: fn(schema: Schema, path: string) -> any)", "Visits a schema and all within.", {
      params: { schema: "Where to begin.", visit: "`false` skips what is within." }, js: "",
      example: `${PET}require("lshape").reflect.walk(Pet, function(schema, path) print(path) end)`,
    }),
    fn("lshape.luacats.class_for(name: string, schema: Schema) -> string", "Types for editors: one class.", {
      params: { name: "Its name.", schema: "Its shape." }, js: "",
      example: `${PET}print(require("lshape").luacats.class_for("Pet", Pet))`,
    }),
    fn("lshape.luacats.gen(schemas: {[string]: Schema}) -> string", "Types for editors: a whole file.", {
      params: { schemas: "Schemas by name." }, js: "", example: `${PET}print(require("lshape").luacats.gen{Pet = Pet})`,
    }),
  ],
  shapes: [
    shape("Schema", "What a value should be.", {}, [
      fn("is_optional() -> Schema", "The same, where nil is fine too.", { example: `${T}return t.string:is_optional()` }),
      fn("describe(doc: string) -> Schema", "The same, with a sentence for readers.", {
        params: { doc: "The sentence." }, example: `${T}return t.string:describe("A name.")`,
      }),
    ]),
  ],
});
