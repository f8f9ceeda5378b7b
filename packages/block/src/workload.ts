/** A running block as a node's workload: each message is a bus event, the handler's value the reply. */
import { type DispatchContext, Fault, isFault, type Json, type Outcome, type Workload, type WorkloadMessage } from "@atoll-run/core";
import type { BlockRun } from "./config.ts";
import { blockError } from "./errors.ts";

/** Milliseconds after which a message comes again when the bus is full and gave no hint. */
const AGAIN_MS = 100;

/** The run stays the caller's: closing it is not the workload's business. */
export function toWorkload(run: BlockRun): Workload {
  return { kind: "block", dispatch: (message, context) => dispatch(run, message, context) };
}

async function dispatch(run: BlockRun, message: WorkloadMessage, { deadlineMs, signal }: DispatchContext): Promise<Outcome> {
  try {
    const { id, meta } = message;
    return { is: "done", reply: await run.request(message.route, message.payload, { id, meta, deadlineMs, signal }) };
  } catch (error) {
    return toOutcome(error);
  }
}

function toOutcome(error: unknown): Outcome {
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
  if (typeof raised["atoll"] === "string") {
    const after = raised["retry_after_ms"];
    return { is: "failed", fault: new Fault({
      code: raised["atoll"], text: text ?? `handler failed: ${raised["atoll"]}`, retry: typeof after === "number" ? "later" : "never",
      ...(typeof after === "number" ? { retry_after_ms: after } : {}),
    }) };
  }
  if (typeof raised["code"] !== "string" && typeof raised["code"] !== "number") return undefined;
  return { is: "rejected", code: String(raised["code"]), body: value };
}

