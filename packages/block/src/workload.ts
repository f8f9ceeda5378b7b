/** A running block as a node's workload: each message is a bus event, the handler's value the reply. */
import {
  type DispatchContext, Fault, formatNodeId, isFault, type Json, nodeError, type Outcome, parseJson, stringifyJson, type Workload,
  type WorkloadMessage,
} from "@atoll-run/core";
import type { BlockRun } from "./config.ts";
import { blockError } from "./errors.ts";

/** Milliseconds after which a message comes again when the bus is full and gave no hint. */
const AGAIN_MS = 100;

/** The run stays the caller's: closing it is not the workload's business. */
export function toWorkload(run: BlockRun): Workload {
  return {
    kind: "block", concurrency: 1, route: () => ({ policy: {} }), start: () => run.ready, close: () => Promise.resolve(),
    dispatch: (message, context) => dispatch(run, message, context),
  };
}

async function dispatch(run: BlockRun, message: WorkloadMessage, context: DispatchContext): Promise<Outcome> {
  const parsed = message.payload.length === 0 ? { ok: true as const, value: null } : parseJson(decode(message.payload), { floats: true });
  if (!parsed.ok) return { is: "failed", fault: nodeError("node.decode_failure", `the payload is not JSON: ${parsed.problem}`) };
  try {
    const reply = await run.request(message.route, parsed.value, {
      id: message.id, meta: toMeta(message, context), deadlineMs: context.remainingMs(), signal: context.signal,
    });
    return { is: "done", reply: encode(reply) };
  } catch (error) {
    return toOutcome(error);
  }
}

function toMeta({ kind, caller, route, attempt, redelivered, ...rest }: WorkloadMessage, { remainingMs }: DispatchContext): Json {
  const { traceparent = null, tracestate = null, metadata } = rest;
  const peer = caller.kind === "peer" ? { from: formatNodeId(caller.id), proof: caller.proof } : { from: null, proof: null };
  return {
    ...peer, route, kind, deadline_ms: Math.round(remainingMs()), attempt, redelivered, traceparent, tracestate,
    metadata: Object.fromEntries(metadata.map(({ key, value }) => [key, value])),
  };
}

function decode(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}

/** Values of a run can be written: it has read them from JSON itself. */
function encode(value: Json): Uint8Array {
  const written = stringifyJson(value);
  return new TextEncoder().encode(written.ok ? written.text : "null");
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
  return { is: "rejected", code: String(raised["code"]), body: encode(value), keeps_writes: false, ...(text === undefined ? {} : { text }) };
}

