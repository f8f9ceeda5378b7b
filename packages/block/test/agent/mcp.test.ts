/** MCP servers of `agent.run`: their tools, what they may ask, and that they end with the run (block 6.1). */
import assert from "node:assert/strict";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import type { ScriptOptions } from "../support/run-script.ts";
import { type Loose, run as runPlain } from "./lua.ts";
import { everythingOver } from "../mcp/support.ts";
import { calls, provider as open, type Provider, says } from "./provider.ts";

const EVERYTHING = fileURLToPath(new URL("../../../../node_modules/@modelcontextprotocol/server-everything/dist/index.js", import.meta.url));
const RAW = fileURLToPath(new URL("../mcp/fixtures/raw-server.ts", import.meta.url));
const HEAD = `
local everything = {name = "e", command = NODE, args = {EVERYTHING, "stdio"}}
local function raw(name) return {name = name, command = NODE, args = {RAW}} end
`;

function run(p: Provider, source: string, o: ScriptOptions = {}): Promise<Loose> {
  return runPlain(p, HEAD + source, { ...o, globals: { NODE: process.execPath, EVERYTHING, RAW } });
}

test("tools of servers are server__tool, between registry and extras; their text is the result", async (t) => {
  const p = await open(t);
  p.script(calls([["e__echo", { message: "hi" }], ["e__get-sum", { a: 2, b: 3 }], ["e__get-tiny-image", {}], ["e__echo", {}]]), says("done"));
  const r = await run(p, `
    tool.register("own", {}, print)
    local r = agent.run{prompt = "go", mcp_servers = {everything}, extra_tools = {{name = "extra"}}}
    return {r.ok, r.error or "", #require("agent")._build_tools({}, nil, nil)}`);
  assert.deepEqual(r, [true, "", 1]);
  const names = p.asked[0]?.body.tools.map((tool: Loose) => tool.name);
  assert.equal(names[0], "own");
  assert.equal(names.at(-1), "extra");
  assert.ok(names.includes("e__echo"));
  assert.ok(!names.some((name: string) => name.includes("mcp_") || name.includes("sampling")));
  const results = p.asked[1]?.body.messages.at(-1).content;
  assert.equal(results[0].content, "Echo: hi");
  assert.match(results[1].content, /5/);
  assert.ok(Array.isArray(JSON.parse(results[2].content)), "several blocks are JSON");
  assert.equal(results[3].is_error, true);
});

test("the group of a tool of a server is its _meta.group, else the server", async (t) => {
  const p = await open(t);
  p.script(says("ok"));
  await run(p, `
    tool.register("own", {}, print)
    agent.run{prompt = "go", mcp_servers = {everything, raw("r")}, tool_groups = {"g"}}
    agent.run{prompt = "go", mcp_servers = {everything, raw("r")}, tool_groups = {"default"}}
    agent.run{prompt = "go", mcp_servers = {everything, raw("r")}, tool_groups = {"e"}}`);
  const [first, second, third] = p.asked.map((one) => one.body.tools.map((tool: Loose) => tool.name));
  assert.deepEqual(first, ["r__t0", "r__t1", "r__t2", "r__t3", "r__t4"]);
  assert.deepEqual(second, ["own"]);
  assert.ok(third.length > 0 && third.every((name: string) => name.startsWith("e__")), String(third));
});

test("servers of a run are its own, and closed at its end on every path", async (t) => {
  const p = await open(t);
  p.script(says("ok"), calls([["r__t0", {}]]), says("ok"));
  const events: Loose[] = [];
  const { startLua } = await import("../support/run-script.ts");
  const started = startLua(`local agent = require("agent") ${HEAD.replaceAll("\n", " ")}
    local seen = {}
    agent.run{prompt = "go", mcp_servers = {raw("r")}, on_turn = function() seen[1] = mcp.ping("r").ok end}
    agent.run{prompt = "go", mcp_servers = {raw("r")}, tool_timeout = 0.1}
    local failed = agent.run{prompt = "go", mcp_servers = {raw("r"), {name = "bad", command = "no-such-program"}}}
    return {seen[1], failed.error, failed.error_code}`, {
    globals: { NODE: process.execPath, EVERYTHING, RAW },
    env: { ANTHROPIC_API_KEY: "k", ANTHROPIC_BASE_URL: p.url, PATH: process.env["PATH"] ?? "" },
  });
  for (const name of ["child:up", "child:down"] as const) started.run.on(name, ({ pid }) => events.push([name, pid]));
  const { result, error } = await started.end;
  assert.equal(error, undefined);
  const [shared, text, code] = (result as Loose).value;
  assert.deepEqual([shared, code], [false, "mcp.spawn_failed"]);
  assert.match(text, /^mcp connect failed for 'bad': MCP error: spawn 'no-such-program': /);
  const up = events.filter(([name]) => name === "child:up").length;
  assert.equal(up, 3);
  assert.equal(events.filter(([name]) => name === "child:down").length, up);
  assert.equal(p.asked[2]?.body.messages.at(-1).content[0].content, "tool error: timeout after 0.1s");
});

