/** What became of an event, as a node is told it (spec: node 9.3). */
import { Fault, isFault, isNodeCode, type Json, nodeFaultKind, type Outcome, type Retry, stringifyJson } from "@atoll-run/core";
import { blockError } from "./errors.ts";

/** Milliseconds after which a message comes again when the bus is full and gave no hint. */
const AGAIN_MS = 100;

/** Values of a run can be written: it has read them from JSON itself. */
export function encode(value: Json): Uint8Array {
  const written = stringifyJson(value);
  return new TextEncoder().encode(written.ok ? written.text : "null");
}

export function toOutcome(error: unknown): Outcome {
  if (!isFault(error)) return { is: "failed", fault: blockError("runtime.failed", `runtime error: ${String(error)}`, { cause: error }) };
  if (error.code === "bus.overloaded") return { is: "again", after_ms: error.retry_after_ms ?? AGAIN_MS };
  const { value, park } = error.facts as { value?: Json; park?: string };
  if (typeof park === "string") return { is: "park", until: park };
  return raisedTable(value) ?? { is: "failed", fault: error };
}

/** What a handler raised as a table: `error{code = …}` is a refusal, `error{atoll = …}` the fault of that code. */
function raisedTable(value: Json | undefined): Outcome | undefined {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
  const raised = value as Record<string, Json>;
  const text = typeof raised["message"] === "string" ? raised["message"] : undefined;
  if (typeof raised["atoll"] === "string") return { is: "failed", fault: namedFault(raised["atoll"], text, raised["retry_after_ms"]) };
  if (typeof raised["code"] !== "string" && typeof raised["code"] !== "number") return undefined;
  return {
    is: "rejected", code: String(raised["code"]), body: encode(raised["details"] ?? value), content_type: "application/json",
    keeps_writes: false, ...(text === undefined ? {} : { text }),
  };
}

function namedFault(code: string, text: string | undefined, after: Json | undefined): Fault {
  const retry: Retry = typeof after === "number" ? "later" : isNodeCode(code) ? nodeFaultKind(code).retry : "never";
  return new Fault({
    code, text: text ?? `handler failed: ${code}`, retry, ...(typeof after === "number" ? { retry_after_ms: after } : {}),
  });
}
