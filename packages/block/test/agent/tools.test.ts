/**
 * Tools of `agent.run`: which the model is told of, how they run, and what becomes of their results (block
 * 6.1).
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type Loose, run } from "./lua.ts";
import { calls, provider as open, says } from "./provider.ts";

test("A1: two slow tools with parallel_tools run together, and results keep the order of the calls", async (t) => {
  const p = await open(t);
  p.script(calls([["slow", { n: 1 }], ["slow", { n: 2 }]]), says("done"));
  const r = await run(p, `
    local running, most = 0, 0
    tool.register("slow", {}, function(i)
      running = running + 1
      most = math.max(most, running)
      while most < 2 do std.task.sleep(1) end
      if i.n == 1 then std.task.sleep(20) end
      running = running - 1
      return "slow " .. i.n
    end)
    local r = agent.run{prompt = "go", parallel_tools = true}
    r.most = most
    return r`);
  assert.equal(r.most, 2);
  assert.deepEqual(p.asked[1]?.body.messages.at(-1).content.map((one: Loose) => [one.tool_use_id, one.content]),
    [["t1", "slow 1"], ["t2", "slow 2"]]);
});

test("without parallel_tools one tool runs after the other", async (t) => {
  const p = await open(t);
  p.script(calls([["slow", {}], ["slow", {}], ["slow", {}]]), says("done"));
  const r = await run(p, `
    local running, most = 0, 0
    tool.register("slow", {}, function(i)
      running = running + 1
      most = math.max(most, running)
      std.task.sleep(2)
      running = running - 1
    end)
    agent.run{prompt = "go"}
    return most`);
  assert.equal(r, 1);
});

test("results: text as it is, tables as JSON, others by tostring, failures as `tool error: …`", async (t) => {
  const p = await open(t);
  p.script(calls([["give", { what: "text" }], ["give", { what: "table" }], ["give", { what: "number" }], ["give", { what: "nothing" }],
    ["give", { what: "error" }], ["give", { what: "object" }], ["unknown", {}]]), says("done"));
  await run(p, `
    local give = {text = "plain", table = {b = 1, a = {1, 2}}, number = 2.5}
    tool.register("give", {}, function(i)
      if i.what == "error" then error("no luck", 0) end
      if i.what == "object" then sh.exec() end
      return give[i.what]
    end)
    agent.run{prompt = "go"}`);
  const results = p.asked[1]?.body.messages.at(-1).content;
  assert.deepEqual(results.map((one: Loose) => [one.content, one.is_error]), [
    ["plain", undefined], [`{"a":[1,2],"b":1}`, undefined], ["2.5", undefined], ["nil", undefined],
    ["tool error: no luck", true], ["tool error: sh.exec: argument #1 must be a string, got nil", true],
    ["tool error: tool not found: unknown", true],
  ]);
});

test("tool_timeout ends a tool with an error result", async (t) => {
  const p = await open(t);
  p.script(calls([["hang", {}]]), says("done"));
  const r = await run(p, `
    local closed = false
    tool.register("hang", {}, function()
      local guard <close> = setmetatable({}, {__close = function() closed = true end})
      std.task.sleep(600000)
    end)
    local r = agent.run{prompt = "go", tool_timeout = 0.05}
    while not closed do std.task.sleep(1) end
    return r`);
  assert.equal(r.content, "done");
  const result = p.asked[1]?.body.messages.at(-1).content[0];
  assert.deepEqual([result.content, result.is_error], ["tool error: timeout after 0.05s", true]);
});

test("max_tool_result_chars cuts a result with a note", async (t) => {
  const p = await open(t);
  p.script(calls([["long", {}]]), says("done"));
  await run(p, `
    tool.register("long", {}, function() return ("x"):rep(500) end)
    agent.run{prompt = "go", max_tool_result_chars = 100}`);
  const result = p.asked[1]?.body.messages.at(-1).content[0];
  assert.equal(result.content, `${"x".repeat(100)}\n[cut: 100 of 500 characters]`);
});

test("tools: registry in its order, then extras; the first of a name wins; the bytes are the same every time", async (t) => {
  const p = await open(t);
  p.script(says("ok"));
  const source = `
    for _, name in ipairs{"zeta", "alpha", "mid"} do tool.register(name, {description = name, input_schema = {required = {"x"}}}, print) end
    local extra = {
      {name = "alpha", description = "not this one", input_schema = {}},
      {name = "beta", schema = {description = "b", input_schema = {type = "object"}}, handler = function() end},
    }
    return agent.run{prompt = "go", extra_tools = extra}`;
  for (let i = 0; i < 3; i++) await run(p, source);
  const tools = p.asked[0]?.body.tools;
  assert.deepEqual(tools.map((tool: Loose) => tool.name), ["zeta", "alpha", "mid", "beta"]);
  assert.equal(tools[1].description, "alpha");
  assert.equal(new Set(p.asked.map((one) => one.text)).size, 1);
});

test("extra tools run their own handler, or the registered tool of their name", async (t) => {
  const p = await open(t);
  p.script(calls([["own", { n: 1 }], ["plain", {}]]), says("done"));
  await run(p, `
    tool.register("plain", {}, function() return "registered" end, {group = "hidden"})
    agent.run{prompt = "go", tool_groups = {"default"}, extra_tools = {
      {name = "own", schema = {description = "o"}, handler = function(i) return "own " .. i.n end},
      {name = "plain", description = "p", input_schema = {}},
    }}`);
  assert.deepEqual(
    p.asked[1]?.body.messages.at(-1).content.map((one: Loose) => one.content), ["own 1", "registered"],
  );
});

test("tool_groups: only the tools of these groups; without a group a tool is of `default`", async (t) => {
  const p = await open(t);
  p.script(says("ok"));
  await run(p, `
    tool.register("a", {}, print)
    tool.register("b", {}, print, {group = "files"})
    tool.register("c", {}, print, {group = "net"})
    agent.run{prompt = "go", tool_groups = {"default", "files"}}
    agent.run{prompt = "go", tool_groups = {"none"}}`);
  assert.deepEqual(
    p.asked.map((one) => one.body.tools?.map((tool: Loose) => tool.name)), [["a", "b"], undefined],
  );
});

test("_build_tools gives registry, MCP by server, extras; _resolve_mcp_group the group of a tool or its server", async (t) => {
  const p = await open(t);
  const r = await run(p, `
    tool.register("own", {description = "d"}, print)
    local mcp = {files = {{name = "read", description = "r", inputSchema = {type = "object"}}, {name = "x", _meta = {group = "g"}}}}
    local names = function(list) local n = {} for i, t in ipairs(list) do n[i] = t.name end return n end
    return {
      names(agent._build_tools(mcp, {{name = "extra"}}, nil)), names(agent._build_tools(mcp, nil, {"files"})),
      agent._resolve_mcp_group({_meta = {group = "g"}}, "s"), agent._resolve_mcp_group({}, "s"),
    }`);
  assert.deepEqual(r, [["own", "files__read", "files__x", "extra"], ["files__read"], "g", "s"]);
});

test("an extra tool with a type is the provider's own: it is passed on as it is, and its blocks stay in the history", async (t) => {
  const p = await open(t);
  const searched = [
    { type: "server_tool_use", id: "s1", name: "web_search", input: { query: "x" } },
    { type: "web_search_tool_result", tool_use_id: "s1", content: [] }, { type: "text", text: "found" },
  ];
  p.script(says("", { content: searched }), says("done"));
  await run(p, `
    local first = agent.run{prompt = "go", cache_control = false, extra_tools = {{type = "web_search_20250305", name = "web_search", max_uses = 2}}}
    agent.run{prompt = "and", history = first.messages}`);
  assert.deepEqual(p.asked[0]?.body.tools, [{ type: "web_search_20250305", name: "web_search", max_uses: 2 }]);
  assert.deepEqual(p.asked[1]?.body.messages[1].content, searched);
});
