/**
 * Spans and metrics of a run by the API of OpenTelemetry; the one file that knows it.
 * takes what happens in a run; gives spans and figures to the SDK that the host registered; promises that no
 * argument, text or error of a script is in them but names, methods, statuses and masked URLs; refuses
 * nothing; never starts an SDK.
 */
import {
  type Attributes, type Context, context, isSpanContextValid, metrics, type Span, SpanKind, SpanStatusCode, trace as tracing,
  TraceFlags,
} from "@opentelemetry/api";
import { isFault, maskUrl, parseTraceparent, type TraceContext, type TraceParent } from "@atoll-run/core";
import { JsonText, type Op, type OpCall, type Ops, type Value } from "../bridges/op.ts";
import type { Handle } from "../bus/dispatcher.ts";
import { type CallTrace, knownTraceparent, mcpSpan, type SpanFacts, type SpanPlan } from "./spans.ts";
import type { Telemetry, TelemetryParts } from "./telemetry.ts";

const SCOPE = "@atoll-run/block";

export function openTelemetry(parts: TelemetryParts): Telemetry {
  return new RunTelemetry(parts);
}

const { CLIENT, INTERNAL, CONSUMER, SERVER } = SpanKind;

type Rule = (args: readonly Value[]) => Pick<SpanPlan<unknown>, "name" | "side" | "attributes">;

const mesh: Rule = ([to]) => ({ name: "mesh.request", side: "client", attributes: { "mesh.target": String(to) } });

/** Ops with a span of their own. */
const RULES: Readonly<Record<string, Rule>> = {
  "http.request": ([url, opts]) => ({
    name: "http.client", side: "client",
    attributes: { "http.request.method": methodOf(opts), "url.full": maskUrl(String(url)) },
  }),
  "sh.exec": () => ({ name: "sh.exec", side: "internal", attributes: {} }),
  "mcp.call": ([server, tool]) => mcpSpan(String(server), String(tool)),
  "mesh.request": mesh, "mesh.send": mesh,
  "agent.run": () => ({ name: "agent.run", side: "internal", attributes: {} }),
};

function methodOf(opts: Value): string {
  const method = (opts as { method?: Value } | undefined)?.method;
  return typeof method === "string" ? method.toUpperCase() : "GET";
}

class RunTelemetry implements Telemetry {
  readonly #tracer = tracing.getTracer(SCOPE);
  readonly #meter = metrics.getMeter(SCOPE);
  readonly #run: Span;
  readonly #inRun: Context;
  readonly #tools = new Map<string, Span[]>();
  readonly #handling = this.#meter.createHistogram("atoll.bus.handle.duration", { unit: "ms", description: "Time of a handler." });
  readonly #cancels = this.#meter.createCounter("atoll.run.cancels", { description: "Runs that were cancelled." });
  readonly #denials = this.#meter.createCounter("atoll.grants.denials", { description: "Calls that no grant covers." });
  readonly #figures: Disposable;
  #trace: CallTrace;

