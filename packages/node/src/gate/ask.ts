/** What is asked → a plan that can be sent (spec: node 2.8, 4.12, 11.1; wire 1.4, 3.2). Throws before anything is sent. */
import {
  nodeError, parseTraceparent, type Clock, type Ids, type NodeError, type TellAsk,
} from "@atoll-run/core";
import { newRequestId, WIRE_LIMITS, type Envelope, type Lane } from "@atoll-run/core/internal";
import type { LimitsOf } from "../limits.ts";
import type { CallScope } from "./outbound.ts";
import type { Chance } from "../identity/chance.ts";

export interface Plan {
  readonly kind: "call" | "tell";
  readonly to: string;
  readonly route: string;
  readonly requestId: string;
  readonly payload: Uint8Array;
  readonly lane: Lane;
  /** What it may take, and when that ends on the monotonic clock. */
  readonly ms: number;
  readonly atMs: number;
  /** When what is told is no longer wanted, on the monotonic clock; undefined = never. */
  readonly ttlAtMs: number | undefined;
  readonly idempotent: boolean;
  readonly retries: boolean;
  readonly ask: TellAsk;
  readonly chainId: Uint8Array | undefined;
  readonly depth: number;
  readonly traceparent: string;
  readonly tracestate: string | undefined;
}

export interface PlanParts {
  readonly limits: LimitsOf<"gate">;
  readonly chance: Chance;
  readonly clock: Clock;
  readonly ids: Ids;
}

/** Lanes of asks. Callers without types could name a lane of streams. */
const LANES: Readonly<Record<string, Lane>> = { normal: "rpc_reliable", signal: "rpc_signal" };

/** Envelopes have more than a payload: names, metadata, trace. */
const ENVELOPE_ROOM = 64 * 1_024;

/** Throws `node.invalid_argument`, `node.too_large`, `node.timed_out`. */
export function toPlan(kind: "call" | "tell", ask: TellAsk, scope: CallScope | undefined, parts: PlanParts): Plan {
  const { limits, chance } = parts;
  const nowMs = parts.clock.monotonic();
  const asked = ask.deadlineMs ?? (kind === "call" ? limits.callMs : limits.tellMs);
  const lane = LANES[ask.priority ?? "normal"];
  checkWhole("deadlineMs", asked);
  if (ask.ttlMs !== undefined) checkWhole("ttlMs", ask.ttlMs);
  if (lane === undefined) throw wrong(`priority ${ask.priority} is none: a ${kind} goes as normal or as signal`);
  checkText("route", ask.route, WIRE_LIMITS.routeKeyBytesMax);
  if (ask.requestId !== undefined) checkText("requestId", ask.requestId, WIRE_LIMITS.requestIdBytesMax);
  if (ask.sticky !== undefined) checkText("sticky", ask.sticky, limits.stickyBytesMax);
  const { length } = ask.payload;
  if (length > WIRE_LIMITS.messageBytesMax - ENVELOPE_ROOM) {
    throw nodeError("node.too_large", `the payload of ${ask.route} has ${length} bytes`, {
      facts: { bytes: length, limit: WIRE_LIMITS.messageBytesMax - ENVELOPE_ROOM }, hint: "send it as a stream",
    });
  }
  if (ask.also !== undefined && scope !== undefined) throw wrong("only a host may do more with what it tells");
  const ms = Math.min(asked, scope === undefined ? Infinity : budget(scope, ask.route));
  const isCall = kind === "call";
  return {
    kind, to: ask.to, route: ask.route, payload: ask.payload, lane, ms, atMs: nowMs + ms, ask,
    requestId: ask.requestId ?? newRequestId(parts.ids),
    ttlAtMs: ask.ttlMs === undefined ? undefined : nowMs + ask.ttlMs,
    idempotent: ask.idempotent === true, retries: ask.retry !== "none",
    chainId: isCall ? scope?.chain_id ?? chance.bytes16() : undefined,
    depth: isCall ? depth(scope, limits) : 0,
    traceparent: childTraceparent(ask.traceparent ?? scope?.traceparent, chance),
    tracestate: ask.tracestate ?? scope?.tracestate,
  };
}

