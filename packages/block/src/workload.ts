/**
 * A block as a node's workload (spec: node 9.3).
 * takes messages, streams and hooks; gives them to the block as events; promises that what a handler records is done with
 * its answer or not at all; refuses a message that enters while its own chain holds the block; never settles anything.
 */
import {
  type DispatchContext, type HookEvent, type InStream, type Json, type Mesh, nodeError, type Outcome, parseJson, type RouteInfo,
  type RoutePolicy, type Workload, type WorkloadHost, type WorkloadMessage, emptyTrace, isFault, parseTraceparent,
} from "@atoll-run/core";
import { failureReply, incomingTrace } from "./bridges/mesh.ts";
import { ANY_KIND } from "./bus/dispatcher.ts";
import { eventOrigin, toStreamMeta, toMeta } from "./bus/sender.ts";
import type { EventOrigin } from "./bus/origin.ts";
import type { BlockRun } from "./config.ts";
import type { CallTrace } from "./observe/spans.ts";
import { blockError } from "./errors.ts";
import { MESH_ROUTE, nodeMesh } from "./mesh/node-mesh.ts";
import { encode, toOutcome } from "./outcome.ts";
import { feed } from "./stream-events.ts";

/** Timers of one deadline, set one after the other, ring so far apart at most. */
const CLOCKS_APART_MS = 10;

/** How messages of one route are handled. */
export interface BlockRoute extends RoutePolicy {
  /** What the handler gets as payload: a value, or the body as a string. Default `json`. */
  readonly codec?: "json" | "text" | "bytes";
}

export interface BlockWorkloadOptions {
  /** By route key; a block takes every route that one of its handlers knows. */
  readonly routes?: Readonly<Record<string, BlockRoute>>;
  /** Messages it takes at once; default 1. Above 1, what a chain sends back to the block waits like all others. */
  readonly concurrency?: number;
}

/** Starts the block when the node starts; what it asks peers goes by that mesh. */
export type StartRun = (mesh: Mesh) => BlockRun;

/**
 * A run stays its caller's, who also gave it its mesh; a function is called when the node starts, and its run ends with
 * the node.
 */
export function toWorkload(given: BlockRun | StartRun, o: BlockWorkloadOptions = {}): Workload {
  const { routes = {}, concurrency = 1 } = o;
  let run = typeof given === "function" ? undefined : given;
  let closing = false;
  let active = 0;
  const live = (): Live => {
    if (run === undefined) throw nodeError("node.wrong_state", "the block has not started");
    return { run, originOf: (context) => eventOrigin(context, { speaks: typeof given === "function" }) };
  };
  return {
    kind: "block", concurrency,
    route: (route) => run !== undefined && kindOf(run, route) === undefined ? undefined : toInfo(routes[route]),
    start: async (host, { signal }) => {
      const started = run ??= (given as StartRun)(nodeMesh(host.self, host.speaker));
      await begun(started, signal);
      watch(started, host, () => closing);
    },
    dispatch: async (message, context) => {
      // The node lets in more than it may only what belongs to the chain that holds the block.
      if (active > 0 && concurrency === 1) return reentrant();
      active++;
      try {
        return await dispatch(live(), message, { context, codec: routes[message.route]?.codec ?? "json" });
      } finally {
        active--;
      }
    },
    stream: (stream, context) => streamOf(live(), stream, context),
    hook: (event, context) => hook(live(), event, context),
    close: async ({ signal }) => {
      closing = true;
      if (typeof given === "function" && run !== undefined) await end(run, signal);
    },
  };
}

interface Live {
  readonly run: BlockRun;
  readonly originOf: (context: DispatchContext) => EventOrigin;
}

/** The event that a message of that route becomes; undefined: nobody handles it. */
function kindOf(run: BlockRun, route: string): string | undefined {
  const any = run.handles(ANY_KIND);
  if (route === MESH_ROUTE) return any || run.handles("mesh") ? "mesh" : undefined;
  if (run.handles(route)) return route;
  if (run.handles("mesh")) return "mesh";
  return any ? route : undefined;
}

function toInfo(route: BlockRoute | undefined): RouteInfo {
  const { codec: _, ...policy } = route ?? {};
  return { policy };
}

/** Waits until the script takes events; it has registered its handlers by then. */
async function begun(run: BlockRun, signal: AbortSignal): Promise<void> {
  const stop = (): void => run.cancel(signal.reason);
  signal.addEventListener("abort", stop, { once: true });
  try {
    await run.serves;
  } catch (cause) {
    throw isFault(cause) && isFault(cause.cause) ? cause.cause : cause;
  } finally {
    signal.removeEventListener("abort", stop);
  }
}

/** A block that ends while its node runs has died, however well it ended. */
function watch(run: BlockRun, host: WorkloadHost, closing: () => boolean): void {
  const over = (cause: unknown, facts: { readonly exit_code?: number } = {}): void => {
    if (closing()) return;
    host.died(isFault(cause) ? cause : blockError("bus.closed", "the script has ended and takes no more events", { cause, facts }));
  };
  run.result.then(({ exit_code }) => over(undefined, { exit_code }), over);
}

