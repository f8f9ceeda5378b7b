/**
 * What the agent loop wants of a language model, and the one form in which messages are kept.
 *
 * For standard blocks in Lua (compile_loop): one model call without the loop is `own.call("model.call",
 * own.json{provider=, model=, base_url=, api_key=, api_key_env=, system=, messages=, tools=, tool_choice=,
 * max_tokens=, temperature=, timeout=, retries=, extra_body=, …})`, with `own` the third argument of an
 * embedded chunk. It never raises and gives `{ok, content, blocks, stop_reason, usage}` (`content` is the
 * text, `blocks` the content of the assistant message to append), or `{ok=false, error, error_code,
 * error_detail?}`. `require("agent")._llm_ctx_top()` gives nil, or `{provider, model, base_url, api_key,
 * api_key_env, max_tokens, temperature, timeout}` of the `agent.run` that this code is a tool or callback
 * of.
 */
import type { Json } from "@atoll-run/core";

/** One block of a message, in the form of Anthropic's Messages API; kinds we do not know pass through. */
export type Block =
  | { readonly type: "text"; readonly text: string }
  | ToolUse
  | ToolResult
  | { readonly type: string; readonly [key: string]: Json };

export interface ToolUse {
  readonly type: "tool_use";
  readonly id: string;
  readonly name: string;
  readonly input: Json;
  /** `arguments_parse_failed`: the model's arguments were no JSON object, `input` is empty. */
  readonly is_error_hint?: string;
}

export interface ToolResult {
  readonly type: "tool_result";
  readonly tool_use_id: string;
  readonly content: string | readonly Json[];
  readonly is_error?: boolean;
}

export interface Message {
  readonly role: "user" | "assistant";
  readonly content: string | readonly Block[];
}

/** A tool as the model is told of it. */
export interface ToolDefinition {
  readonly name: string;
  readonly description?: string;
  readonly input_schema?: Json;
  /** A tool that the provider runs itself: passed on as it is. */
  readonly raw?: Json;
}

export interface ModelRequest {
  readonly system?: string | undefined;
  readonly messages: readonly Message[];
  readonly tools: readonly ToolDefinition[];
  readonly toolChoice?: Json | undefined;
  readonly maxTokens: number;
  readonly temperature?: number | undefined;
  readonly topP?: number | undefined;
  readonly stop?: readonly string[] | undefined;
  /** Added to the body; wins over what is there. */
  readonly extraBody?: { readonly [key: string]: Json } | undefined;
  /** Ask for prompt caching where the provider knows it. */
  readonly cacheControl: boolean;
  /** Value of `context_management`, where the provider knows it. */
  readonly contextManagement?: Json | undefined;
}

export type StopReason = "end_turn" | "tool_use" | "max_tokens" | "refusal" | "pause_turn";

export interface ModelUsage {
  readonly input_tokens: number;
  readonly output_tokens: number;
  readonly cache_read_tokens: number;
  readonly cache_write_tokens: number;
  /** Cache tokens that `input_tokens` does not hold. */
  readonly cache_beside_input: number;
}

export interface ModelReply {
  readonly content: readonly Block[];
  readonly stop: StopReason;
  readonly usage: ModelUsage;
  readonly contextManagement?: Json;
}

export interface Delta {
  readonly type: "text" | "thinking" | "tool_input";
  readonly text: string;
  /** Place of the block in the message, from 0. */
  readonly index: number;
}

export interface ModelCall {
  readonly signal: AbortSignal;
  /** Asks for a stream; each piece is handed over before the next one is read. */
  readonly onDelta?: ((delta: Delta) => Promise<void>) | undefined;
  /** Asks for a stream too: hears each piece, and undefined where the call is tried again and they begin anew. Must not throw. */
  readonly overhears?: ((delta: Delta | undefined) => void) | undefined;
  /** Where in its run the call stands; for what is told about it. */
  readonly about?: { readonly turn: number; readonly iteration: number };
}

/**
 * One model of one provider. `call` throws a `BlockError`: `model.api` with facts `{status, type?,
 * request_id?, message?}`, `model.reply`, `http.*`, `grant.denied`, or the reason of the signal.
 */
export interface ModelPort {
  readonly provider: string;
  readonly model: string;
  call(request: ModelRequest, o: ModelCall): Promise<ModelReply>;
}

export function isToolUse(block: Block): block is ToolUse {
  return block.type === "tool_use";
}

export function isToolResult(block: Block): block is ToolResult {
  return block.type === "tool_result";
}

/** Text of the blocks of a message. */
export function textOf(content: Message["content"]): string {
  if (typeof content === "string") return content;
  return content.map((block) => (block.type === "text" ? String((block as { text?: Json }).text ?? "") : "")).join("");
}
