/** Who hears of calls of models: the log and the events of the run. */
import type { TraceContext } from "@atoll-run/core";
import type { ModelFact, Observe } from "../agent/observe.ts";
import type { Usage } from "../agent/options.ts";
import type { BlockEvents } from "../config.ts";
import { readDumpMode } from "./dump-mode.ts";
import { createLlmDump } from "./llm-dump.ts";

export interface ModelCallParts {
  readonly env: Readonly<Record<string, string>>;
  readonly trace: TraceContext;
  log(level: "info" | "warn", target: string, msg: string, fields?: Record<string, unknown>): void;
  called(fact: BlockEvents["model:called"]): void;
}

/** Hears of every call, and sums up what the calls of the run used. */
export interface ModelCalls {
  readonly observe: Observe;
  /** Undefined while no model has answered. */
  usage(): Usage | undefined;
}

export function observeModels(parts: ModelCallParts): ModelCalls {
  let dump: Observe | undefined;
  let used: Usage | undefined;
  const open = (): Observe => {
    const { mode, warning } = readDumpMode(parts.env);
    if (warning !== undefined) parts.log("warn", "llm", warning);
    return createLlmDump({ mode, ids: parts.trace, log: (...line) => parts.log(...line) });
  };
  const observe: Observe = (fact) => {
    dump ??= open();
    dump(fact);
    if (fact.what === "summary") used = withCall(used, fact);
    const ended = toEvent(fact);
    if (ended !== undefined) parts.called(ended);
  };
  return { observe, usage: () => used };
}

function withCall(sum: Usage | undefined, call: Extract<ModelFact, { what: "summary" }>): Usage {
  return {
    input_tokens: (sum?.input_tokens ?? 0) + call.usage_in, output_tokens: (sum?.output_tokens ?? 0) + call.usage_out,
    total_tokens: (sum?.total_tokens ?? 0) + call.usage_total,
    cache_read_tokens: (sum?.cache_read_tokens ?? 0) + call.cache_read,
    cache_write_tokens: (sum?.cache_write_tokens ?? 0) + call.cache_create,
  };
}

/** How a call ended. */
function toEvent(fact: ModelFact): BlockEvents["model:called"] | undefined {
  if (fact.what !== "summary" && fact.what !== "failed") return undefined;
  const { provider, model, turn } = fact;
  const more = fact.what === "failed" ? { error_code: fact.error_code }
    : { stop_reason: fact.stop_reason, input_tokens: fact.usage_in, output_tokens: fact.usage_out };
  return { provider, model, turn, ok: fact.what === "summary", ...more };
}
