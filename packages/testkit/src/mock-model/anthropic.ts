/** Anthropic Messages as the mock speaks them: whole answers, the events of a stream, errors. */
import type { Json } from "@atoll-run/core";
import { checkAnthropic } from "./anthropic-rules.ts";
import {
  contentText, type Dialect, inputText, type JsonObject, jsonText, listOf, type MockAsk, type NextId,
    objects, piecesOf,
  textOf, tokensOf,
} from "./dialect.ts";
import type { MockFailure, MockReply } from "./script.ts";

type Words = readonly [type: string, message: string];

const TYPES: Readonly<Record<number, Words>> = {
  400: ["invalid_request_error", "Bad request"], 401: ["authentication_error", "invalid x-api-key"],
  403: ["permission_error", "Your API key does not have permission to use the specified resource."],
  404: ["not_found_error", "Not Found"], 413: ["request_too_large", "Request exceeds the maximum size"],
  429: ["rate_limit_error", "This request would exceed your organization's rate limit."],
  500: ["api_error", "Internal server error"], 503: ["api_error", "Service unavailable"],
  504: ["timeout_error", "Request timed out"], 529: ["overloaded_error", "Overloaded"],
};

export const anthropic: Dialect = {
  api: "anthropic",
  idHeader: "request-id",
  view(body) {
    const messages = objects(body["messages"]);
    const since = messages.slice(messages.findLastIndex(({ role }) => role === "assistant") + 1);
    const results = since.flatMap(({ content }) => objects(content)).filter(({ type }) =>
      type === "tool_result");
    return {
      messages: listOf(body["messages"]), system: contentText(body["system"]),
      lastText: contentText(messages.findLast(({ role }) => role === "user")?.["content"]),
      toolResults: results.map(({ content }) => contentText(content)),
      tools: objects(body["tools"]).map(({ name }) => textOf(name)),
    };
  },
  keyOf: (headers) => headers["x-api-key"] ?? /^Bearer (.+)$/i.exec(headers["authorization"] ?? "")?.[1],
  missingKey: { status: 401, message: "x-api-key header is required" },
  wrongKey: { status: 401, message: "invalid x-api-key" },
  noModel: (model) => ({ status: 404, message: `model: ${model}` }),
  check: checkAnthropic,
  error: (failure, requestId) => ({ type: "error", error: errorOf(failure), request_id: requestId }),
  whole(reply, ask, id) {
    const { input, output, cacheRead, cacheWrite } = tokensOf(reply, ask);
    return {
      id: id("msg"), type: "message", role: "assistant", model: ask.model, content: blocksOf(reply, id),
      stop_reason: stopOf(reply), stop_sequence: null,
      usage: { input_tokens: input, cache_creation_input_tokens: cacheWrite,
        cache_read_input_tokens: cacheRead,
        output_tokens: output, service_tier: "standard" },
    };
  },
  frames,
  errorFrame: (failure) => frame("error", { type: "error", error: errorOf(failure) }),
  hollow: (ask, id) => ({ id: id("msg"), type: "message", role: "assistant", model: ask.model }),
};

function errorOf(failure: MockFailure): JsonObject {
  const [type, message] = TYPES[failure.status] ?? TYPES[failure.status < 500 ? 400 : 500] as Words;
  return { type: failure.type ?? type, message: failure.message ?? message };
}

function stopOf(reply: MockReply): string {
  return reply.stop_reason ?? ((reply.tool_calls ?? []).length > 0 ? "tool_use" : "end_turn");
}

interface Block {
  /** As it stands in a whole answer. */
  readonly whole: JsonObject;
  /** As it begins in a stream, and what follows. */
  readonly start: JsonObject;
  readonly deltas: readonly JsonObject[];
}

function blocks(reply: MockReply, id: NextId): Block[] {
  const found: Block[] = [];
  if (reply.thinking !== undefined) {
    const signature = Buffer.from(id("signature")).toString("base64");
    found.push({
      whole: { type: "thinking", thinking: reply.thinking, signature },
      start: { type: "thinking", thinking: "", signature: "" },
      deltas: [...piecesOf(reply.thinking, reply).map((thinking) => ({ type: "thinking_delta", thinking })),
        { type: "signature_delta", signature }],
    });
  }
  if (reply.text !== undefined) {
    found.push({
      whole: { type: "text", text: reply.text }, start: { type: "text", text: "" },
      deltas: piecesOf(reply.text, reply).map((text) => ({ type: "text_delta", text })),
    });
  }
  for (const call of reply.tool_calls ?? []) {
    const tool = { type: "tool_use", ...(call.id === null ? {} : { id: call.id ?? id("toolu") }),
      name: call.name };
    found.push({
      whole: { ...tool, input: call.input ?? {} }, start: { ...tool, input: {} },
      deltas: ["", ...piecesOf(inputText(call), reply)].map(
        (partial_json) => ({ type: "input_json_delta", partial_json })),
    });
  }
  return found;
}

function blocksOf(reply: MockReply, id: NextId): Json[] {
  return blocks(reply, id).map(({ whole }) => whole);
}

function frames(reply: MockReply, ask: MockAsk, id: NextId): string[] {
  const { input, output, cacheRead, cacheWrite } = tokensOf(reply, ask);
  const message = {
    id: id("msg"), type: "message", role: "assistant", model: ask.model, content: [], stop_reason: null,
    stop_sequence: null,
    usage: { input_tokens: input, cache_creation_input_tokens: cacheWrite, cache_read_input_tokens: cacheRead,
      output_tokens: 1, service_tier: "standard" },
  };
  const body = blocks(reply, id).flatMap(({ start, deltas }, index) => [
    frame("content_block_start", { type: "content_block_start", index, content_block: start }),
    ...(index === 0 ? [frame("ping", { type: "ping" })] : []),
    ...deltas.map((delta) => frame("content_block_delta", { type: "content_block_delta", index, delta })),
    frame("content_block_stop", { type: "content_block_stop", index }),
  ]);
  return [
    frame("message_start", { type: "message_start", message }), ...body,
    frame("message_delta", { type: "message_delta", delta: { stop_reason: stopOf(reply),
      stop_sequence: null },
      usage: { output_tokens: output } }),
    frame("message_stop", { type: "message_stop" }),
  ];
}

function frame(event: string, data: Json): string {
  return `event: ${event}\ndata: ${jsonText(data)}\n\n`;
}