/** The envelope as it goes now: what is left of the time stands in it. */
export function toEnvelope(plan: Plan, nowMs: number): Envelope {
  const { ask, ttlAtMs } = plan;
  const leftMs = Math.max(1, Math.ceil(plan.atMs - nowMs));
  const isCall = plan.kind === "call";
  const envelope: { -readonly [Name in keyof Envelope]: Envelope[Name] } = {
    route_key: plan.route, request_id: plan.requestId, direction: isCall ? "request" : "tell",
    timeout_ms: isCall ? leftMs : 0, payload: plan.payload, traceparent: plan.traceparent,
    metadata: ask.metadata ?? [],
  };
  if (plan.tracestate !== undefined) envelope.tracestate = plan.tracestate;
  if (isCall) envelope.remaining_ms = leftMs;
  else {
    envelope.want_accept = true;
    if (ttlAtMs !== undefined) envelope.remaining_ms = Math.max(1, Math.ceil(ttlAtMs - nowMs));
  }
  if (plan.chainId !== undefined) {
    envelope.chain_id = plan.chainId;
    envelope.depth = plan.depth;
  }
  if (ask.content_type !== undefined) envelope.content_type = ask.content_type;
  if (ask.orderKey !== undefined) envelope.order_key = ask.orderKey;
  return envelope;
}

/** The same trace, one step on; a new one where there is none, or none that can be read. */
export function childTraceparent(parent: string | undefined, chance: Chance): string {
  const trace = parent === undefined ? undefined : parseTraceparent(parent);
  if (trace === undefined) return `00-${chance.hex(32)}-${chance.hex(16)}-01`;
  return `00-${trace.trace_id}-${chance.hex(16)}-${trace.sampled ? "01" : "00"}`;
}

/** Share of its budget that a handler keeps to hear and to pass on that who is deeper has given up; at most 50 ms. */
const KEPT = 0.02;
const KEPT_MS_MAX = 50;

/** What a handler may still spend: a little less than it has, so that who is deeper gives up first. */
function budget(scope: CallScope, route: string): number {
  const leftMs = scope.deadline.leftMs();
  const keptMs = Math.max(1, Math.min(KEPT_MS_MAX, leftMs * KEPT));
  const ms = leftMs === Infinity ? Infinity : Math.ceil(leftMs - keptMs);
  if (ms > 0) return ms;
  throw nodeError("node.timed_out", `no time is left for ${route}`, { uncertain: false });
}

function depth(scope: CallScope | undefined, limits: LimitsOf<"gate">): number {
  const hops = (scope?.depth ?? 0) + 1;
  if (hops <= limits.depthMax) return hops;
  throw wrong(`the chain of calls is ${hops} hops deep`, {
    depth: hops, limit: limits.depthMax,
  }, "look for nodes that call each other without end");
}

/** Throws `node.invalid_argument` unless it is a positive whole number. */
export function checkWhole(name: string, value: number): void {
  if (!Number.isSafeInteger(value) || value <= 0) {
    throw wrong(`${name} must be a positive whole number of milliseconds, got ${String(value)}`);
  }
}

/** Throws `node.invalid_argument` unless it has 1 to that many bytes. */
export function checkText(name: string, text: string, bytesMax: number): void {
  // Of a short text the bytes need not be counted: none has more than three a unit.
  const size = text.length * 3 <= bytesMax ? text.length : Buffer.byteLength(text);
  if (size >= 1 && size <= bytesMax && text.isWellFormed()) return;
  throw wrong(`${name} must have 1 to ${bytesMax} bytes, has ${size}`);
}

function wrong(text: string, facts: Readonly<Record<string, unknown>> = {}, hint?: string): NodeError {
  return nodeError("node.invalid_argument", text, { facts, ...hint === undefined ? {} : { hint } });
}
