/**
 * Streams of both providers: the same result as whole replies, however they are cut, and what is handed out
 * (block 6.1).
 */
import assert from "node:assert/strict";
import type { ServerResponse } from "node:http";
import { test } from "node:test";
import { parseJson, SseDecoder, stringifyJson } from "@atoll-run/core";
import fc from "fast-check";
import { anthropic } from "../../src/agent/anthropic.ts";
import type { Provider as Api } from "../../src/agent/provider.ts";
import { openai } from "../../src/agent/openai.ts";
import { type Loose, run } from "./lua.ts";
import { calls, completes, events, provider as open, says, status } from "./provider.ts";

const LIMIT = 1 << 20;
const newId = (): string => "new";

interface Content {
  readonly texts: readonly string[];
  readonly tools: readonly { readonly name: string; readonly input: object }[];
  readonly stop: "end" | "length";
}

const CONTENT = fc.record({
  texts: fc.array(fc.string({ minLength: 1, unit: "grapheme" }), { maxLength: 4 }),
  tools: fc.array(fc.record({ name: fc.constantFrom("a", "b"), input: fc.dictionary(fc.string({ unit: "grapheme" }), fc.jsonValue({ maxDepth: 2 })) }), { maxLength: 3 }),
  stop: fc.constantFrom("end", "length"),
});

/** JSON text in pieces, so that a stream has something to put together. */
function pieces(text: string): string[] {
  const at = Math.floor(text.length / 2);
  return text === "" ? []
    : [text.slice(0, at), text.slice(at)].filter((part) => part.isWellFormed()).join("") === text
      ? [text.slice(0, at), text.slice(at)] : [text];
}

function anthropicStream({ texts, tools, stop }: Content): unknown[] {
  const text = texts.join("");
  const stop_reason = stop === "length" ? "max_tokens" : tools.length > 0 ? "tool_use" : "end_turn";
  const list: unknown[] = [{ type: "message_start", message: { content: [], stop_reason: null, usage: { input_tokens: 10, output_tokens: 1, cache_read_input_tokens: 2 } } }];
  let index = 0;
  if (text !== "") {
    list.push(
      { type: "content_block_start", index, content_block: { type: "text", text: "" } }, { type: "ping" },
    );
    for (const piece of texts) list.push({ type: "content_block_delta", index, delta: { type: "text_delta", text: piece } });
    list.push({ type: "content_block_stop", index });
    index++;
  }
  for (const [i, { name, input }] of tools.entries()) {
    list.push({ type: "content_block_start", index, content_block: { type: "tool_use", id: `t${i}`, name, input: {} } });
    for (const partial_json of pieces(JSON.stringify(input))) {
      list.push({ type: "content_block_delta", index, delta: { type: "input_json_delta", partial_json } });
    }
    list.push({ type: "content_block_stop", index });
    index++;
  }
  return [...list, { type: "message_delta", delta: { stop_reason }, usage: { output_tokens: 5 } }, { type: "message_stop" }];
}

function anthropicWhole({ texts, tools, stop }: Content): object {
  const text = texts.join("");
  return {
    content: [...(text === "" ? [] : [{ type: "text", text }]), ...tools.map(({ name, input }, i) => ({ type: "tool_use", id: `t${i}`, name, input }))],
    stop_reason: stop === "length" ? "max_tokens" : tools.length > 0 ? "tool_use" : "end_turn",
    usage: { input_tokens: 10, output_tokens: 5, cache_read_input_tokens: 2 },
  };
}

function openaiStream({ texts, tools, stop }: Content): unknown[] {
  const chunk = (delta: object, finish_reason: string | null = null): object => (
    { choices: [{ index: 0, delta, finish_reason }] }
  );
  const list: unknown[] = [chunk({ role: "assistant", content: "" })];
  for (const content of texts) list.push(chunk({ content }));
  for (const [index, { name, input }] of tools.entries()) {
    list.push(
      chunk(
        { tool_calls: [{ index, id: `t${index}`, type: "function", function: { name, arguments: "" } }] },
      ),
    );
    for (const part of pieces(JSON.stringify(input))) list.push(chunk({ tool_calls: [{ index, function: { arguments: part } }] }));
  }
  list.push(chunk({}, stop === "length" ? "length" : tools.length > 0 ? "tool_calls" : "stop"));
  return [...list, { choices: [], usage: { prompt_tokens: 10, completion_tokens: 5 } }];
}

