/** Who hears of calls of models: the log and the events of the run. */
import type { TraceContext } from "@atoll-run/core";
import type { ModelFact, Observe } from "../agent/observe.ts";
import type { BlockEvents } from "../config.ts";
import { readDumpMode } from "./dump-mode.ts";
import { createLlmDump } from "./llm-dump.ts";

export interface ModelCallParts {
  readonly env: Readonly<Record<string, string>>;
  readonly trace: TraceContext;
  log(level: "info" | "warn", target: string, msg: string, fields?: Record<string, unknown>): void;
  called(fact: BlockEvents["model:called"]): void;
}

export function observeModels(parts: ModelCallParts): Observe {
  let dump: Observe | undefined;
  const open = (): Observe => {
    const { mode, warning } = readDumpMode(parts.env);
    if (warning !== undefined) parts.log("warn", "llm", warning);
    return createLlmDump({ mode, ids: parts.trace, log: (...line) => parts.log(...line) });
  };
  return (fact) => {
    dump ??= open();
    dump(fact);
    const ended = toEvent(fact);
    if (ended !== undefined) parts.called(ended);
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
