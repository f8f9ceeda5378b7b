import assert from "node:assert/strict";
import { test } from "node:test";
import { anthropicBody, askAnthropic, askOpenai, dataOf, json, mock, openaiBody } from "./support.ts";

const REPLY = {
  thinking: "let me think", text: "It is 21 degrees 🌊.",
    tool_calls: [{ name: "weather", input: { city: "Oslo", n: 2 } }],
  usage: { input_tokens: 11, output_tokens: 7, cache_read_tokens: 3, cache_write_tokens: 2 }, piece_chars: 3,
};

test("a message of Anthropic has text, tool use, stop reason, usage and a request id", async (t) => {
  const { url } = await mock(t, { turns: [{ reply: REPLY }] });
  const answer = await askAnthropic(url);
  assert.equal(answer.headers.get("request-id"), "req_mock000001");
  assert.deepEqual(await json(answer), {
    id: "msg_mock000001", type: "message", role: "assistant", model: "claude-test",
    content: [
      { type: "thinking", thinking: "let me think", signature: "c2lnbmF0dXJlX21vY2swMDAwMDE=" },
      { type: "text", text: "It is 21 degrees 🌊." },
      { type: "tool_use", id: "toolu_mock000001", name: "weather", input: { city: "Oslo", n: 2 } },
    ],
    stop_reason: "tool_use", stop_sequence: null,
    usage: { input_tokens: 11, cache_creation_input_tokens: 2, cache_read_input_tokens: 3, output_tokens: 7,
      service_tier: "standard" },
  });
});

test("a stream of Anthropic has the events of the real one, in their order", async (t) => {
  const { url } = await mock(t, { turns: [{ reply: REPLY }] });
  const answer = await askAnthropic(url, anthropicBody({ stream: true }));
  assert.match(answer.headers.get("content-type") ?? "", /^text\/event-stream/);
  const text = await answer.text();
  const events = dataOf(text);
  assert.deepEqual([...text.matchAll(/^event: (.*)$/gm)].map(([, name]) => name), events.map(({ type }) =>
    type));
  const order = events.map(({ type }) => type).filter((type, i, all) => type !== all[i - 1]);
  const block = ["content_block_start", "content_block_delta", "content_block_stop"];
  assert.deepEqual(order, ["message_start", "content_block_start", "ping", ...block.slice(1), ...block,
    ...block,
    "message_delta", "message_stop"]);
  const joined = (type: string, field: string): string =>
    events.filter(({ delta }) => delta?.type === type).map(({ delta }) => delta[field]).join("");
  assert.equal(joined("text_delta", "text"), REPLY.text);
  assert.equal(joined("thinking_delta", "thinking"), REPLY.thinking);
  assert.deepEqual(JSON.parse(joined("input_json_delta", "partial_json")), { city: "Oslo", n: 2 });
  assert.deepEqual(events.at(-2), { type: "message_delta", delta: { stop_reason: "tool_use",
    stop_sequence: null },
    usage: { output_tokens: 7 } });
});

test("a completion of OpenAI has content, tool calls with arguments as text, and usage", async (t) => {
  const { url } = await mock(t, { turns: [{ reply: REPLY, times: 2 }] });
  const answer = await askOpenai(url);
  assert.equal(answer.headers.get("x-request-id"), "req_mock000001");
  const { choices, usage, object } = await json(answer);
  assert.equal(object, "chat.completion");
  assert.equal(choices[0].finish_reason, "tool_calls");
  assert.equal(choices[0].message.content, REPLY.text);
  assert.deepEqual(choices[0].message.tool_calls, [
    { id: "call_mock000001", type: "function", function: { name: "weather",
      arguments: '{"city":"Oslo","n":2}' } }]);
  assert.deepEqual([usage.prompt_tokens, usage.completion_tokens, usage.total_tokens], [11, 7, 18]);
  assert.equal((await askOpenai(`${url}/v1`)).status, 200);
});

test("a stream of OpenAI ends with finish reason, usage where asked for, and [DONE]", async (t) => {
  const { url } = await mock(t, { turns: [{ reply: REPLY, times: 2 }] });
  const text = await (await askOpenai(url,
    openaiBody({ stream: true, stream_options: { include_usage: true } }))).text();
  assert.ok(text.endsWith("data: [DONE]\n\n"));
  const chunks = dataOf(text);
  const deltas = chunks.flatMap(({ choices }) => choices).map(({ delta }) => delta);
  assert.equal(deltas.map(({ content }) => content ?? "").join(""), REPLY.text);
  const calls = deltas.flatMap((delta) => delta.tool_calls ?? []);
  assert.deepEqual([calls[0].id, calls[0].function.name, calls[1].id], ["call_mock000001", "weather",
    undefined]);
  assert.deepEqual(JSON.parse(calls.map((call) => call.function.arguments).join("")), { city: "Oslo", n: 2 });
  assert.equal(chunks.at(-2).choices[0].finish_reason, "tool_calls");
  assert.deepEqual([chunks.at(-1).choices, chunks.at(-1).usage.total_tokens], [[], 18]);
  const without = dataOf(await (await askOpenai(url, openaiBody({ stream: true }))).text());
  assert.equal(without.at(-1).usage, undefined);
});