function openaiWhole({ texts, tools, stop }: Content): object {
  return completes({
    content: texts.join(""),
    tool_calls: tools.map(
      ({ name, input }, i) => ({ id: `t${i}`, function: { name, arguments: JSON.stringify(input) } }),
    ),
  }, stop === "length" ? "length" : tools.length > 0 ? "tool_calls" : "stop");
}

/** Reads a stream that comes in pieces of `size` bytes. */
function streamed(api: Api, list: readonly unknown[], size: number): Loose {
  const bytes = new TextEncoder().encode(list.map((data) => `data: ${JSON.stringify(data)}\n\n`).join(""));
  const decoder = new SseDecoder(LIMIT);
  const stream = api.stream(newId);
  const deltas: unknown[] = [];
  for (let at = 0; at < bytes.length; at += size) {
    for (const event of decoder.push(bytes.subarray(at, at + size))) deltas.push(...stream.push(event));
  }
  for (const event of decoder.end()) deltas.push(...stream.push(event));
  return { reply: stream.end(), deltas };
}

for (const [api, toStream, toWhole] of [[anthropic, anthropicStream, anthropicWhole], [openai, openaiStream, openaiWhole]] as const) {
  test(`${api.id}: a streamed reply is the same as the whole one, wherever it is cut`, () => {
    fc.assert(fc.property(CONTENT, fc.integer({ min: 1, max: 200 }), (content, size) => {
      const { reply, deltas } = streamed(api, toStream(content), size);
      const parsed = parseJson(JSON.stringify(toWhole(content)));
      assert.deepEqual(
        stringifyJson(reply), stringifyJson(api.readReply(parsed.ok ? parsed.value : null, newId)),
      );
      const said =
        deltas.filter((delta: Loose) => delta.type === "text").map((delta: Loose) => delta.text).join("");
      assert.equal(said, content.texts.join(""));
    }), { numRuns: 60 });
  });
}

test("stream: on_delta gets text, thinking and tool_input in order, and the result is as without", async (t) => {
  const p = await open(t);
  const list = [
    { type: "message_start", message: { usage: { input_tokens: 10, output_tokens: 1 } } },
    { type: "content_block_start", index: 0, content_block: { type: "thinking", thinking: "" } },
    { type: "content_block_delta", index: 0, delta: { type: "thinking_delta", thinking: "hm" } },
    { type: "content_block_delta", index: 0, delta: { type: "signature_delta", signature: "sig" } },
    { type: "content_block_stop", index: 0 },
    { type: "content_block_start", index: 1, content_block: { type: "text", text: "" } },
    { type: "content_block_delta", index: 1, delta: { type: "text_delta", text: "let me " } },
    { type: "content_block_delta", index: 1, delta: { type: "text_delta", text: "look" } },
    { type: "content_block_stop", index: 1 },
    { type: "content_block_start", index: 2, content_block: { type: "tool_use", id: "t1", name: "look", input: {} } },
    { type: "content_block_delta", index: 2, delta: { type: "input_json_delta", partial_json: `{"at":` } },
    { type: "content_block_delta", index: 2, delta: { type: "input_json_delta", partial_json: `3}` } },
    { type: "content_block_stop", index: 2 },
    { type: "message_delta", delta: { stop_reason: "tool_use" }, usage: { output_tokens: 5 } },
    { type: "message_stop" },
  ];
  const whole = calls([], { content: [
    { type: "thinking", thinking: "hm", signature: "sig" }, { type: "text", text: "let me look" },
    { type: "tool_use", id: "t1", name: "look", input: { at: 3 } },
  ] });
  const source = (stream: boolean): string => `
    tool.register("look", {}, function(i) return i.at end)
    local heard = {}
    local r = agent.run{prompt = "go", stream = ${stream}, on_delta = function(ev) std.task.sleep(1) heard[#heard + 1] = ev end}
    return {r = r, heard = heard}`;
  p.script(events(list), says("done"));
  const first = await run(p, source(true));
  p.script(whole, says("done"));
  const second = await run(p, source(false));
  assert.deepEqual(first.r, second.r);
  assert.deepEqual(first.heard, [
    { type: "thinking", text: "hm", index: 0 }, { type: "text", text: "let me ", index: 1 },
    { type: "text", text: "look", index: 1 },
    { type: "tool_input", text: `{"at":`, index: 2 }, { type: "tool_input", text: "3}", index: 2 },
  ]);
  assert.equal(p.asked[0]?.body.stream, true);
  assert.deepEqual(p.asked[1]?.body.messages, p.asked[3]?.body.messages);
});

