/**
 * `server-everything`, as it comes from the registry, over all three transports: one script uses every
 * function of `mcp` against it, and each test looks at one of its results.
 */
import assert from "node:assert/strict";
import { before, describe, test } from "node:test";
import { everythingOver, type HttpServer, value } from "./support.ts";

const TOUR = `
local out, heard = {}, {progress = {}, log = {}, update = {}}
mcp.on_progress(function(e) heard.progress[#heard.progress + 1] = e end)
mcp.on_log(function(e) std.time.sleep(0.001) heard.log[#heard.log + 1] = e end)
mcp.on_resource_update("e", function(e) heard.update[#heard.update + 1] = e end)
mcp.set_roots_handler(function(server) return {{uri = "file:///srv/" .. server, name = "srv"}} end)
mcp.set_sampling_handler("e", function(server, params)
  local p = std.json.decode(params)
  return {model = "tiny", stop_reason = "endTurn", content = "you said " .. p.messages[1].content.text}
end)
mcp.set_elicitation_handler(function(server, message, schema)
  local fields = std.json.decode(schema).properties
  return {action = "accept", content = {name = "Ada", check = fields.check ~= nil}}
end)
CONNECT()

out.info = mcp.server_info("e").server_info
out.ping = mcp.ping("e")
out.tools = mcp.list_tools("e")
out.echo = mcp.call("e", "echo", {message = "hello"})
out.sum = mcp.call("e", "get-sum", {a = 2, b = 40})
out.structured = mcp.call("e", "get-structured-content", {location = "Chicago"})
out.image = mcp.call("e", "get-tiny-image")
out.wrong = mcp.call("e", "echo", {})
out.resources = mcp.list_resources("e")
out.templates = mcp.list_resource_templates("e")
out.read = mcp.read_resource("e", "demo://resource/dynamic/text/1")
out.read_static = mcp.read_resource("e", out.resources.resources[1].uri)
out.read_wrong = mcp.read_resource("e", "demo://nothing")
out.subscribe = mcp.subscribe_resource("e", "demo://resource/dynamic/text/1")
mcp.call("e", "toggle-subscriber-updates")
until_true(function() return #heard.update > 0 end)
mcp.call("e", "toggle-subscriber-updates")
out.unsubscribe = mcp.unsubscribe_resource("e", "demo://resource/dynamic/text/1")
out.prompts = mcp.list_prompts("e")
out.prompt = mcp.get_prompt("e", "simple-prompt")
out.prompt_args = mcp.get_prompt("e", "args-prompt", {city = "Kyoto"})
out.prompt_wrong = mcp.get_prompt("e", "args-prompt", {1, 2})
out.complete = mcp.complete("e", {type = "ref/prompt", name = "completable-prompt"}, "department", "S")
out.complete_uri = mcp.complete("e", {type = "ref/resource", uri = "demo://resource/dynamic/text/{resourceId}"}, "resourceId", "1")
out.complete_wrong = mcp.complete("e", {type = "ref/tool", name = "x"}, "a", "")
out.complete_none = mcp.complete("e", {name = "x"}, "a", "")
out.long = mcp.call("e", "trigger-long-running-operation", {duration = 0.4, steps = 2})
until_true(function() return #heard.progress >= 2 end)
out.sampling = texts(mcp.call("e", "trigger-sampling-request", {prompt = "hi", maxTokens = 5}))
out.elicitation = texts(mcp.call("e", "trigger-elicitation-request"))
out.roots = texts(mcp.call("e", "get-roots-list"))
mcp.notify_roots_list_changed("e")
mcp.call("e", "toggle-simulated-logging")
until_true(function() return #heard.log > 0 end)
mcp.call("e", "toggle-simulated-logging")

local id
std.task.scope(function(scope)
  scope:spawn(function()
    local begun = std.time.now()
    out.cancelled = mcp.call("e", "trigger-long-running-operation", {duration = 20, steps = 2}, {on_id = function(n) id = n end})
    out.cancelled_within = std.time.now() - begun
  end)
  until_true(function() return id end)
  mcp.cancel("e", id)
end)
out.after_cancel = mcp.call("e", "echo", {message = "again"}).ok
mcp.disconnect("e")
mcp.disconnect("e")
out.gone = mcp.call("e", "echo", {message = "?"})
out.heard = heard
return out
`;

type Result = { [key: string]: any }; // eslint-disable-line -- JSON of many shapes