test("integers beyond 2^53 in arguments come as they were written", async (t) => {
  const { url } = await mock(t,
    { turns: [{ reply: { tool_calls: [{ name: "x", input: { n: 9007199254740993n } }] } }] });
  assert.match(await (await askAnthropic(url)).text(), /"n":9007199254740993\b/);
});

test("turns are chosen by their conditions and used up in order", async (t) => {
  const model = await mock(t, { turns: [
    { when: { api: "openai" }, reply: { text: "for openai" } },
    { when: { tool_result: "sunny", messages: 3 }, reply: { text: "after the tool" } },
    { when: { text: "Hel", system: "kind" }, reply: { text: "kindly" } },
    { reply: { text: "once" } },
    { when: { tool: "t" }, reply: { text: "has a tool" }, times: "any" },
  ] });
  const { url } = model;
  const say = async (more = {}): Promise<string> =>
    (await json(askAnthropic(url, anthropicBody(more)))).content?.[0]?.text;
  const tools = [{ name: "t", input_schema: { type: "object" } }];
  assert.equal(model.left(), 4);
  assert.equal(await say({ system: "be kind" }), "kindly");
  assert.equal(await say({ messages: [{ role: "user", content: "x" },
    { role: "assistant", content: [{ type: "tool_use", id: "a", name: "t", input: {} }] },
    { role: "user", content: [{ type: "tool_result", tool_use_id: "a", content: "it is sunny" }] }] }),
      "after the tool");
  assert.equal(await say(), "once");
  assert.equal(await say({ tools }), "has a tool");
  assert.equal(await say({ tools }), "has a tool");
  assert.equal((await json(askOpenai(url))).choices[0].message.content, "for openai");
  assert.equal(model.left(), 0);
  const { error } = await json(askAnthropic(url));
  assert.equal(error.message, "mock model: no turn of the script fits request 7 (1 messages)");
});

test("errors have the shapes of the services: type, request id, Retry-After", async (t) => {
  const { url } = await mock(t, { turns: [
    { error: { status: 429, retry_after: 1 }, times: 2 }, { error: { status: 529 } },
    { error: { status: 418, type: "teapot", message: "short and stout", code: "tea" }, times: 2 },
  ] });
  const limited = await askAnthropic(url);
  assert.deepEqual([limited.status, limited.headers.get("retry-after")], [429, "1"]);
  assert.deepEqual(await json(limited), { type: "error", request_id: "req_mock000001", error: {
    type: "rate_limit_error", message: "This request would exceed your organization's rate limit." } });
  const also = await askOpenai(url);
  assert.deepEqual([also.status, also.headers.get("retry-after")], [429, "1"]);
  assert.deepEqual(await json(also), { error: { message: "Rate limit reached for requests", type: "requests",
    param: null,
    code: "rate_limit_exceeded" } });
  const busy = await askAnthropic(url);
  assert.deepEqual([busy.status, (await json(busy)).error.type], [529, "overloaded_error"]);
  assert.deepEqual((await json(askAnthropic(url))).error, { type: "teapot", message: "short and stout" });
  assert.deepEqual((await json(askOpenai(url))).error, { message: "short and stout", type: "teapot",
    param: null, code: "tea" });
});

test("keys and models are checked as the services do", async (t) => {
  const { url, requests } = await mock(t, { keys: ["good-key"], models: ["m"],
    turns: [{ reply: { text: "hi" }, times: "any" }] });
  const none = await fetch(`${url}/v1/messages`, { method: "POST", body: "{}" });
  assert.deepEqual([none.status, (await json(none)).error.type], [401, "authentication_error"]);
  assert.equal((await askOpenai(url)).status, 401);
  const key = { "x-api-key": "good-key" };
  assert.equal((await json(askAnthropic(url, anthropicBody(), key))).error.message, "model: claude-test");
  assert.equal((await askAnthropic(url, anthropicBody({ model: "m" }), key)).status, 200);
  assert.equal((await fetch(`${url}/v2/x`, { method: "POST" })).status, 404);
  assert.deepEqual(requests.map(({ status }) => status), [401, 401, 404, 200, 404]);
  assert.equal(requests[3]?.headers["x-api-key"], "good-key");
});

test("a function may be the script, and sees each request", async (t) => {
  const model = await mock(t, { script: (ask, count) =>
    ({ reply: { text: `${count}: ${ask.api} ${ask.lastText}` } }) });
  assert.equal((await json(askAnthropic(model.url))).content[0].text, "1: anthropic Hello");
  assert.equal((await json(askOpenai(model.url))).choices[0].message.content, "2: openai Hello");
  assert.deepEqual([model.count, model.requests.length], [2, 2]);
});