  constructor(parts: TelemetryParts) {
    this.#trace = parts.trace;
    this.#run = this.#tracer.startSpan("block.run", {
      kind: SERVER, attributes: { "atoll.script": parts.script, ...idsOf(parts.trace) },
    }, continued(parts.trace));
    this.#inRun = tracing.setSpan(context.active(), this.#run);
    this.#figures = this.#observe(parts);
  }

  #observe(parts: TelemetryParts): Disposable {
    const script = { "atoll.script": parts.script };
    const queue = this.#meter.createObservableGauge("atoll.bus.queue.depth", { description: "Events that wait for a handler." });
    const memory = this.#meter.createObservableGauge("atoll.isle.memory", { unit: "By", description: "Memory of an isle." });
    const tellQueue = (result: { observe(value: number, attributes?: Attributes): void }): void =>
      result.observe(parts.stats().queue, script);
    const tellMemory = (result: { observe(value: number, attributes?: Attributes): void }): void => {
      for (const { role, bytes } of parts.stats().isles) result.observe(bytes, { ...script, "atoll.isle": role });
    };
    queue.addCallback(tellQueue);
    memory.addCallback(tellMemory);
    return { [Symbol.dispose]: () => {
      queue.removeCallback(tellQueue);
      memory.removeCallback(tellMemory);
    } };
  }

  named(trace: TraceContext): void {
    this.#trace = trace;
    this.#run.setAttributes(idsOf(trace));
  }

  ops(ops: Ops): Ops {
    return Object.fromEntries(Object.entries(ops).map(([name, op]) => {
      const rule = RULES[name];
      return [name, rule === undefined ? op : this.#spanned(rule, op)];
    }));
  }

  #spanned(rule: Rule, op: Op): Op {
    return (args, call: OpCall) => this.around<Awaited<ReturnType<Op>>>(
      call.trace, { ...rule(args), told: toldOf },
      async (trace) => await op(args, traced(call, trace)),
    );
  }

  around<T>(trace: CallTrace, plan: SpanPlan<T>, work: (trace: CallTrace) => Promise<T>): Promise<T> {
    const { name, side, attributes, told } = plan;
    const within = this.#within(trace);
    const kind = side === "client" ? CLIENT : INTERNAL;
    const span = this.#tracer.startSpan(name, { kind, attributes: { ...attributes } as Attributes }, within);
    return this.#finish(span, within, async () => {
      const result = await work({ ...trace, ...spanOf(span) });
      const { failed = false, ...more } = told?.(result) ?? {};
      span.setAttributes(more as Attributes);
      if (failed === true) span.setStatus({ code: SpanStatusCode.ERROR });
      return result;
    });
  }

  /** Runs `work` inside of the span, and ends it with what came of that. */
  async #finish<T>(span: Span, within: Context, work: () => Promise<T>): Promise<T> {
    try {
      return await context.with(tracing.setSpan(within, span), work);
    } catch (error) {
      tellError(span, error);
      throw error;
    } finally {
      span.end();
    }
  }

  /** The span that is open where somebody asks, else that of the run. */
  #within({ span }: CallTrace): Context {
    return span === undefined ? this.#inRun : inside(span, this.#inRun, false);
  }

  handler(kind: string, handle: Handle): Handle {
    return async (event, o) => {
      const parent = event.trace === undefined ? this.#inRun : continued(event.trace, this.#inRun);
      const span = this.#tracer.startSpan("bus.handle", {
        kind: CONSUMER, attributes: { "messaging.message.id": event.id, "atoll.bus.kind": event.kind, "atoll.bus.handler": kind },
      }, parent);
      const trace = { ...(event.trace ?? this.#trace), ...spanOf(span) };
      const begun = performance.now();
      try {
        return await this.#finish(span, this.#inRun, () => handle({ ...event, trace }, o));
      } finally {
        this.#handling.record(performance.now() - begun, { "atoll.bus.kind": event.kind });
      }
    };
  }

  tool(event: "tool_call" | "tool_result", o: Parameters<Telemetry["tool"]>[1]): void {
    const key = `${o.place} ${o.tool}`;
    const open = this.#tools.get(key) ?? [];
    if (event === "tool_call") {
      open.push(this.#tracer.startSpan("tool.call", { attributes: { "gen_ai.tool.name": o.tool } }, this.#within(o.trace)));
      this.#tools.set(key, open);
      return;
    }
    const span = open.pop();
    if (open.length === 0) this.#tools.delete(key);
    if (!o.ok) span?.setStatus({ code: SpanStatusCode.ERROR });
    span?.end();
  }

  denied(grant: string): void {
    this.#denials.add(1, { "atoll.grant.verb": grant.split(":", 1)[0] ?? "" });
  }

  ended(outcome: string, code: string | undefined): void {
    for (const span of [...this.#tools.values()].flat()) span.end();
    this.#tools.clear();
    if (code === "run.cancelled") this.#cancels.add(1);
    this.#run.setAttribute("atoll.outcome", outcome);
    if (code !== undefined) {
      this.#run.setAttribute("error.type", code);
      this.#run.setStatus({ code: SpanStatusCode.ERROR });
    }
    this.#run.end();
    this.#figures[Symbol.dispose]();
  }
}

/** The context of a trace that came from outside, when it can be one of theirs. */
function continued(from: CallTrace, otherwise = context.active()): Context {
  const parent = parseTraceparent(knownTraceparent(from) ?? "");
  return parent === undefined ? otherwise : inside(parent, otherwise, true);
}

function inside({ trace_id, span_id, sampled }: TraceParent, within: Context, isRemote: boolean): Context {
  const traceFlags = sampled ? TraceFlags.SAMPLED : TraceFlags.NONE;
  return tracing.setSpanContext(within, { traceId: trace_id, spanId: span_id, isRemote, traceFlags });
}

/** The call in another trace; what it gives only when it is asked for stays so. */
function traced(call: OpCall, trace: CallTrace): OpCall {
  return Object.create(call, { trace: { value: trace, enumerable: true } }) as OpCall;
}

/** What others are told of a span, when somebody takes it. */
function spanOf(span: Span): { readonly span?: TraceParent } {
  const of = span.spanContext();
  if (!isSpanContextValid(of)) return {};
  return { span: { trace_id: of.traceId, span_id: of.spanId, sampled: (of.traceFlags & TraceFlags.SAMPLED) !== 0 } };
}

function idsOf({ trace_id, run_id, agent_id, agent_name }: TraceContext): Attributes {
  const all = { "atoll.trace_id": trace_id, "atoll.run_id": run_id, "atoll.agent_id": agent_id, "atoll.agent_name": agent_name };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== ""));
}

/** Numbers of a result: no texts, which may be anybody's. */
function toldOf(result: unknown): SpanFacts & { readonly failed?: boolean } {
  if (typeof result !== "object" || result === null || result instanceof JsonText) return {};
  const { status, code, ok } = result as { status?: unknown; code?: unknown; ok?: unknown };
  return {
    ...(typeof status === "number" ? { "http.response.status_code": status } : {}),
    ...(typeof code === "number" ? { "process.exit.code": code } : {}),
    failed: ok === false,
  };
}

function tellError(span: Span, error: unknown): void {
  span.setAttribute("error.type", isFault(error) ? error.code : "error");
  span.setStatus({ code: SpanStatusCode.ERROR });
}
