/** Anthropic's Messages API: requests and whole replies. */
import type { Json } from "@atoll-run/core";
import { AnthropicStream } from "./anthropic-stream.ts";
import { replyError } from "./failures.ts";
import { sendable } from "./history.ts";
import type { Block, ModelReply, ModelRequest, ModelUsage, StopReason, ToolDefinition } from "./model-port.ts";
import { countOf, type Fields, fieldsOf, type Provider, schemaOf, textField } from "./provider.ts";

const VERSION = "2023-06-01";
const CONTEXT_BETA = "context-management-2025-06-27";
const MARK = { type: "ephemeral" };

/** What `context_management = true` asks for. */
export const CONTEXT_MANAGEMENT: Json = {
  edits: [{
    type: "clear_tool_uses_20250919", trigger: { type: "input_tokens", value: 80_000 },
    keep: { type: "tool_uses", value: 3 }, clear_at_least: { type: "input_tokens", value: 10_000 },
  }],
};

export const anthropic: Provider = {
  id: "anthropic",
  keyVariable: "ANTHROPIC_API_KEY", modelVariable: "ANTHROPIC_MODEL", baseUrlVariable: "ANTHROPIC_BASE_URL",
  defaultModel: "claude-haiku-4-5-20251001", defaultBaseUrl: "https://api.anthropic.com",
  path: "/v1/messages",
  keyMissing: "ANTHROPIC_API_KEY not set", notJson: "Anthropic response JSON decode failed",
  headers: (key, request) => ({
    "x-api-key": key, "anthropic-version": VERSION,
    ...(request.contextManagement === undefined ? {} : { "anthropic-beta": CONTEXT_BETA }),
  }),
  body,
  readReply: (json) => {
    const reply = fieldsOf(json);
    if (!Array.isArray(reply["content"])) throw replyError("invalid Anthropic response: missing content");
    return toReply(reply["content"] as readonly Block[], reply);
  },
  stream: () => new AnthropicStream(toReply),
};

function body(model: string, request: ModelRequest, stream: boolean): { [key: string]: Json } {
  const { system, tools, cacheControl, contextManagement } = request;
  const mark = cacheControl ? { cache_control: MARK } : {};
  return without({
    model, max_tokens: request.maxTokens, messages: toMessages(request),
    system: toSystem(system, mark),
    tools: tools.length === 0 ? undefined : tools.map(
      (tool, i) => ({ ...toTool(tool), ...(i === tools.length - 1 ? mark : {}) }),
    ),
    tool_choice: tools.length === 0 ? undefined : request.toolChoice,
    temperature: request.temperature, top_p: request.topP, stop_sequences: request.stop,
    context_management: contextManagement, stream: stream ? true : undefined,
    ...request.extraBody,
  });
}

function toSystem(system: string | undefined, mark: { readonly cache_control?: Json }): Json | undefined {
  if (system === undefined || system === "") return undefined;
  return mark.cache_control === undefined ? system : [{ type: "text", text: system, ...mark }];
}

function toTool(tool: ToolDefinition): Fields {
  if (tool.raw !== undefined) return fieldsOf(tool.raw);
  return without(
    { name: tool.name, description: tool.description, input_schema: schemaOf(tool.input_schema) },
  );
}

/** Fields of ours that the API does not know are left out. */
function toMessages(request: ModelRequest): Json {
  return sendable(request.messages).map(({ role, content }) => ({
    role,
    content: typeof content === "string" ? content
      : content.map(
        (block) => (
          "is_error_hint" in block ? without({ ...(block as Fields), is_error_hint: undefined })
            : block as Fields
        ),
      ),
  }));
}

const STOPS: Readonly<Record<string, StopReason>> = {
  end_turn: "end_turn", stop_sequence: "end_turn", tool_use: "tool_use", max_tokens: "max_tokens",
  model_context_window_exceeded: "max_tokens", refusal: "refusal", pause_turn: "pause_turn",
};

function toReply(content: readonly Block[], reply: Fields): ModelReply {
  const stop = STOPS[textField(reply["stop_reason"]) ?? ""];
  const hasCalls = content.some((block) => block.type === "tool_use");
  const management = reply["context_management"];
  return {
    content, stop: stop ?? (hasCalls ? "tool_use" : "end_turn"), usage: toUsage(fieldsOf(reply["usage"])),
    ...(management === undefined || management === null ? {} : { contextManagement: management }),
  };
}

function toUsage(usage: Fields): ModelUsage {
  const cache_read_tokens = countOf(usage["cache_read_input_tokens"]);
  const cache_write_tokens = countOf(usage["cache_creation_input_tokens"]);
  return {
    input_tokens: countOf(usage["input_tokens"]), output_tokens: countOf(usage["output_tokens"]),
    cache_read_tokens, cache_write_tokens, cache_beside_input: cache_read_tokens + cache_write_tokens,
  };
}

/** Without the fields that are undefined. */
export function without(fields: { readonly [key: string]: Json | undefined }): { [key: string]: Json } {
  const present = Object.entries(fields).filter(([, value]) => value !== undefined);
  return Object.fromEntries(present) as { [key: string]: Json };
}