test("a server that cannot list its tools ends the run: mcp list_tools failed for 'n'", async (t) => {
  const p = await open(t);
  const server = `
    require("readline").createInterface({ input: process.stdin }).on("line", (line) => {
      const { id, method } = JSON.parse(line);
      const result = { protocolVersion: "2025-06-18", capabilities: { tools: {} }, serverInfo: { name: "n", version: "1" } };
      const error = { code: -32000, message: "no list today" };
      if (id !== undefined) console.log(JSON.stringify({ jsonrpc: "2.0", id, ...(method === "initialize" ? { result } : { error }) }));
    });`;
  const r = await run(p, `return agent.run{prompt = "go", mcp_servers = {{name = "n", command = NODE, args = {"-e", ${JSON.stringify(server)}}}}}`);
  assert.match(r.error, /^mcp list_tools failed for 'n': .*no list today/);
  assert.deepEqual([r.ok, r.error_code, p.asked.length], [false, "mcp.rpc", 0]);
});

test("enable_resources and enable_prompts add tools for servers that can", async (t) => {
  const p = await open(t);
  p.script(calls([["e__mcp_list_resources", {}], ["e__mcp_list_prompts", {}], ["e__mcp_get_prompt", { name: "simple-prompt" }], ["e__mcp_read_resource", { uri: "demo://nowhere" }]]), says("done"));
  await run(p, `agent.run{prompt = "go", mcp_servers = {everything, raw("r")}, enable_resources = true, enable_prompts = true}`);
  const names: string[] = p.asked[0]?.body.tools.map((tool: Loose) => tool.name);
  assert.deepEqual(
    names.filter((name) => name.includes("__mcp_")),
    ["list_resources", "read_resource", "list_prompts", "get_prompt"].map((name) => `e__mcp_${name}`),
  );
  const results = p.asked[1]?.body.messages.at(-1).content;
  assert.ok(JSON.parse(results[0].content).length > 0);
  assert.ok(JSON.parse(results[1].content).some((one: Loose) => one.name === "simple-prompt"));
  assert.ok(JSON.parse(results[2].content).messages.length > 0);
  assert.equal(results[3].is_error, true);
});

test("sampling: a function of the script answers, or true for the model of the run", async (t) => {
  const p = await open(t);
  p.script(calls([["e__trigger-sampling-request", { prompt: "why", maxTokens: 7 }]]), says("done"),
    calls([["e__trigger-sampling-request", { prompt: "why", maxTokens: 7 }]]), says("because"), says("done"));
  const r = await run(p, `
    local asked
    agent.run{prompt = "go", mcp_servers = {everything}, sampling = function(server, params)
      asked = {server, std.json.decode(params).maxTokens}
      return {model = "own", role = "assistant", content = {type = "text", text = "my answer"}}
    end}
    agent.run{prompt = "go", mcp_servers = {everything}, sampling = true}
    return asked`);
  assert.deepEqual(r, ["e", 7]);
  assert.match(p.asked[1]?.body.messages.at(-1).content[0].content, /my answer/);
  const sampled = p.asked[3]?.body;
  assert.deepEqual([sampled.max_tokens, sampled.tools], [7, undefined]);
  assert.match(p.asked[4]?.body.messages.at(-1).content[0].content, /because/);
});

test("on_progress hears of tools under way", async (t) => {
  const p = await open(t);
  p.script(calls([["e__trigger-long-running-operation", { duration: 0.4, steps: 4 }]]), says("done"));
  const r = await run(p, `
    local heard = {}
    agent.run{prompt = "go", mcp_servers = {everything}, on_progress = function(ev) heard[#heard + 1] = ev end}
    return heard`);
  assert.ok(r.length >= 2, `${r.length} heard`);
  assert.deepEqual([r[0].type, r[0].server, r[0].progress, r[0].total], ["progress", "e", 1, 4]);
});