test("stream with openai: stream_options asks for usage, [DONE] ends it", async (t) => {
  const p = await open(t);
  p.script(events(openaiStream({ texts: ["do", "ne"], tools: [], stop: "end" }), "data: [DONE]\n\n"));
  const r = await run(p, `
    local said = ""
    local r = agent.run{provider = "openai", prompt = "go", stream = true, on_delta = function(ev) said = said .. ev.text error("ignored") end}
    return {r.content, said, r.usage.total_tokens, r.stopped_by}`);
  assert.deepEqual(r, ["done", "done", 15, "end_turn"]);
  assert.deepEqual(p.asked[0]?.body.stream_options, { include_usage: true });
});

test("a provider that answers a streamed request with a whole reply is understood", async (t) => {
  const p = await open(t);
  p.script(says("whole"));
  assert.equal(await run(p, `return agent.run{prompt = "go", stream = true}.content`), "whole");
});

test("a status before the stream is tried again as without streaming", async (t) => {
  const p = await open(t);
  p.script(
    status(529, "busy", { "retry-after-ms": "1" }),
    events(anthropicStream({ texts: ["ok"], tools: [], stop: "end" })),
  );
  assert.equal(await run(p, `return agent.run{prompt = "go", stream = true}.content`), "ok");
});

test("an error event is the error of its status; after a piece was handed out it is not tried again", async (t) => {
  const p = await open(t);
  const failing = [...anthropicStream({ texts: ["so far"], tools: [], stop: "end" }).slice(0, 4), { type: "error", error: { type: "overloaded_error", message: "busy" } }];
  p.script(events(failing));
  const r = await run(p, `return agent.run{prompt = "go", stream = true, on_delta = print}`);
  assert.deepEqual(
    [r.error, r.error_detail, p.asked.length],
    ["API error 529", { status: 529, type: "overloaded_error", message: "busy" }, 1],
  );
});

for (const [name, provider, say, text] of [
  ["that ends early", "anthropic", events(anthropicStream({ texts: ["x"], tools: [], stop: "end" }).slice(0, -2)), "invalid Anthropic response: the stream ended early"],
  ["of no JSON", "anthropic", broken("data: {nope\n\n"), "Anthropic response JSON decode failed"],
  ["that ends early", "openai", events(openaiStream({ texts: ["x"], tools: [], stop: "end" }).slice(0, -2)), "invalid OpenAI response: the stream ended early"],
  ["without choices", "openai", events([{ usage: {} }]), "invalid OpenAI response: missing choices"],
  ["of no JSON", "openai", broken("data: {nope\n\n"), "OpenAI response JSON decode failed"],
] as const) {
  test(`a stream ${name} (${provider}): ${text}`, async (t) => {
    const p = await open(t);
    p.script(say);
    const r = await run(
      p, `return agent.run{provider = "${provider}", prompt = "go", stream = true, retries = 0}`,
    );
    assert.deepEqual([r.ok, r.error, r.error_code], [false, text, "model.reply"]);
  });
}

test("a connection that breaks in the middle of a stream is http.body", async (t) => {
  const p = await open(t);
  p.script((response) => {
    response.writeHead(200, { "content-type": "text/event-stream" });
    response.write(
      `data: ${JSON.stringify({ type: "message_start", message: {} })}\n\n`, () => response.destroy(),
    );
  });
  const r = await run(p, `return agent.run{prompt = "go", stream = true, retries = 0}`);
  assert.equal(r.error_code, "http.body");
  assert.match(r.error, /^http stream read error: /);
});

test("a stream that hangs ends with the timeout of the call", async (t) => {
  const p = await open(t);
  p.script((response) => {
    response.writeHead(200, { "content-type": "text/event-stream" });
    response.write(`data: ${JSON.stringify({ type: "message_start", message: {} })}\n\n`);
  });
  const r = await run(p, `return agent.run{prompt = "go", stream = true, timeout = 0.3}`);
  assert.equal(r.error_code, "http.timeout");
});

function broken(body: string): (response: ServerResponse) => void {
  return (response) => {
    response.writeHead(200, { "content-type": "text/event-stream" });
    response.end(body);
  };
}