async function end(run: BlockRun, signal: AbortSignal): Promise<void> {
  const stop = (): void => run.cancel(signal.reason);
  signal.addEventListener("abort", stop, { once: true });
  try {
    await run.stop("the node closes").catch(() => undefined);
  } finally {
    signal.removeEventListener("abort", stop);
  }
}

function reentrant(): Outcome {
  const text = "the block handles a message of this chain already, and one at a time";
  return { is: "failed", fault: nodeError("node.unavailable", text, { retry: "never" }) };
}

async function dispatch(
  { run, originOf }: Live, message: WorkloadMessage, o: { readonly context: DispatchContext; readonly codec: string },
): Promise<Outcome> {
  const { context } = o;
  const kind = kindOf(run, message.route);
  if (kind === undefined) return { is: "failed", fault: nodeError("node.unknown_route", `no handler for ${message.route}`) };
  const read = readPayload(message.payload, o.codec);
  if (!read.ok) return { is: "failed", fault: nodeError("node.decode_failure", `the payload is not JSON: ${read.problem}`) };
  try {
    const { payload, raw } = read;
    const reply = await run.request(kind, payload, {
      id: message.id, meta: toMeta(message, context), signal: context.signal, ...bound(context),
      origin: { ...originOf(context), ...message.about === undefined ? {} : { about: message.about } }, ...raw === undefined ? {} : { raw }, ...traceOf(message, payload),
    });
    return { is: "done", reply: encode(reply), content_type: "application/json" };
  } catch (error) {
    if (isLate(error, context)) return { is: "failed", fault: nodeError("node.timed_out", "the time of the message is over") };
    if (message.route === MESH_ROUTE && isAnswer(error)) return { is: "done", reply: encode(failureReply(error)) };
    const outcome = toOutcome(error);
    return outcome.is === "failed" && run.over ? { ...outcome, died: true } : outcome;
  }
}

/**
 * Its own bound has ended it, a hair before the node does: the block must not have the last word then, since what a handler fails
 * with is remembered as the answer, and being late is not.
 */
function isLate(error: unknown, context: DispatchContext): boolean {
  return isFault(error) && error.code === "bus.timeout" && context.remainingMs() <= CLOCKS_APART_MS;
}

/** No room yet, and an approval that is waited for, are no answer to a peer. */
function isAnswer(error: unknown): boolean {
  return !isFault(error) || error.code !== "bus.overloaded" && error.facts["park"] === undefined;
}

type Read =
  | { readonly ok: true; readonly payload: Json; readonly raw?: Uint8Array }
  | { readonly ok: false; readonly problem: string };

function readPayload(bytes: Uint8Array, codec: string): Read {
  if (codec === "bytes") return { ok: true, payload: null, raw: bytes };
  if (bytes.length === 0) return { ok: true, payload: codec === "text" ? "" : null };
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return { ok: false, problem: "it is not UTF-8" };
  }
  if (codec === "text") return { ok: true, payload: text };
  const parsed = parseJson(text, { floats: true });
  return parsed.ok ? { ok: true, payload: parsed.value } : { ok: false, problem: parsed.problem };
}

/** Where the end may move the signal is the only bound. */
function bound(context: DispatchContext): { deadlineMs?: number } {
  if (context.movable === true) return {};
  const leftMs = context.remainingMs();
  return Number.isFinite(leftMs) ? { deadlineMs: leftMs } : {};
}

/** What the payload of another block says about its asker, within the trace of the message. */
function traceOf({ traceparent }: { readonly traceparent?: string }, payload: Json): { trace?: CallTrace } {
  const w3c = traceparent === undefined ? undefined : parseTraceparent(traceparent);
  const asker = incomingTrace(payload);
  if (w3c === undefined) return asker === undefined ? {} : { trace: asker };
  const trace = { ...asker ?? emptyTrace(), trace_id: w3c.trace_id, span_id: w3c.span_id };
  // One that nobody takes stays so for all who are asked.
  return { trace: w3c.sampled ? trace : { ...trace, span: w3c } };
}

function streamOf({ run, originOf }: Live, stream: InStream, context: DispatchContext): Promise<void> | undefined {
  const kind = `stream:${stream.name}`;
  if (!run.handles(kind)) return undefined;
  const about = { id: stream.id, meta: toStreamMeta(stream, context), signal: context.signal, origin: originOf(context), ...traceOf(context, null) };
  return feed(stream, (payload, raw) => run.request(kind, payload, { ...about, ...raw === undefined ? {} : { raw } }));
}

function hook({ run, originOf }: Live, event: HookEvent, context: DispatchContext): Promise<void> | undefined {
  const kind = `hook:${event.name}`;
  if (!run.handles(kind)) return undefined;
  const { seq, at_ms, fact } = event;
  return run.request(kind, { ...fact, seq, at_ms }, {
    id: `hook-${seq}`, signal: context.signal, origin: originOf(context), ...bound(context), ...traceOf(context, null),
  }).then(() => undefined);
}
