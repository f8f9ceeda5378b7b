/** What a run tells its log (spec: block 9). */
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import type { Json, LogEvent, Mesh } from "@atoll-run/core";
import { until } from "@atoll-run/testkit";
import { readDumpMode } from "../../src/observe/dump-mode.ts";
import { json, provider } from "../agent/provider.ts";
import { type ScriptEnd, runLua, startLua } from "../support/run-script.ts";

const DEMO_MCP = fileURLToPath(new URL("../script-api/demo-mcp.ts", import.meta.url));
const TRACE = { trace_id: "t-1", run_id: "r 1", agent_id: "a=1", agent_name: "" };
const WHO = `trace_id=t-1 run_id="r 1" agent_id="a=1" agent_name=""`;

function obs({ log }: Pick<ScriptEnd, "log">): string[] {
  return log.filter((line) => line.msg.startsWith("prefix=ab.obs")).map((line) => {
    assert.deepEqual([line.level, line.target], ["info", "lua"]);
    return line.msg;
  });
}

test("every log event says script, isle and who asks; in a task its name too", async () => {
  const { log } = await runLua(`
    log.info("one")
    std.task.spawn(function() log.info("two") end, {name = "work"}):join()
    std.task.spawn(function() log.info("three") end):join()
  `, { name: "talk.lua", trace: TRACE });
  const own = log.filter((line) => line.target === "lua");
  assert.deepEqual(own.map(({ msg, script, isle, task, trace }) => ({ msg, script, isle, task, trace })), [
    { msg: "one", script: "talk.lua", isle: "main", task: undefined, trace: TRACE },
    { msg: "two", script: "talk.lua", isle: "main", task: "work", trace: TRACE },
    { msg: "three", script: "talk.lua", isle: "main", task: "t2", trace: TRACE },
  ]);
});

test("tools tell of themselves in one line each", async () => {
  const end = await runLua(`
    tool.register("add", {}, function(i) return i.a end)
    tool.call("add", {a = 1})
    pcall(tool.call, "gone")
    tool.register("bad tool", {}, function() error("no") end)
    pcall(tool.call, "bad tool", {})
  `, { trace: TRACE });
  assert.deepEqual(obs(end), [
    `prefix=ab.obs event=tool_register component=tool ${WHO} tool=add`,
    `prefix=ab.obs event=tool_call component=tool ${WHO} tool=add`,
    `prefix=ab.obs event=tool_result component=tool ${WHO} tool=add ok=true`,
    `prefix=ab.obs event=tool_register component=tool ${WHO} tool="bad tool"`,
    `prefix=ab.obs event=tool_call component=tool ${WHO} tool="bad tool"`,
    `prefix=ab.obs event=tool_result component=tool ${WHO} tool="bad tool" ok=false`,
  ]);
});

test("a request tells before it is sent and when it is answered, its URL without what may hide a secret", async (t) => {
  const { url, script } = await provider(t);
  script((response) => json(response, 404, {}));
  const port = new URL(url).port;
  const end = await runLua(`
    http.request("http://me:secret@127.0.0.1:${port}/a?token=1#x", {method = "POST", body = "{}"})
    pcall(http.request, "http://127.0.0.1:1/")
  `, { trace: TRACE });
  assert.deepEqual(obs(end), [
    `prefix=ab.obs event=http_request component=http ${WHO} method=POST url=http://127.0.0.1:${port}/a`,
    `prefix=ab.obs event=http_response component=http ${WHO} method=POST url=http://127.0.0.1:${port}/a status=404`,
    `prefix=ab.obs event=http_request component=http ${WHO} method=GET url=http://127.0.0.1:1/`,
  ]);
  assert.ok(!JSON.stringify(end.log).includes("secret"));
});

/** A mesh of one peer, which says what it was asked, and can ask. */
function peer(): { mesh: Mesh; asked: Json[]; ask(payload: Json): Promise<Json> } {
  const asked: Json[] = [];
  let serve: Parameters<Mesh["serve"]>[0] | undefined;
  return {
    asked, ask: (payload) => (serve as NonNullable<typeof serve>)("bob", payload, { deadlineMs: 10_000, signal: AbortSignal.timeout(10_000) }),
    mesh: {
      id: "alice", request: (_to, payload) => {
        asked.push(payload);
        return Promise.resolve(null);
      },
      serve: (fn) => {
        serve = fn;
        return { [Symbol.dispose]: () => undefined };
      },
    },
  };
}

