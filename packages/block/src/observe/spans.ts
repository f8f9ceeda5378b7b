/** Spans around what goes outside, without a word on who takes them; and the trace that others are told. */
import { formatTraceparent, type Ids, newSpanId, type TraceContext, type TraceParent } from "@atoll-run/core";

/** Who asks. `span`: where spans are taken, the one that is open, or that of the caller in another process. */
export interface CallTrace extends TraceContext {
  readonly span?: TraceParent;
}

export interface SpanPlan<T> {
  readonly name: string;
  /** It asks another process, or works here. */
  readonly side: "client" | "internal";
  /** Names and masked URLs only: no argument, text or secret of a script. */
  readonly attributes: SpanFacts;
  /** What is told of the result. */
  told?(result: T): SpanFacts & { readonly failed?: boolean };
}

export type SpanFacts = Readonly<Record<string, string | number | boolean | readonly string[]>>;

export interface Spans {
  /** Does `work` within a span of its own; what it asks of others belongs to the trace that it is given. */
  around<T>(trace: CallTrace, plan: SpanPlan<T>, work: (trace: CallTrace) => Promise<T>): Promise<T>;
}

/** Nobody takes them. */
export const NO_SPANS: Spans = { around: (trace, _, work) => work(trace) };

export function mcpSpan(server: string, tool: string): Pick<SpanPlan<unknown>, "name" | "side" | "attributes"> {
  return { name: "mcp.call", side: "client", attributes: { "mcp.server": server, "mcp.tool": tool } };
}

/** The `traceparent` for whoever is asked; undefined when nobody began a trace that it can carry. */
export function knownTraceparent(trace: CallTrace): string | undefined {
  return trace.span === undefined ? formatTraceparent(trace) : formatTraceparent(trace.span, trace.span.sampled);
}

/**
 * The same, never undefined: without spans it names a fresh one, and a trace begins here when the run has none, or one
 * that `traceparent` cannot carry.
 */
export function outgoingTraceparent(trace: CallTrace, ids: Ids): string {
  const span_id = newSpanId(ids);
  const known = trace.span === undefined ? formatTraceparent({ trace_id: trace.trace_id, span_id }) : knownTraceparent(trace);
  return known ?? formatTraceparent({ trace_id: ids.uuid4(), span_id }) as string;
}