test("progress_to_log writes progress to the log, target mcp", async (t) => {
  const p = await open(t);
  p.script(calls([["e__trigger-long-running-operation", { duration: 0.2, steps: 2 }]]), says("done"));
  const { runLua } = await import("../support/run-script.ts");
  const { log, error } = await runLua(`${HEAD.replaceAll("\n", " ")} require("agent").run{prompt = "go", mcp_servers = {everything}, progress_to_log = true}`, {
    globals: { NODE: process.execPath, EVERYTHING, RAW },
    env: { ANTHROPIC_API_KEY: "k", ANTHROPIC_BASE_URL: p.url, PATH: process.env["PATH"] ?? "" },
  });
  assert.equal(error, undefined);
  const lines = log.filter(({ target, fields }) => target === "mcp" && fields?.["progress"] !== undefined);
  assert.ok(lines.length >= 1, JSON.stringify(log));
  assert.equal(lines[0]?.fields?.["server"], "e");
});

/** A server whose one tool logs before it answers; `logging` is its capability. */
function talking(capabilities: string): string {
  return JSON.stringify(`
    const say = (message) => console.log(JSON.stringify({ jsonrpc: "2.0", ...message }));
    require("readline").createInterface({ input: process.stdin }).on("line", (line) => {
      const { id, method } = JSON.parse(line);
      if (method === "tools/call") say({ method: "notifications/message", params: { level: "warning", logger: "l", data: { n: 1 } } });
      const result = {
        initialize: { protocolVersion: "2025-06-18", capabilities: ${capabilities}, serverInfo: { name: "n", version: "1" } },
        "tools/list": { tools: [{ name: "t", inputSchema: { type: "object" } }] }, "tools/call": { content: [] },
      }[method] ?? {};
      if (id !== undefined) say({ id, result });
    });`);
}

test("on_log hears a server that can log, log_to_stderr writes it to the log; without the capability nothing is heard", async (t) => {
  const p = await open(t);
  const turn = [calls([["n__t", {}]]), says("done")];
  p.script(...turn, ...turn, ...turn);
  const { runLua } = await import("../support/run-script.ts");
  const { log, result, error } = await runLua(`local agent = require("agent")
    local function server(code) return {{name = "n", command = NODE, args = {"-e", code}}} end
    local heard = {}
    local function hear(ev) heard[#heard + 1] = ev end
    agent.run{prompt = "go", mcp_servers = server(${talking("{ tools: {}, logging: {} }")}), on_log = hear, log_to_stderr = true}
    agent.run{prompt = "go", mcp_servers = server(${talking("{ tools: {} }")}), on_log = hear}
    agent.run{prompt = "go", mcp_servers = server(${talking("{ tools: {}, logging: {} }")}), log_to_stderr = true}
    return heard`, {
    globals: { NODE: process.execPath }, env: { ANTHROPIC_API_KEY: "k", ANTHROPIC_BASE_URL: p.url, PATH: process.env["PATH"] ?? "" },
  });
  assert.equal(error, undefined);
  assert.deepEqual(result?.value, [{ type: "log", server: "n", level: "warning", logger: "l", data: `{"n":1}` }]);
  const lines = log.filter(({ target, msg }) => target === "mcp" && msg === `{"n":1}`);
  assert.deepEqual(lines.map(({ level }) => level), ["warn"]);
});

test("in restricted mode a tool of a server needs its mcp grant", async (t) => {
  const p = await open(t);
  p.script(calls([["e__echo", { message: "a" }], ["e__get-env", {}]]), says("done"));
  const grants = ["model", `run:${process.execPath}`, "mcp:e/echo"];
  await run(p, `agent.run{prompt = "go", mcp_servers = {everything}}`, { grants });
  const results = p.asked[1]?.body.messages.at(-1).content;
  assert.equal(results?.[0].content, "Echo: a");
  assert.match(results?.[1].content, /^tool error: denied: mcp call e\/get-env/);
});

test("a server over HTTP is reached by its url", async (t) => {
  const p = await open(t);
  p.script(calls([["w__echo", { message: "over http" }]]), says("done"));
  await using server = await everythingOver("streamableHttp");
  await run(p, `agent.run{prompt = "go", mcp_servers = {{name = "w", url = "${server.url}", transport_opts = {headers = {["x-a"] = "b"}}}}}`);
  assert.equal(p.asked[1]?.body.messages.at(-1).content[0].content, "Echo: over http");
});
