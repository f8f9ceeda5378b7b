/**
 * Who asks, across processes: the block's own four names, and the W3C form of the trace that other systems
 * read.
 */
import type { Ids } from "./ids.ts";

/** Who asks, across processes. Empty strings mean "not given". */
export interface TraceContext {
  readonly trace_id: string;
  readonly span_id?: string;
  readonly run_id: string;
  readonly agent_id: string;
  readonly agent_name: string;
}

/** The fields of a W3C `traceparent`, lower-case hex. */
export interface TraceParent {
  /** 32 hex digits. */
  readonly trace_id: string;
  /** 16 hex digits. */
  readonly span_id: string;
  readonly sampled: boolean;
}

/** Nobody in particular. */
export function emptyTrace(): TraceContext {
  return { trace_id: "", run_id: "", agent_id: "", agent_name: "" };
}

/**
 * Reads a `traceparent` header of any version; undefined when it is not one, which the standard says to
 * ignore.
 */
export function parseTraceparent(text: string): TraceParent | undefined {
  const match = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/.exec(text.trim());
  if (match === null) return undefined;
  const [, version = "", trace_id = "", span_id = "", flags = "", rest] = match;
  if (version === "ff" || (version === "00" && rest !== undefined)) return undefined;
  if (/^0+$/.test(trace_id) || /^0+$/.test(span_id)) return undefined;
  return { trace_id, span_id, sampled: (Number.parseInt(flags, 16) & 1) === 1 };
}

/**
 * The `traceparent` header of a trace; undefined when its ids cannot stand there. A trace id may be any text:
 * 32 hex digits, with or without the hyphens of a UUID, are usable.
 */
export function formatTraceparent(
  trace: Pick<TraceContext, "trace_id" | "span_id">, sampled = true,
): string | undefined {
  const traceId = trace.trace_id.replaceAll("-", "").toLowerCase();
  const header = `00-${traceId}-${trace.span_id ?? ""}-${sampled ? "01" : "00"}`;
  return parseTraceparent(header) === undefined ? undefined : header;
}

/** A fresh span id: 16 hex digits. */
export function newSpanId(ids: Ids): string {
  // The last 16 digits of a UUID are random but for two bits, which are never both 0.
  return ids.uuid4().replaceAll("-", "").slice(-16);
}

/** The same asker, one step deeper. */
export function childTrace(trace: TraceContext, ids: Ids): TraceContext {
  return { ...trace, span_id: newSpanId(ids) };
}

/**
 * Headers that carry a trace in a request; what is empty is left out, what is not ASCII is percent-encoded.
 */
export function traceHeaders(trace: TraceContext): Record<string, string> {
  const headers: Record<string, string> = {};
  const put = (name: string, value: string | undefined): void => {
    if (value !== undefined && value !== "") headers[name] = headerText(value);
  };
  put("x-trace-id", trace.trace_id);
  put("x-run-id", trace.run_id);
  put("x-agent-id", trace.agent_id);
  put("x-agent-name", trace.agent_name);
  put("traceparent", formatTraceparent(trace));
  return headers;
}

function headerText(value: string): string {
  return value.toWellFormed().replace(/[^\x20-\x7e]+|^ +| +$/g, (part) => encodeURIComponent(part));
}
