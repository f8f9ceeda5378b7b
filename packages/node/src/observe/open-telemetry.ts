/**
 * Spans of a node by the API of OpenTelemetry; the one file that knows it.
 * takes what a node does; gives spans to the SDK that the host registered; promises names, ids and codes and no body;
 * refuses nothing; never starts an SDK.
 */
import {
  type Attributes, type Context, context, isSpanContextValid, type Link, ROOT_CONTEXT, type Span, SpanKind, SpanStatusCode,
  trace as tracing, TraceFlags,
} from "@opentelemetry/api";
import { formatTraceparent, parseTraceparent } from "@atoll-run/core";
import type { OpenSpan, SpanName, SpanPlan, Tracer } from "./tracer.ts";

const { CLIENT, SERVER, PRODUCER, CONSUMER, INTERNAL } = SpanKind;

/** What goes to others, or comes from them. */
const KINDS: Readonly<Record<string, SpanKind>> = {
  call: CLIENT, tell: PRODUCER, discover: CLIENT, connect: CLIENT, renew: CLIENT,
} satisfies Partial<Record<SpanName, SpanKind>>;

export function openTelemetry(scope: string): Tracer<string, object> {
  const tracer = tracing.getTracer(scope);
  return {
    begin: (name, plan) => {
      const { facts, links = [], beganAtMs } = plan;
      const within = contextOf(plan);
      return new ASpan(tracer.startSpan(`atoll.${name}`, {
        kind: kindOf(name, plan), attributes: toAttributes(facts), links: links.flatMap(toLink),
        ...beganAtMs === undefined ? {} : { startTime: beganAtMs },
      }, within), within);
    },
  };
}

class ASpan implements OpenSpan {
  readonly #span: Span;
  readonly #within: Context;
  readonly traceparent: string | undefined;
  #ended = false;

  constructor(span: Span, within: Context) {
    this.#span = span;
    this.#within = within;
    const of = span.spanContext();
    this.traceparent = isSpanContextValid(of)
      ? formatTraceparent({ trace_id: of.traceId, span_id: of.spanId }, (of.traceFlags & TraceFlags.SAMPLED) !== 0) : undefined;
  }

  run<T>(work: () => T): T {
    return context.with(tracing.setSpan(this.#within, this.#span), work);
  }

  end(outcome: string, code?: string): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#span.setAttribute("atoll.outcome", outcome);
    if (code !== undefined) {
      this.#span.setAttribute("error.type", code);
      this.#span.setStatus({ code: SpanStatusCode.ERROR });
    }
    this.#span.end();
  }
}

/** What it is a part of. What runs here by chance when a message comes is none of its trace. */
function contextOf({ parent, around }: SpanPlan<object>): Context {
  if (parent !== undefined) return inside(parent, ROOT_CONTEXT);
  if (around === undefined) return ROOT_CONTEXT;
  const active = context.active();
  const open = tracing.getSpanContext(active);
  return open !== undefined && isSpanContextValid(open) ? active : inside(around, active);
}

function inside(traceparent: string, within: Context): Context {
  const [link] = toLink(traceparent);
  return link === undefined ? within : tracing.setSpanContext(within, link.context);
}

function toLink(traceparent: string): readonly Link[] {
  const read = parseTraceparent(traceparent);
  if (read === undefined) return [];
  const traceFlags = read.sampled ? TraceFlags.SAMPLED : TraceFlags.NONE;
  return [{ context: { traceId: read.trace_id, spanId: read.span_id, isRemote: true, traceFlags } }];
}

function kindOf(name: string, { facts, serves }: SpanPlan<object>): SpanKind {
  const { kind } = facts as { readonly kind?: unknown };
  if (serves === true) return SERVER;
  if (name === "dispatch") return kind === "tell" ? CONSUMER : SERVER;
  if (name === "stream") return kind === "write" ? PRODUCER : CONSUMER;
  return KINDS[name] ?? INTERNAL;
}

function toAttributes(facts: object): Attributes {
  return Object.fromEntries(Object.entries(facts).map(([key, value]) => [`atoll.${key}`, value as string | number]));
}
