/** Lua and TypeScript side by side: the agent loop, on a model that answers both alike, and servers of tools. */
import { after, before } from "node:test";
import { createRequire } from "node:module";
import { type MockModel, startMockModel } from "@atoll-run/testkit";
import { type Pair, pairs } from "./pairs.ts";

const TURN = { reply: { text: "let me see", tool_calls: [{ name: "look", input: { at: 1 } }, { name: "extra", input: {} }] } };
const FAILS = { reply: { text: "", tool_calls: [{ name: "fail", input: {} }] } };
const SCRIPT = { turns: [TURN, FAILS, { reply: { text: "done" } }] };
const EVERYTHING = createRequire(import.meta.url).resolve("@modelcontextprotocol/server-everything/dist/index.js");

/** Each script of the pair has a model of its own, so that both begin at the first turn. */
let models: MockModel[] = [];
before(async () => {
  models = await Promise.all([0, 1].map(() => startMockModel({ script: SCRIPT })));
});
after(() => Promise.all(models.map((model) => model.close())));
let next = 0;

const TABLE: readonly Pair[] = [
  { title: "an agent calls tools of the script, tells its turns, and gives the same result",
    get config() {
      return { globals: { url: models[next++]?.url ?? "" } };
    },
    lua: `tool.register("look", {description = "Looks.", input_schema = {type = "object"}}, function(i) print("look", i.at) return {seen = i.at} end)
    tool.register("fail", {description = "Fails.", input_schema = {type = "object"}}, function() error("not there", 0) end)
    local turns = {}
    local r = require("agent").run{prompt = "go", system = "s", base_url = url, api_key = "k", parallel_tools = 2,
      extra_tools = {{name = "extra", description = "More.", input_schema = {type = "object"}, handler = function() return "more" end}},
      on_turn = function(info) turns[#turns + 1] = info.turn_number end}
    local results = {}
    for _, m in ipairs(r.messages) do
      if type(m.content) == "table" then for _, b in ipairs(m.content) do if b.type == "tool_result" then results[#results + 1] = b.content end end end
    end
    return {r.ok, r.content, r.num_turns, r.stopped_by, turns, results}`,
    ts: `tool.register("look", { description: "Looks.", input_schema: { type: "object" } }, (i: any) => { print("look", i.at); return { seen: i.at }; });
    tool.register("fail", { description: "Fails.", input_schema: { type: "object" } }, () => { throw new Error("not there"); });
    const turns: unknown[] = [];
    const r: any = await agent.run({ prompt: "go", system: "s", baseUrl: (globalThis as any).url, apiKey: "k", parallelTools: 2,
      extraTools: [{ name: "extra", description: "More.", input_schema: { type: "object" }, handler: () => "more" }],
      onTurn: (info: any) => { turns.push(info.turn_number); } } as any);
    const results = r.messages.flatMap((m: any) => (Array.isArray(m.content) ? m.content : []))
      .filter((b: any) => b.type === "tool_result").map((b: any) => b.content);
    export default [r.ok, r.content, r.num_turns, r.stopped_by, turns, results]` },
  { title: "a server over stdio lists, calls and reports to a callback",
    lua: `local logs = 0
    mcp.connect("e", "${process.execPath}", {"${EVERYTHING}", "stdio"}, {timeout_ms = 50000})
    mcp.on_progress("e", function() logs = logs + 1 end)
    local echo = mcp.call("e", "echo", {message = "hi"})
    local info = mcp.server_info("e")
    local bad = mcp.call("e", "no-such-tool", {})
    mcp.disconnect("e")
    return {echo.ok, echo.content, info.ok, bad.ok, bad.is_error}`,
    ts: `let logs = 0;
    await mcp.connect("e", "${process.execPath}", ["${EVERYTHING}", "stdio"], { timeoutMs: 50000 } as any);
    await mcp.onProgress("e", () => { logs++; });
    const echo: any = await mcp.call("e", "echo", { message: "hi" });
    const info: any = await mcp.serverInfo("e");
    const bad: any = await mcp.call("e", "no-such-tool", {});
    await mcp.disconnect("e");
    export default [echo.ok, echo.content, info.ok, bad.ok, bad.is_error]` },
];
pairs(TABLE);
