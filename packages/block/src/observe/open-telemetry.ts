/**
 * Spans and metrics of a run by the API of OpenTelemetry; the one file that knows it.
 * takes what happens in a run; gives spans and figures to the SDK that the host registered; promises that no
 * argument, text or error of a script is in them but names, methods, statuses and masked URLs; refuses
 * nothing; never starts an SDK.
 */
import {
  type Attributes, type Context, context, metrics, type Span, SpanKind, SpanStatusCode, trace as tracing, TraceFlags,
} from "@opentelemetry/api";
import { isFault, maskUrl, parseTraceparent, formatTraceparent, type TraceContext } from "@atoll-run/core";
import type { ModelFact } from "../agent/observe.ts";
import { JsonText, type Op, type OpCall, type Ops, type Value } from "../bridges/op.ts";
import type { Handle } from "../bus/dispatcher.ts";
import type { Telemetry, TelemetryParts } from "./telemetry.ts";

const SCOPE = "@atoll-run/block";

export function openTelemetry(parts: TelemetryParts): Telemetry {
  return new RunTelemetry(parts);
}

interface SpanRule {
  readonly name: string;
  readonly kind: SpanKind;
  attributes(args: readonly Value[]): Attributes;
}

const { CLIENT, INTERNAL, CONSUMER, SERVER } = SpanKind;

/** Ops with a span of their own. */
const RULES: Readonly<Record<string, SpanRule>> = {
  "http.request": {
    name: "http.client", kind: CLIENT,
    attributes: ([url, opts]) => ({ "http.request.method": methodOf(opts), "url.full": maskUrl(String(url)) }),
  },
  "sh.exec": { name: "sh.exec", kind: INTERNAL, attributes: () => ({}) },
  "mcp.call": {
    name: "mcp.call", kind: CLIENT, attributes: ([server, tool]) => ({ "mcp.server": String(server), "mcp.tool": String(tool) }),
  },
  "mesh.request": { name: "mesh.request", kind: CLIENT, attributes: ([to]) => ({ "mesh.target": String(to) }) },
  "mesh.send": { name: "mesh.request", kind: CLIENT, attributes: ([to]) => ({ "mesh.target": String(to) }) },
  "agent.run": { name: "agent.run", kind: INTERNAL, attributes: () => ({}) },
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
  /** Spans of events, by the trace that their handlers were given. */
  readonly #inside = new WeakMap<TraceContext, Context>();
  readonly #tools = new Map<string, Span[]>();
  readonly #models = new Map<string, { readonly at: number; readonly within: Context }>();
  readonly #handling = this.#meter.createHistogram("atoll.bus.handle.duration", { unit: "ms", description: "Time of a handler." });
  readonly #cancels = this.#meter.createCounter("atoll.run.cancels", { description: "Runs that were cancelled." });
  readonly #denials = this.#meter.createCounter("atoll.grants.denials", { description: "Calls that no grant covers." });
  readonly #figures: Disposable;
  readonly #trace: TraceContext;

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

  ops(ops: Ops): Ops {
    return Object.fromEntries(Object.entries(ops).map(([name, op]) => {
      const rule = RULES[name];
      return [name, rule === undefined ? op : this.#around(rule, op)];
    }));
  }

  #around(rule: SpanRule, op: Op): Op {
    return async (args, call: OpCall) => {
      const { name, kind } = rule;
      const span = this.#tracer.startSpan(name, { kind, attributes: rule.attributes(args) }, this.#within(call.trace));
      return await this.#finish(span, () => op(args, call));
    };
  }

  /** Runs `work` inside of the span, and ends it with what came of that. */
  async #finish<T>(span: Span, work: () => T | Promise<T>, within = context.active()): Promise<T> {
    try {
      const result = await context.with(tracing.setSpan(within, span), work);
      tellResult(span, result);
      return result;
    } catch (error) {
      tellError(span, error);
      throw error;
    } finally {
      span.end();
    }
  }

  #within(trace: TraceContext): Context {
    return this.#inside.get(trace) ?? this.#inRun;
  }

  handler(kind: string, handle: Handle): Handle {
    return async (event, o) => {
      const trace = { ...(event.trace ?? this.#trace) };
      const parent = event.trace === undefined ? this.#inRun : continued(event.trace, this.#inRun);
      const span = this.#tracer.startSpan("bus.handle", {
        kind: CONSUMER, attributes: { "messaging.message.id": event.id, "atoll.bus.kind": event.kind, "atoll.bus.handler": kind },
      }, parent);
      this.#inside.set(trace, tracing.setSpan(this.#inRun, span));
      const begun = performance.now();
      try {
        return await this.#finish(span, () => handle({ ...event, trace }, o));
      } finally {
        this.#handling.record(performance.now() - begun, { "atoll.bus.kind": event.kind });
      }
    };
  }

  model(fact: ModelFact): void {
    const key = `${fact.provider} ${fact.model} ${fact.turn}`;
    if (fact.what === "request") {
      const active = context.active();
      const within = tracing.getSpan(active) === undefined ? this.#inRun : active;
      if (!this.#models.has(key)) this.#models.set(key, { at: Date.now(), within });
    }
    if (fact.what !== "summary" && fact.what !== "failed") return;
    const begun = this.#models.get(key) ?? { at: Date.now(), within: this.#inRun };
    this.#models.delete(key);
    const span = this.#tracer.startSpan(`chat ${fact.model}`, {
      kind: CLIENT, startTime: begun.at,
      attributes: { "gen_ai.operation.name": "chat", "gen_ai.provider.name": fact.provider, "gen_ai.request.model": fact.model },
    }, begun.within);
    if (fact.what === "summary") {
      span.setAttributes({
        "gen_ai.usage.input_tokens": fact.usage_in, "gen_ai.usage.output_tokens": fact.usage_out,
        "gen_ai.response.finish_reasons": [fact.stop_reason],
      });
    } else {
      span.setAttribute("error.type", fact.error_code);
      span.setStatus({ code: SpanStatusCode.ERROR });
    }
    span.end();
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
function continued(from: TraceContext, otherwise = context.active()): Context {
  const parent = parseTraceparent(formatTraceparent(from) ?? "");
  if (parent === undefined) return otherwise;
  return tracing.setSpanContext(otherwise, {
    traceId: parent.trace_id, spanId: parent.span_id, isRemote: true, traceFlags: TraceFlags.SAMPLED,
  });
}

function idsOf({ trace_id, run_id, agent_id, agent_name }: TraceContext): Attributes {
  const all = { "atoll.trace_id": trace_id, "atoll.run_id": run_id, "atoll.agent_id": agent_id, "atoll.agent_name": agent_name };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== ""));
}

/** Numbers of a result: no texts, which may be anybody's. */
function tellResult(span: Span, result: unknown): void {
  if (typeof result !== "object" || result === null || result instanceof JsonText) return;
  const { status, code, ok } = result as { status?: unknown; code?: unknown; ok?: unknown };
  if (typeof status === "number") span.setAttribute("http.response.status_code", status);
  if (typeof code === "number") span.setAttribute("process.exit.code", code);
  if (ok === false) span.setStatus({ code: SpanStatusCode.ERROR });
}

function tellError(span: Span, error: unknown): void {
  span.setAttribute("error.type", isFault(error) ? error.code : "error");
  span.setStatus({ code: SpanStatusCode.ERROR });
}
