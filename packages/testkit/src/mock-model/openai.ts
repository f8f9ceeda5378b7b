/** OpenAI Chat Completions as the mock speaks them: whole answers, the chunks of a stream, errors. */
import type { Json } from "@atoll-run/core";
import {
  contentText, type Dialect, inputText, isObject, type JsonObject, jsonText, listOf, type MockAsk,
    type NextId, objects,
  piecesOf, textOf, tokensOf,
} from "./dialect.ts";
import { checkOpenai } from "./openai-rules.ts";
import type { MockFailure, MockReply, MockToolCall } from "./script.ts";

/** A fixed moment: answers are the same from run to run. */
const CREATED = 1_750_000_000;

type Words = readonly [type: string, message: string, code: string | null];

const WORDS: Readonly<Record<number, Words>> = {
  400: ["invalid_request_error", "Bad request", null],
  401: ["invalid_request_error", "Incorrect API key provided.", "invalid_api_key"],
  404: ["invalid_request_error", "The model does not exist or you do not have access to it.",
    "model_not_found"],
  413: ["invalid_request_error", "Request too large", "request_too_large"],
  429: ["requests", "Rate limit reached for requests", "rate_limit_exceeded"],
  500: ["server_error", "The server had an error while processing your request. Sorry about that!", null],
  503: ["server_error", "The engine is currently overloaded, please try again later", null],
};

export const openai: Dialect = {
  api: "openai",
  idHeader: "x-request-id",
  view(body) {
    const messages = objects(body["messages"]);
    const since = messages.slice(messages.findLastIndex(({ role }) => role === "assistant") + 1);
    return {
      messages: listOf(body["messages"]).filter((message) => !isObject(message) || !isSystem(message)),
      system: messages.filter(isSystem).map(({ content }) => contentText(content)).join("\n"),
      lastText: contentText(messages.findLast(({ role }) => role === "user")?.["content"]),
      toolResults: since.filter(({ role }) => role === "tool").map(({ content }) => contentText(content)),
      tools: objects(body["tools"]).map((tool) => (isObject(tool["function"])
        ? textOf(tool["function"]["name"]) : "")),
    };
  },
  keyOf: (headers) => /^Bearer (.+)$/i.exec(headers["authorization"] ?? "")?.[1] ?? headers["api-key"],
  missingKey: { status: 401, code: "",
    message: "You didn't provide an API key. You need to provide your API key in an "
    + "Authorization header using Bearer auth (i.e. Authorization: Bearer YOUR_KEY)." },
  wrongKey: { status: 401 },
  noModel: (model) => ({ status: 404,
    message: `The model \`${model}\` does not exist or you do not have access to it.` }),
  check: checkOpenai,
  error: (failure) => ({ error: errorOf(failure) }),
  whole(reply, ask, id) {
    const calls = (reply.tool_calls ?? []).map((call) => callOf(call, id));
    const message = {
      role: "assistant", content: reply.text ?? null, refusal: null,
      ...(reply.thinking === undefined ? {} : { reasoning_content: reply.thinking }),
      ...(calls.length === 0 ? {} : { tool_calls: calls }),
    };
    return {
      id: id("chatcmpl"), object: "chat.completion", created: CREATED, model: ask.model,
      choices: [{ index: 0, message, logprobs: null, finish_reason: stopOf(reply) }],
      usage: usageOf(reply, ask), service_tier: "default", system_fingerprint: "fp_mock",
    };
  },
  frames,
  errorFrame: (failure) => `data: ${jsonText({ error: errorOf(failure) })}\n\n`,
  hollow: (ask, id) => ({ id: id("chatcmpl"), object: "chat.completion", created: CREATED,
    model: ask.model }),
};

function isSystem({ role }: JsonObject): boolean {
  return role === "system" || role === "developer";
}

function errorOf(failure: MockFailure & { readonly param?: string }): JsonObject {
  const [type, message, code] = WORDS[failure.status] ?? WORDS[failure.status < 500 ? 400 : 500] as Words;
  return {
    message: failure.message ?? message, type: failure.type ?? type, param: failure.param ?? null,
    code: failure.code === undefined ? code : failure.code || null,
  };
}

function stopOf(reply: MockReply): string {
  return reply.stop_reason ?? ((reply.tool_calls ?? []).length > 0 ? "tool_calls" : "stop");
}

function usageOf(reply: MockReply, ask: MockAsk): JsonObject {
  const { input, output, cacheRead } = tokensOf(reply, ask);
  return { prompt_tokens: input, completion_tokens: output, total_tokens: input + output,
    prompt_tokens_details: { cached_tokens: cacheRead, audio_tokens: 0 } };
}

function callOf(call: MockToolCall, id: NextId): Json {
  const head = call.id === null ? {} : { id: call.id ?? id("call") };
  const args: Json = call.arguments_object === true ? call.input ?? {} : inputText(call);
  return { ...head, type: "function", function: { name: call.name, arguments: args } };
}

function frames(reply: MockReply, ask: MockAsk, id: NextId): string[] {
  const head = { id: id("chatcmpl"), object: "chat.completion.chunk", created: CREATED, model: ask.model,
    service_tier: "default", system_fingerprint: "fp_mock" };
  const options = ask.body["stream_options"];
  const withUsage = isObject(options) && options["include_usage"] === true;
  const chunk = (delta: Json, finish: string | null = null): string => frame({
    ...head, choices: [{ index: 0, delta, logprobs: null, finish_reason: finish }],
      ...(withUsage ? { usage: null } : {}),
  });
  const calls = (reply.tool_calls ?? []).flatMap((call, index) => {
    const first = callOf({ ...call, arguments_text: "" }, id) as JsonObject;
    const pieces: Json[] = call.arguments_object === true ? [call.input ?? {}] : piecesOf(inputText(call),
      reply);
    return [chunk({ tool_calls: [{ index, ...first, function: { name: call.name, arguments: "" } }] }),
      ...pieces.map((piece) => chunk({ tool_calls: [{ index, function: { arguments: piece } }] }))];
  });
  return [
    chunk({ role: "assistant", content: reply.text === undefined ? null : "", refusal: null }),
    ...piecesOf(reply.thinking ?? "", reply).map((reasoning_content) => chunk({ reasoning_content })),
    ...piecesOf(reply.text ?? "", reply).map((content) => chunk({ content })),
    ...calls,
    chunk({}, stopOf(reply)),
    ...(withUsage ? [frame({ ...head, choices: [], usage: usageOf(reply, ask) })] : []),
    "data: [DONE]\n\n",
  ];
}

function frame(data: Json): string {
  return `data: ${jsonText(data)}\n\n`;
}