test("messages to peers tell of themselves and carry who asks", async () => {
  const { mesh, asked } = peer();
  const end = await runLua(`mesh.send("bob", {n = 1}) mesh.request("bob", nil) mesh.request("bob", "text")`, { mesh, trace: TRACE });
  assert.deepEqual(obs(end), [
    `prefix=ab.obs event=mesh_send component=mesh ${WHO} target=bob`,
    `prefix=ab.obs event=mesh_request component=mesh ${WHO} target=bob`,
    `prefix=ab.obs event=mesh_request component=mesh ${WHO} target=bob`,
  ]);
  assert.deepEqual(asked, [{ n: 1, __ab_obs: TRACE }, { __ab_obs: TRACE }, "text"]);
});

test("the trace of a peer's request goes on in the log, in requests and to further peers", async (t) => {
  const { url, script, asked: sent } = await provider(t);
  script({});
  const { mesh, asked, ask } = peer();
  const theirs = { trace_id: "0af7651916cd43dd8448eb211c80319c", run_id: "r2", agent_id: "b", agent_name: "bob" };
  const run = startLua(`
    mesh.on(function()
      log.info("asked")
      http.request("${url}/", {method = "POST", body = "{}"})
      mesh.request("carol", {})
      std.task.spawn(function() log.info("in a task") end):join()
    end)
    bus.serve()
  `, { mesh, trace: TRACE });
  await run.run.ready;
  await ask({ __ab_obs: theirs });
  await run.run.stop();
  const said = run.log.filter((line) => line.isle === "handler" && line.target === "lua");
  assert.deepEqual(said.map((line) => line.trace?.trace_id), said.map(() => theirs.trace_id));
  assert.deepEqual(said.map((line) => line.msg).filter((msg) => !msg.startsWith("prefix")), ["asked", "in a task"]);
  assert.match(String(sent[0]?.headers["traceparent"]), new RegExp(`^00-${theirs.trace_id}-[0-9a-f]{16}-01$`));
  assert.equal(sent[0]?.headers["x-run-id"], "r2");
  assert.deepEqual(asked, [{ __ab_obs: theirs }]);
});

test("calls of MCP tools tell of themselves, in the trace of the event that makes them", async () => {
  const { mesh, ask } = peer();
  const theirs = { trace_id: "t-2", run_id: "", agent_id: "", agent_name: "" };
  const run = startLua(`
    mcp.connect("demo", "node", {"${DEMO_MCP}"})
    mesh.on(function() return mcp.call("demo", "echo", {token = "no"}).ok end)
    bus.serve()
  `, { mesh, trace: TRACE });
  await run.run.ready;
  await until(() => run.run.stats().open_calls > 0 && (run.run as { serving?: boolean }).serving === true, { withinMs: 20_000 });
  await ask({ __ab_obs: theirs });
  await run.run.stop();
  const who = `trace_id=t-2 run_id="" agent_id="" agent_name=""`;
  assert.deepEqual(obs(run), [
    `prefix=ab.obs event=mcp_call component=mcp ${who} server=demo tool=echo`,
    `prefix=ab.obs event=mcp_result component=mcp ${who} server=demo tool=echo ok=true`,
  ]);
});

const KEY = "sk-key-0123456789";

async function talk(t: TestContext, env: Record<string, string>): Promise<{ dumped: string[]; end: ScriptEnd }> {
  const { url, script } = await provider(t);
  script({
    id: "m", type: "message", role: "assistant", content: [{ type: "text", text: "hello" }], stop_reason: "end_turn",
    usage: { input_tokens: 3, output_tokens: 4 },
  });
  const end = await runLua(`
    local r = require("agent").run{prompt = "my words", model = "m-1", base_url = "${url}", api_key = "${KEY}"}
    assert(r.ok, r.error)
  `, { trace: TRACE, env });
  assert.equal(end.error, undefined);
  return { end, dumped: end.log.filter(isDump).map((line) => line.msg) };
}

