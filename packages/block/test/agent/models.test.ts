/**
 * What is sent to a provider and what becomes of its answers: requests, keys, retries, errors (block 6.1).
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { runLua } from "../support/run-script.ts";
import { type Loose, run } from "./lua.ts";
import { calls, completes, json, provider as open, says, status } from "./provider.ts";

// ---- anthropic

test("anthropic: the request has the defaults of the specification, cache markers and context management", async (t) => {
  const p = await open(t);
  p.script(says("ok"));
  await run(p, `
    tool.register("a", {description = "A", input_schema = {type = "object"}}, print)
    tool.register("b", {description = "B", input_schema = {properties = {}}}, print)
    agent.run{prompt = "go", system = "sys"}`);
  const [asked] = p.asked;
  const mark = { type: "ephemeral" };
  assert.deepEqual(asked?.body, {
    model: "claude-haiku-4-5-20251001", max_tokens: 4096, messages: [{ role: "user", content: "go" }],
    system: [{ type: "text", text: "sys", cache_control: mark }],
    tools: [
      { name: "a", description: "A", input_schema: { type: "object" } },
      { name: "b", description: "B", input_schema: { type: "object", properties: {} }, cache_control: mark },
    ],
    context_management: { edits: [{
      type: "clear_tool_uses_20250919", trigger: { type: "input_tokens", value: 80000 },
      keep: { type: "tool_uses", value: 3 },
      clear_at_least: { type: "input_tokens", value: 10000 },
    }] },
  });
  const { headers, path } = asked as Loose;
  assert.equal(path, "/v1/messages");
  assert.equal(headers["x-api-key"], "key-of-the-test");
  assert.equal(headers["anthropic-version"], "2023-06-01");
  assert.equal(headers["anthropic-beta"], "context-management-2025-06-27");
});

test("anthropic: options reach the body; cache_control and context_management can be switched off or replaced", async (t) => {
  const p = await open(t);
  p.script(says("ok"));
  await run(p, `
    tool.register("a", {}, print)
    agent.run{prompt = "go", system = "sys", model = "m", max_tokens = 7, temperature = 0.5, top_p = 0.25, stop = {"x"},
      tool_choice = "any", cache_control = false, context_management = false, extra_body = {metadata = {user_id = "u"}, max_tokens = 8}}
    agent.run{prompt = "go", tool_choice = {type = "tool", name = "a"}, context_management_config = {edits = {{type = "e"}}}}`);
  const { messages: _messages, ...body } = (p.asked[0] as Loose).body;
  assert.deepEqual(body, {
    model: "m", max_tokens: 8, temperature: 0.5, top_p: 0.25, stop_sequences: ["x"],
    tool_choice: { type: "any" }, system: "sys",
    metadata: { user_id: "u" }, tools: [{ name: "a", description: "", input_schema: { type: "object" } }],
  });
  assert.equal(p.asked[0]?.headers["anthropic-beta"], undefined);
  assert.deepEqual(p.asked[1]?.body.context_management, { edits: [{ type: "e" }] });
  assert.deepEqual(p.asked[1]?.body.tool_choice, { type: "tool", name: "a" });
});

test("trace headers go along; log_meta names the asker", async (t) => {
  const p = await open(t);
  p.script(says("ok"));
  await run(
    p, `agent.run{prompt = "go", log_meta = {run_id = "r9"}}`,
    { trace: { trace_id: "t9", agent_name: "bob" } },
  );
  const { headers } = p.asked[0] as Loose;
  assert.deepEqual(
    [headers["x-trace-id"], headers["x-run-id"], headers["x-agent-name"]], ["t9", "r9", "bob"],
  );
});

// ---- openai

test("openai: request and history in the words of Chat Completions, key as bearer", async (t) => {
  const p = await open(t);
  p.script(
    completes({ content: null, tool_calls: [{ id: "c1", type: "function", function: { name: "a", arguments: `{"x":1}` } }] }, "tool_calls"),
    completes({ content: "done" }),
  );
  const r = await run(p, `
    tool.register("a", {description = "A", input_schema = {type = "object", properties = {x = {type = "integer"}}}}, function(i) return i.x + 1 end)
    return agent.run{provider = "openai", prompt = "go", system = "sys", tool_choice = "any", stop = {"s"}, extra_body = {seed = 3}}`);
  const [first, second] = p.asked as Loose;
  assert.equal(first.path, "/v1/chat/completions");
  assert.equal(first.headers.authorization, "Bearer openai-key");
  assert.deepEqual(first.body, {
    model: "gpt-4o-mini", max_tokens: 4096,
    messages: [{ role: "system", content: "sys" }, { role: "user", content: "go" }],
    tools: [{ type: "function", function: { name: "a", description: "A", parameters: { type: "object", properties: { x: { type: "integer" } } } } }],
    tool_choice: "required", stop: ["s"], seed: 3,
  });
  assert.deepEqual(second.body.messages.slice(2), [
    { role: "assistant", content: null, tool_calls: [{ id: "c1", type: "function", function: { name: "a", arguments: `{"x":1}` } }] },
    { role: "tool", tool_call_id: "c1", content: "2" },
  ]);
  assert.deepEqual([r.content, r.stopped_by, r.usage.total_tokens], ["done", "end_turn", 30]);
});

test("openai: tool_choice as a table becomes the API's form", async (t) => {
  const p = await open(t);
  p.script(completes({ content: "ok" }));
  await run(p, `
    tool.register("a", {}, print)
    for _, choice in ipairs{{type = "tool", name = "a"}, {type = "none"}, {type = "auto"}} do
      agent.run{provider = "openai", prompt = "go", tool_choice = choice}
    end`);
  assert.deepEqual(
    p.asked.map((one) => one.body.tool_choice),
    [{ type: "function", function: { name: "a" } }, "none", "auto"],
  );
});

for (const [finish, stopped, ok] of [["stop", "end_turn", true], ["length", "max_tokens", true], ["content_filter", "refusal", false]] as const) {
  test(`openai: finish_reason ${finish} is ${stopped}`, async (t) => {
    const p = await open(t);
    p.script(completes({ content: "x", tool_calls: null }, finish));
    const r = await run(p, `return agent.run{provider = "openai", prompt = "go"}`);
    assert.deepEqual([r.stopped_by, r.ok], [stopped, ok]);
  });
}

test("openai: arguments that are no JSON become an empty input with a hint; objects and missing ids are accepted", async (t) => {
  const p = await open(t);
  const call = (id: string | undefined, given: unknown): object => (
    { ...(id === undefined ? {} : { id }), type: "function", function: { name: "a", arguments: given } }
  );
  p.script(
    completes(
      { tool_calls: [call("c1", "{broken"), call("c2", { x: 1 }), call(undefined, ""), call("", "[1]")] },
      "tool_calls",
    ),
    completes({ content: "done" }),
  );
  const r = await run(p, `
    local seen = {}
    tool.register("a", {}, function(i) seen[#seen + 1] = i return "ok" end)
    local r = agent.run{provider = "openai", prompt = "go"}
    r.seen = seen
    return r`);
  assert.deepEqual(r.seen, [{}, { x: 1 }, {}, {}]);
  const blocks = r.messages[1].content;
  assert.deepEqual(
    blocks.map((block: Loose) => block.is_error_hint),
    ["arguments_parse_failed", undefined, undefined, "arguments_parse_failed"],
  );
  const ids = blocks.map((block: Loose) => block.id);
  assert.equal(new Set(ids).size, 4);
  assert.deepEqual(p.asked[1]?.body.messages.filter((one: Loose) => one.role === "tool").map((one: Loose) => one.tool_call_id), ids);
});

test("openai: tools that are asked for with finish_reason stop run, as local servers say it", async (t) => {
  const p = await open(t);
  p.script(
    completes({ content: "", tool_calls: [{ id: "c", function: { name: "a", arguments: "{}" } }] }),
    completes({ content: "done" }),
  );
  const r = await run(
    p,
    `tool.register("a", {}, function() return "x" end) return agent.run{provider = "openai", prompt = "go"}`,
  );
  assert.deepEqual([r.content, r.num_turns], ["done", 2]);
});

// ---- integers

test("integers beyond 2^53 reach a tool and go back unchanged", async (t) => {
  const p = await open(t);
  p.script((response) => {
    response.writeHead(200, { "content-type": "application/json" });
    response.end(JSON.stringify(calls([["echo", { n: "N" }]])).replace(`"N"`, "9007199254740993"));
  }, says("done"));
  const r = await run(p, `
    tool.register("echo", {}, function(i) return {n = i.n, kind = math.type(i.n)} end)
    agent.run{prompt = "go"}`);
  assert.equal(r, null);
  assert.equal(
    p.asked[1]?.body.messages.at(-1).content[0].content, `{"kind":"integer","n":9007199254740993}`,
  );
  assert.match(p.asked[1]?.text as string, /"input":\{"n":9007199254740993\}/);
});

// ---- hosts and keys

test("A3: base_url for anthropic: no other host is contacted, and a redirect is not followed", async (t) => {
  const [p, elsewhere] = [await open(t), await open(t)];
  p.script((response) => {
    response.writeHead(307, { location: `${elsewhere.url}/v1/messages` });
    response.end("{}");
  });
  elsewhere.script(says("stolen"));
  const r = await run(
    p, `return agent.run{prompt = "go", base_url = "${p.url}/x/", api_key = "k"}`,
    { env: { ANTHROPIC_BASE_URL: elsewhere.url } },
  );
  assert.deepEqual([r.error, r.error_detail.status], ["API error 307", 307]);
  assert.equal(p.asked[0]?.path, "/x/v1/messages");
  assert.equal(elsewhere.asked.length, 0);
});

test("the key is that of the option, of the named variable, or of the provider's variable", async (t) => {
  const p = await open(t);
  p.script(says("ok"));
  await run(p, `
    agent.run{prompt = "x", api_key = "given"}
    agent.run{prompt = "x", api_key_env = "OTHER"}
    agent.run{prompt = "x"}`, { env: { OTHER: "named" } });
  assert.deepEqual(p.asked.map((one) => one.headers["x-api-key"]), ["given", "named", "key-of-the-test"]);
});

test("the model is that of the option or of the provider's variable", async (t) => {
  const p = await open(t);
  p.script(says("ok"));
  await run(
    p, `agent.run{prompt = "x"} agent.run{prompt = "x", model = "mine"}`,
    { env: { ANTHROPIC_MODEL: "of-env" } },
  );
  assert.deepEqual(p.asked.map((one) => one.body.model), ["of-env", "mine"]);
});

for (const [options, text] of [
  [`{prompt = "x"}`, "ANTHROPIC_API_KEY not set"],
  [`{prompt = "x", provider = "openai"}`, "API key not set: env=OPENAI_API_KEY"],
  [`{prompt = "x", api_key_env = "X"}`, "API key not set: env=X"],
] as const) {
  test(`a missing key: ${text}`, async () => {
    const { result } = await runLua(`return require("agent").run${options}`);
    const value = result?.value as Loose;
    assert.deepEqual(
      [value.ok, value.error, value.error_code, value.stopped_by], [false, text, "model.no_key", "error"],
    );
  });
}

// ---- errors and retries

test("A3: 429 with Retry-After: 1, then success: one result from two calls, a second apart", async (t) => {
  const p = await open(t);
  p.script(status(429, "slow down", { "retry-after": "1" }), says("ok"));
  const r = await run(p, `return agent.run{prompt = "go"}`);
  assert.deepEqual([r.ok, r.content, r.num_turns], [true, "ok", 1]);
  const [first, second] = p.asked as Loose;
  assert.ok(second.at - first.at >= 990, `${second.at - first.at} ms`);
});

for (const code of [408, 429, 500, 503, 529]) {
  test(`status ${code} is tried again`, async (t) => {
    const p = await open(t);
    p.script(status(code, "later", { "retry-after-ms": "1" }), says("ok"));
    assert.equal((await run(p, `return agent.run{prompt = "go"}`)).content, "ok");
  });
}

for (const code of [400, 401, 404, 422]) {
  test(`status ${code} is not tried again: API error ${code}, with what the provider said`, async (t) => {
    const p = await open(t);
    p.script(status(code, "you are wrong", { "request-id": "req_1" }));
    const r = await run(p, `return agent.run{prompt = "go"}`);
    assert.equal(p.asked.length, 1);
    assert.deepEqual(
      [r.ok, r.error, r.error_code, r.stopped_by], [false, `API error ${code}`, "model.api", "error"],
    );
    assert.deepEqual(
      r.error_detail, { status: code, type: "some_error", request_id: "req_1", message: "you are wrong" },
    );
    assert.deepEqual(r.messages, [{ role: "user", content: "go" }]);
  });
}

test("retries bounds the tries", async (t) => {
  const p = await open(t);
  p.script(status(500, "no", { "retry-after-ms": "1" }));
  const r = await run(
    p, `return {agent.run{prompt = "go"}.error, agent.run{prompt = "go", retries = 0}.error}`,
  );
  assert.deepEqual(r, ["API error 500", "API error 500"]);
  assert.equal(p.asked.length, 4);
});

test("a server that is not there: http.connect after its retries", async (t) => {
  const p = await open(t);
  const r = await run(p, `return agent.run{prompt = "go", base_url = "http://127.0.0.1:1", retries = 0}`);
  assert.equal(r.error_code, "http.connect");
  assert.match(r.error, /^http connection error: /);
});

test("timeout covers a call with its retries: http timeout after Ns", async (t) => {
  const p = await open(t);
  p.script(() => undefined);
  const r = await run(p, `return agent.run{prompt = "go", timeout = 0.2}`);
  assert.deepEqual(
    [r.error, r.error_code], [`http timeout after 0.2s: POST ${p.url}/v1/messages`, "http.timeout"],
  );
});

test("a Retry-After beyond what is left of the timeout ends the call with the error at once", async (t) => {
  const p = await open(t);
  p.script(status(429, "later", { "retry-after": "60" }));
  const r = await run(p, `return agent.run{prompt = "go", timeout = 5}`);
  assert.deepEqual([r.error, p.asked.length], ["API error 429", 1]);
});

for (const [name, source, body, text] of [
  ["anthropic, no JSON", "", "<html>", "Anthropic response JSON decode failed"],
  ["anthropic, no content", "", "{}", "invalid Anthropic response: missing content"],
  ["openai, no JSON", `, provider = "openai"`, "<html>", "OpenAI response JSON decode failed"],
  ["openai, no choices", `, provider = "openai"`, `{"choices":[]}`, "invalid OpenAI response: missing choices"],
] as const) {
  test(`a broken answer (${name}): ${text}`, async (t) => {
    const p = await open(t);
    p.script((response) => {
      response.writeHead(200, { "content-type": "application/json" });
      response.end(body);
    });
    const r = await run(p, `return agent.run{prompt = "go"${source}}`);
    assert.deepEqual([r.ok, r.error, r.error_code, p.asked.length], [false, text, "model.reply", 1]);
  });
}

test("an error in a later turn leaves a history that can be sent again", async (t) => {
  const p = await open(t);
  p.script(calls([["a", {}]]), status(400, "no"), says("better"));
  const r = await run(p, `
    tool.register("a", {}, function() return "x" end)
    local r = agent.run{prompt = "go"}
    return {r.error, #r.messages, agent.run{prompt = "again", history = r.messages}.content}`);
  assert.deepEqual(r, ["API error 400", 3, "better"]);
  assert.deepEqual(
    p.asked.at(-1)?.body.messages.map((one: Loose) => one.role), ["user", "assistant", "user"],
  );
});

test("a key that a provider repeats in its error does not come out; nor does one of the options in logs", async (t) => {
  const p = await open(t);
  p.script(
    (response, asked) => json(
      response, 401, { error: { type: "auth", message: `bad key ${String(asked.headers["x-api-key"])}` } },
    ),
  );
  const end = await runLua(`
    local r = require("agent").run{prompt = "go", base_url = "${p.url}", api_key = "sk-very-secret"}
    log.info("the key is sk-very-secret")
    return r`);
  const value = end.result?.value as Loose;
  assert.equal(value.error_detail.message, "bad key [REDACTED]");
  assert.doesNotMatch(JSON.stringify(end.log), /very-secret/);
});

// ---- grants

test("grant model opens the configured host without a net grant, and its key without an env grant", async (t) => {
  const p = await open(t);
  p.script(says("ok"));
  const r = await run(
    p, `return {agent.run{prompt = "go"}.content, tostring(std.env.get("ANTHROPIC_API_KEY"))}`,
    { grants: ["model"] },
  );
  assert.deepEqual(r, ["ok", "nil"]);
});

test("without grant model the configured host is denied, and its key unknown", async (t) => {
  const p = await open(t);
  p.script(says("ok"));
  const source = `return {agent.run{prompt = "go"}.error, agent.run{prompt = "go", base_url = "${p.url}", api_key = "mine"}.error}`;
  const [first, second] = await run(p, source, { grants: ["run:ls"] });
  assert.equal(first, "ANTHROPIC_API_KEY not set");
  assert.match(second, /^denied: net connect to 127\.0\.0\.1:/);
  assert.equal(p.asked.length, 0);
});

test("a base_url of the script needs its net grant although model is granted, and never gets the configured key", async (t) => {
  const [p, other] = [await open(t), await open(t)];
  p.script(says("ok"));
  other.script(says("other"));
  const { host } = new URL(other.url);
  const source = `
    std.env.set("ANTHROPIC_BASE_URL", "${other.url}")
    return {
      agent.run{prompt = "go"}.content,
      agent.run{prompt = "go", base_url = "${other.url}"}.error, agent.run{prompt = "go", base_url = "${other.url}", api_key = "mine"}.error,
    }`;
  const denied = await run(p, source, { grants: ["model"] });
  assert.deepEqual(denied.slice(0, 2), ["ok", "ANTHROPIC_API_KEY not set"]);
  assert.match(denied[2], /^denied: net connect to/);
  const r = await run(
    p, `return agent.run{prompt = "go", base_url = "${other.url}", api_key = "mine"}.content`,
    { grants: ["model", `net:${host}`] },
  );
  assert.equal(r, "other");
  assert.deepEqual(other.asked.map((one) => one.headers["x-api-key"]), ["mine"]);
});

test("a guard is asked before the run, and its refusal is the result", async (t) => {
  const p = await open(t);
  p.script(says("ok"));
  const asked: string[] = [];
  const r = await run(p, `return agent.run{prompt = "go"}`, {
    guard: ({ grant }) => {
      asked.push(grant);
      return Promise.resolve({ deny: "not today" });
    },
  });
  assert.deepEqual(asked, ["model"]);
  assert.deepEqual([r.ok, r.error_code, p.asked.length], [false, "grant.denied", 0]);
  assert.match(r.error, /not today/);
});

// ---- one call without the loop

test("model:called tells of every call of a model", async (t) => {
  const p = await open(t);
  p.script(calls([["a", {}]]), status(400));
  const { startLua } = await import("../support/run-script.ts");
  const started = startLua(`tool.register("a", {}, print) require("agent").run{prompt = "go", model = "m"}`, {
    env: { ANTHROPIC_API_KEY: "k", ANTHROPIC_BASE_URL: p.url },
  });
  const facts: unknown[] = [];
  started.run.on("model:called", (fact) => facts.push(fact));
  await started.end;
  assert.deepEqual(facts, [
    { provider: "anthropic", model: "m", turn: 1, ok: true, stop_reason: "tool_use", input_tokens: 10, output_tokens: 5 },
    { provider: "anthropic", model: "m", turn: 2, ok: false, error_code: "model.api" },
  ]);
});
