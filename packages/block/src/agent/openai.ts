/**
 * OpenAI's Chat Completions, as vLLM, llama.cpp, Ollama and gateways speak it too: requests and whole
 * replies.
 */
import { type Json, parseJson, stringifyJson } from "@atoll-run/core";
import { without } from "./anthropic.ts";
import { replyError } from "./failures.ts";
import { sendable } from "./history.ts";
import {
  type Block, isToolResult, isToolUse, type Message, type ModelReply, type ModelRequest, type ModelUsage,
  type StopReason,
  type ToolUse, textOf,
} from "./model-port.ts";
import { OpenAiStream } from "./openai-stream.ts";
import { countOf, type Fields, fieldsOf, listOf, type Provider, schemaOf, textField } from "./provider.ts";

export const openai: Provider = {
  id: "openai",
  keyVariable: "OPENAI_API_KEY", modelVariable: "OPENAI_MODEL", baseUrlVariable: "OPENAI_BASE_URL",
  defaultModel: "gpt-4o-mini", defaultBaseUrl: "https://api.openai.com/v1", path: "/chat/completions",
  keyMissing: "API key not set: env=OPENAI_API_KEY", notJson: "OpenAI response JSON decode failed",
  headers: (key) => ({ authorization: `Bearer ${key}` }),
  body,
  readReply: (json, newId) => {
    const reply = fieldsOf(json);
    const [choice] = listOf(reply["choices"]);
    if (choice === undefined) throw replyError("invalid OpenAI response: missing choices");
    return toReply(fieldsOf(choice), fieldsOf(reply["usage"]), newId);
  },
  stream: (newId) => new OpenAiStream((choice, usage) => toReply(choice, usage, newId)),
};

function body(model: string, request: ModelRequest, stream: boolean): { [key: string]: Json } {
  const { system, tools } = request;
  const first: Json[] = system === undefined || system === "" ? [] : [{ role: "system", content: system }];
  return without({
    model, max_tokens: request.maxTokens,
    messages: [...first, ...sendable(request.messages).flatMap(toMessages)],
    tools: tools.length === 0 ? undefined : tools.map((tool) => tool.raw ?? {
      type: "function",
      function: without({
        name: tool.name, description: tool.description, parameters: schemaOf(tool.input_schema),
      }),
    }),
    tool_choice: tools.length === 0 ? undefined : toChoice(request.toolChoice),
    temperature: request.temperature, top_p: request.topP, stop: request.stop,
    ...(stream ? { stream: true, stream_options: { include_usage: true } } : {}),
    ...request.extraBody,
  });
}

/** `{type="tool", name=…}` and its like, in this API's words. */
function toChoice(choice: Json | undefined): Json | undefined {
  const fields = fieldsOf(choice);
  switch (fields["type"]) {
    case "any": return "required";
    case "auto": case "none": case "required": return fields["type"];
    case "tool": return { type: "function", function: { name: fields["name"] ?? "" } };
    default: return choice;
  }
}

/** Results come first: they answer the calls of the message before. */
function toMessages({ role, content }: Message): Json[] {
  if (typeof content === "string") return [{ role, content }];
  if (role === "assistant") return [toAssistant(content)];
  const results = content.filter(isToolResult).map((result) => ({
    role: "tool", tool_call_id: result.tool_use_id, content: toText(result.content),
  }));
  const parts = content.filter((block) => !isToolResult(block));
  if (parts.length === 0) return results;
  const isPlain = parts.every((part) => part.type === "text");
  return [...results, { role, content: isPlain ? textOf(parts) : parts.map(toPart) }];
}

function toAssistant(content: readonly Block[]): Json {
  const calls = content.filter(isToolUse);
  const text = textOf(content);
  return {
    role: "assistant", content: text === "" && calls.length > 0 ? null : text,
    ...(calls.length === 0 ? {} : {
      tool_calls: calls.map(
        ({ id, name, input }) => ({ id, type: "function", function: { name, arguments: jsonText(input) } }),
      ),
    }),
  };
}

function toPart(block: Block): Json {
  const fields = block as Fields;
  if (fields["type"] === "text") return { type: "text", text: fields["text"] ?? "" };
  if (fields["type"] !== "image") return fields;
  const source = fieldsOf(fields["source"]);
  const url = textField(source["url"])
    ?? `data:${String(source["media_type"])};base64,${String(source["data"])}`;
  return { type: "image_url", image_url: { url } };
}

function toText(content: string | readonly Json[]): string {
  if (typeof content === "string") return content;
  const isText = content.every((block) => fieldsOf(block)["type"] === "text");
  return isText ? textOf(content as readonly Block[]) : jsonText(content);
}

function jsonText(value: Json): string {
  const written = stringifyJson(value, { depthMax: 256 });
  return written.ok ? written.text : "{}";
}

const STOPS: Readonly<Record<string, StopReason>> = {
  stop: "end_turn", tool_calls: "tool_use", function_call: "tool_use", length: "max_tokens",
  content_filter: "refusal",
};

function toReply(choice: Fields, usage: Fields, newId: () => string): ModelReply {
  const message = fieldsOf(choice["message"]);
  const refusal = textField(message["refusal"]) ?? "";
  const text = toText(message["content"] as string | readonly Json[] | null ?? "") || refusal;
  const calls = listOf(message["tool_calls"]).map((call) => toCall(fieldsOf(call), newId));
  const content: Block[] = [...(text === "" ? [] : [{ type: "text" as const, text }]), ...calls];
  const said = STOPS[textField(choice["finish_reason"]) ?? "stop"] ?? "end_turn";
  // some servers say `stop` although they ask for tools
  const stop = refusal !== "" ? "refusal" : said === "end_turn" && calls.length > 0 ? "tool_use" : said;
  return { content, stop, usage: toUsage(usage) };
}

function toCall(call: Fields, newId: () => string): ToolUse {
  const called = fieldsOf(call["function"]);
  const id = textField(call["id"]) ?? "";
  const base =
    { type: "tool_use" as const, id: id === "" ? newId() : id, name: textField(called["name"]) ?? "" };
  const given = called["arguments"] ?? "";
  if (isObject(given)) return { ...base, input: given };
  if (given === "") return { ...base, input: {} };
  const parsed = typeof given === "string" ? parseJson(given) : undefined;
  if (parsed?.ok === true && isObject(parsed.value)) return { ...base, input: parsed.value };
  return { ...base, input: {}, is_error_hint: "arguments_parse_failed" };
}

function isObject(value: Json): boolean {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function toUsage(usage: Fields): ModelUsage {
  const cached = countOf(fieldsOf(usage["prompt_tokens_details"])["cached_tokens"]);
  return {
    input_tokens: countOf(usage["prompt_tokens"]), output_tokens: countOf(usage["completion_tokens"]),
    cache_read_tokens: cached, cache_write_tokens: 0, cache_beside_input: 0,
  };
}