function isDump(line: LogEvent): boolean {
  return line.target === "llm" && line.msg.startsWith("agent.llm_dump ");
}

test("model calls are in the log as requests are, and nothing more without LLM_DUMP", async (t) => {
  const { end, dumped } = await talk(t, {});
  assert.deepEqual(dumped, []);
  const lines = obs(end);
  assert.match(lines[0] ?? "", /event=http_request component=http .* method=POST url=http:\/\/127\.0\.0\.1:\d+\/v1\/messages$/);
  assert.match(lines[1] ?? "", /event=http_response component=http .* status=200$/);
});

test("LLM_DUMP=meta tells counts and times of model calls, and no text", async (t) => {
  const { dumped, end } = await talk(t, { ATOLL_LLM_DUMP: "meta" });
  const [request = "", response = "", summary = "", ...more] = dumped;
  assert.deepEqual(more, []);
  assert.match(request, /^agent\.llm_dump request call=1 turn=1 iter=0 trace_id=t-1 run_id="r 1" agent_id="a=1" agent_name="" /);
  assert.match(request, / model=m-1 messages=1 tools=0 max_tokens=4096 timeout=120 context_mgmt=(?:true|false)/);
  assert.match(response, /^agent\.llm_dump response .*status=200 latency_ms=\d+$/);
  assert.match(summary, /stop_reason=end_turn blocks=1 tool_uses=0 text_chars=5 usage_in=3 usage_out=4 usage_total=7 cache_create=0 cache_read=0 context_edits=0$/);
  assert.ok(!JSON.stringify(end.log).includes("my words"));
});

test("LLM_DUMP=full adds headers and bodies, without the key", async (t) => {
  const { dumped, end } = await talk(t, { AGENT_BLOCK_LLM_DUMP: "full" });
  const words = dumped.map((line) => line.split(" ")[1]);
  assert.deepEqual(words, ["request", "request_headers", "request_body", "response", "response_headers", "response_body", "summary"]);
  assert.match(dumped[1] ?? "", /payload=.*x-api-key.*\[REDACTED\]/);
  assert.match(dumped[2] ?? "", /payload=.*my words/);
  assert.match(dumped[5] ?? "", /payload=.*hello/);
  assert.ok(!JSON.stringify(end.log).includes(KEY));
});

const MODES: readonly (readonly [Record<string, string>, string])[] = [
  [{}, "off"], [{ ATOLL_LLM_DUMP: "none" }, "off"], [{ ATOLL_LLM_DUMP: "what" }, "off"], [{ ATOLL_LLM_DUMP: "full" }, "full"],
  [{ ATOLL_LLM_DUMP: "meta", AGENT_BLOCK_LLM_DUMP: "full" }, "meta"],
  [{ RUST_LOG: "debug" }, "meta"], [{ ATOLL_LOG: "info,llm=trace" }, "meta"], [{ ATOLL_LOG: "info", RUST_LOG: "debug" }, "off"],
  [{ ATOLL_LOG: "debug", ATOLL_LLM_DUMP: "off" }, "off"],
  [{ ATOLL_LLM_DUMP: "full", ATOLL_ENV: "prod" }, "meta"], [{ ATOLL_LLM_DUMP: "full", AGENT_BLOCK_ENV: "production" }, "meta"],
  [{ ATOLL_LLM_DUMP: "full", ATOLL_ENV: "prod", ATOLL_LLM_DUMP_ALLOW_PROD: "1" }, "full"],
  [{ ATOLL_LLM_DUMP: "full", ATOLL_ENV: "test" }, "full"],
  [{ ATOLL_DEBUG_RAW: "1" }, "full"], [{ ATOLL_DEBUG_RAW: "1", ATOLL_LLM_DUMP: "off" }, "off"], [{ ATOLL_DEBUG_RAW: "0" }, "off"],
];
for (const [env, mode] of MODES) {
  test(`with ${JSON.stringify(env)} model calls are dumped as ${mode}`, () => {
    const read = readDumpMode(env);
    assert.equal(read.mode, mode);
    assert.equal(read.warning !== undefined, env["ATOLL_LLM_DUMP"] === "full" && mode === "meta");
  });
}
