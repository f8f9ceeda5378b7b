/** `tool`, `log`, `llm`: tools for models, log lines, answers of models. */
import { apiModule, fn, shape } from "../declare.ts";

const ADD = `tool.register("add", {description = "Adds."}, function(i) return i.a + i.b end)`;

export const tool = apiModule("tool", "Tools that a model, or another part of the script, can call.", {
  functions: [
    fn("tool.register(name: string, schema: ToolSchema, handler: fn(input: json) -> any, meta: ToolMeta?)",
      "Registers a tool; one of the same name is replaced in its place.", {
        params: {
          name: "Name of the tool.", schema: "What a model is told of it.", handler: "Gets the input.",
          meta: "`group`: name of a group of tools.",
        },
        example: `tool.register("add", {\n  description = "Adds two numbers.",\n  input_schema = {type = "object", properties = {a = {type = "number"}, b = {type = "number"}}},\n}, function(input) return input.a + input.b end)`,
      }),
    fn("~tool.call(name: string, input: json?) -> any", "Calls a tool and gives its first result.", {
      params: { name: "Name of the tool.", input: "What it is called with." }, errors: "tool.not_found",
      before: ADD, example: `local sum = tool.call("add", {a = 1, b = 2})`,
    }),
    fn("tool.list() -> string[]", "Names of all tools, in order of registration.", {
      before: ADD, example: `for _, name in ipairs(tool.list()) do print(name) end`,
    }),
    fn("tool.schema() -> ToolEntry[]", "All tools as a model is told of them, in order of registration.", {
      before: ADD, example: `print(tool.schema()[1].description)`,
    }),
    fn("tool.unregister(name: string) -> boolean", "Takes a tool away; true when it was there.", {
      params: { name: "Name of the tool." }, before: ADD, example: `tool.unregister("add")`,
    }),
  ],
  shapes: [
    shape("ToolSchema", "What a model is told of a tool.", {
      "description: string?": "When and how to use it.", "input_schema: json?": "JSON Schema of its input.",
    }),
    shape("ToolMeta", "What a model is not told of a tool.", { "group: string?": "Name of a group of tools." }),
    shape("ToolEntry", "A tool as a model is told of it.", {
      "name: string": "Its name.", "description: string": "When and how to use it.",
      "input_schema: json": "JSON Schema of its input.", "group: string?": "Name of a group of tools.",
    }),
  ],
});

export const log = apiModule("log", "Log lines, with the target `lua` and the name of the script.", {
  functions: (["debug", "info", "warn", "error"] as const).map((level) =>
    fn(`log.${level}(msg: any, fields: table?)`, `Writes a log line of level ${level}.`, {
      params: { msg: "Its text; what is no string goes through `tostring`.", fields: "Plain data beside it." },
      example: `log.${level}("round done", {round = 3})`,
    })),
});

export const llm = apiModule("llm", "What to do with the text of a model.", {
  functions: [
    fn("llm.extract_json(text: string) -> json?",
      "The first JSON value in a fence, else the first object or array; mends small mistakes.", {
        params: { text: "What the model wrote." }, errors: "json.decode",
        example: `local data = llm.extract_json("Sure: {'a': 1,}")`,
      }),
    fn("llm.strip_fences(text: string) -> string", "The inside of the first fenced block, else the text as it is.", {
      params: { text: "What the model wrote." },
      example: 'local code = llm.strip_fences("```lua\\nprint(1)\\n```")',
    }),
  ],
});
