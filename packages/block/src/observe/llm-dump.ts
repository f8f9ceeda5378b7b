/**
 * Model calls in the log: `http_request` and `http_response` always, as of any request; behind the word
 * `agent.llm_dump` what `_LLM_DUMP` asks for. `meta` counts and times, `full` adds headers and bodies, where
 * secrets are masked.
 */
import { isSecretKey, REDACTED } from "@atoll-run/core";
import type { ModelFact, Observe } from "../agent/observe.ts";
import type { DumpMode } from "./dump-mode.ts";
import { OBS } from "./obs-events.ts";

export interface LlmDumpParts {
  readonly mode: DumpMode;
  log(level: "info", target: string, msg: string, fields?: Record<string, unknown>): void;
  /** Four names of who asks, in order. */
  readonly ids: Readonly<Record<"trace_id" | "run_id" | "agent_id" | "agent_name", string>>;
}

type Of<W extends ModelFact["what"]> = ModelFact & { readonly what: W };

/** Contract of what it gives: returns at once and never throws. */
export function createLlmDump(parts: LlmDumpParts): Observe {
  return (fact) => {
    if (fact.what === "request" || fact.what === "response") tellHttp(parts, fact);
    if (parts.mode === "off") return;
    for (const [what, kv] of linesOf(parts, fact)) {
      parts.log("info", "llm", `agent.llm_dump ${what} ${Object.entries(kv).map(pair).join(" ")}`);
    }
  };
}

function tellHttp(parts: LlmDumpParts, fact: Of<"request" | "response">): void {
  const more = fact.what === "response" ? { status: fact.status } : {};
  parts.log("info", "lua", `http_${fact.what}`, {
    prefix: OBS, event: `http_${fact.what}`, component: "http", method: "POST", url: fact.url, ...more,
  });
}

type Line = readonly [what: string, kv: Readonly<Record<string, unknown>>];

function linesOf(parts: LlmDumpParts, fact: ModelFact): readonly Line[] {
  const { turn, iteration: iter, provider, model } = fact;
  const place = { call: turn, turn, iter };
  const full = parts.mode === "full";
  switch (fact.what) {
    case "request": {
      const { attempt, messages, tools, max_tokens, timeout_ms, context_management } = fact;
      return [
        ["request", {
          ...place, ...parts.ids, provider, model, messages, tools, max_tokens, timeout: timeout_ms / 1_000,
          context_mgmt: context_management, attempt,
        }],
        ...full ? raw("request", place, fact.headers, fact.body) : [],
      ];
    }
    case "response": {
      const { status, latency_ms } = fact;
      return [["response", { ...place, status, latency_ms }], ...full ? raw("response", place, fact.headers, fact.body) : []];
    }
    case "summary": {
      const { stop_reason, blocks, tool_uses, text_chars, usage_in, usage_out, usage_total, cache_create, cache_read, context_edits } = fact;
      return [["summary", {
        ...place, stop_reason, blocks, tool_uses, text_chars, usage_in, usage_out, usage_total, cache_create, cache_read,
        context_edits,
      }]];
    }
    case "failed": return [["failed", { ...place, error_code: fact.error_code }]];
  }
}

function raw(
  what: "request" | "response", place: Line[1], headers: readonly (readonly [string, string])[], body: string | undefined,
): readonly Line[] {
  const shown = Object.fromEntries(headers.map(([name, text]) => [name, isSecretKey(name) ? REDACTED : text]));
  return [
    [`${what}_headers`, { ...place, payload: JSON.stringify(shown) }],
    ...body === undefined ? [] : [[`${what}_body`, { ...place, payload: body }] as const],
  ];
}

/** Empty, or with blanks, quotes or `=`: as JSON. */
function pair([key, value]: [string, unknown]): string {
  const text = String(value);
  return `${key}=${text === "" || /[\s="\u0000-\u001f]/.test(text) ? JSON.stringify(text) : text}`;
}