for (const transport of ["stdio", "streamableHttp", "sse"] as const) {
  describe(`server-everything over ${transport}`, () => {
    let out: Result = {};
    before(async () => {
      const server: HttpServer | undefined = transport === "stdio" ? undefined : await everythingOver(transport);
      const connect = server === undefined ? `everything("e")`
        : `mcp.connect_http("e", "${server.url}", {transport = "${transport === "sse" ? "sse" : "http"}"})`;
      try {
        out = await value(TOUR.replace("CONNECT()", connect)) as Result;
      } finally {
        await server?.[Symbol.asyncDispose]();
      }
    });

    test("server_info tells protocol, capabilities, name and instructions", () => {
      assert.match(out["info"].protocolVersion, /^\d{4}-\d\d-\d\d$/);
      assert.equal(out["info"].serverInfo.name, "mcp-servers/everything");
      assert.equal(out["info"].capabilities.resources.subscribe, true);
      assert.match(out["info"].instructions, /Everything/);
    });

    test("ping gives a whole number of milliseconds", () => {
      assert.equal(out["ping"].ok, true);
      assert.ok(Number.isInteger(out["ping"].latency_ms));
    });

    test("list_tools gives the tools in the words of MCP", () => {
      const names = out["tools"].tools.map((tool: Result) => tool["name"]);
      for (const name of ["echo", "get-sum", "trigger-sampling-request", "trigger-elicitation-request", "get-roots-list"]) {
        assert.ok(names.includes(name), name);
      }
      assert.equal(out["tools"].tools[0].inputSchema.type, "object");
    });

    test("call gives content, structured content and is_error", () => {
      assert.deepEqual(out["echo"], { ok: true, content: [{ type: "text", text: "Echo: hello" }], is_error: false });
      assert.match(out["sum"].content[0].text, /42/);
      assert.equal(typeof out["structured"].structured_content.temperature, "number");
      assert.equal(out["image"].content.find((block: Result) => block["type"] === "image").mimeType, "image/png");
      assert.equal(out["wrong"].is_error ?? !out["wrong"].ok, true);
    });

    test("resources are listed, with templates, and read", () => {
      assert.ok(out["resources"].resources.length > 0);
      assert.match(out["templates"].resource_templates[0].uriTemplate, /^demo:/);
      assert.match(out["read"].contents[0].text, /1/);
      assert.equal(out["read_static"].ok, true);
      assert.equal(out["read_wrong"].ok, false);
      assert.equal(out["read_wrong"].code, "mcp.rpc");
      assert.match(out["read_wrong"].error, /^MCP error: read_resource 'demo:\/\/nothing' on 'e': /);
    });

    test("a subscribed resource is heard of", () => {
      assert.deepEqual([out["subscribe"], out["unsubscribe"]], [{ ok: true }, { ok: true }]);
      assert.deepEqual(out["heard"].update[0], { type: "resource_update", server: "e", uri: "demo://resource/dynamic/text/1" });
    });

    test("prompts are listed and filled in", () => {
      assert.ok(out["prompts"].prompts.some((prompt: Result) => prompt["name"] === "args-prompt"));
      assert.equal(out["prompt"].messages[0].role, "user");
      assert.match(out["prompt_args"].messages[0].content.text, /Kyoto/);
      assert.deepEqual(out["prompt_wrong"], {
        ok: false, code: "mcp.rpc", error: "MCP error: get_prompt 'args-prompt' on 'e': args must be a JSON object (got array)",
      });
    });

    test("arguments are completed, and a wrong ref is refused before it is sent", () => {
      assert.deepEqual(out["complete"].values, ["Sales", "Support"]);
      assert.equal(out["complete_uri"].ok, true);
      const error = "MCP error: complete on 'e': ";
      assert.equal(out["complete_wrong"].error, `${error}invalid ref kind 'ref/tool', expected 'ref/prompt' or 'ref/resource'`);
      assert.equal(out["complete_none"].error, `${error}ref object has no 'type' field`);
    });

    test("progress is heard in order, with its token as text", () => {
      const [first, second] = out["heard"].progress;
      assert.deepEqual([first.type, first.server, first.progress, first.total], ["progress", "e", 1, 2]);
      assert.equal(typeof first.token, "string");
      assert.equal(first.token, second.token);
      assert.deepEqual([second.progress, out["long"].ok], [2, true]);
    });

    test("sampling, elicitation and roots are answered by the handlers", () => {
      assert.match(out["sampling"], /you said Resource trigger-sampling-request context: hi/);
      assert.match(out["sampling"], /"model": "tiny"/);
      assert.match(out["elicitation"], /Ada/);
      assert.match(out["roots"], /file:\/\/\/srv\/e/);
    });

    test("log messages come to on_log, with data as JSON", () => {
      const [line] = out["heard"].log;
      assert.deepEqual([line.type, line.server], ["log", "e"]);
      assert.ok(["debug", "info", "warning", "error"].includes(line.level));
      assert.equal(typeof JSON.parse(line.data), "string");
    });

    test("cancel ends a call by its id, and the server goes on", () => {
      assert.deepEqual(out["cancelled"], {
        ok: false, code: "mcp.rpc", error: "MCP error: call_tool 'trigger-long-running-operation' on 'e': cancelled",
      });
      assert.ok(out["cancelled_within"] < 15);
      assert.equal(out["after_cancel"], true);
    });

    test("after disconnect there is no such server", () => {
      assert.deepEqual(out["gone"], { ok: false, code: "mcp.unknown_server", error: "MCP error: no server named 'e'" });
    });
  });
}
