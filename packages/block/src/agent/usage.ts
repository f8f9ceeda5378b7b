/** Tokens: sums of a run, and what is told of a reply. */
import type { Json } from "@atoll-run/core";
import { isToolUse, type ModelReply, type ModelUsage, textOf } from "./model-port.ts";
import type { ModelFact } from "./observe.ts";
import type { Usage } from "./options.ts";

export const NO_USAGE: ModelUsage = {
  input_tokens: 0, output_tokens: 0, cache_read_tokens: 0, cache_write_tokens: 0, cache_beside_input: 0,
};

export function sum(a: ModelUsage, b: ModelUsage): ModelUsage {
  return {
    input_tokens: a.input_tokens + b.input_tokens, output_tokens: a.output_tokens + b.output_tokens,
    cache_read_tokens: a.cache_read_tokens + b.cache_read_tokens,
    cache_write_tokens: a.cache_write_tokens + b.cache_write_tokens,
    cache_beside_input: a.cache_beside_input + b.cache_beside_input,
  };
}

export function totalOf(usage: ModelUsage): Usage {
  const { input_tokens, output_tokens, cache_read_tokens, cache_write_tokens } = usage;
  const total_tokens = input_tokens + output_tokens;
  return { input_tokens, output_tokens, total_tokens, cache_read_tokens, cache_write_tokens };
}

type Summary = Extract<ModelFact, { what: "summary" }>;

export function summaryOf(
  reply: ModelReply,
): Omit<Summary, "what" | "provider" | "model" | "turn" | "iteration" | "latency_ms"> {
  const { input_tokens, output_tokens, cache_read_tokens, cache_write_tokens } = reply.usage;
  const { applied_edits: edits } = (reply.contextManagement ?? {}) as { readonly applied_edits?: Json };
  return {
    stop_reason: reply.stop, blocks: reply.content.length, tool_uses: reply.content.filter(isToolUse).length,
    text_chars: textOf(reply.content).length, usage_in: input_tokens, usage_out: output_tokens,
    usage_total: input_tokens + output_tokens, cache_create: cache_write_tokens, cache_read: cache_read_tokens,
    context_edits: Array.isArray(edits) ? edits.length : 0,
  };
}
