/** Opens streams to others (spec: node 6.10, 6.11). */
import { isFault, nodeError, onAbort, type Clock, type Fault, type Ids, type Link, type NodeId, type OutStream } from "@atoll-run/core";
import { newStreamId, writeChunk, type StreamOpen } from "@atoll-run/core/internal";
import { checkText, checkWhole, childTraceparent } from "../gate/ask.ts";
import type { Chance } from "../identity/chance.ts";
import type { StreamOpener } from "../gate/outbound-parts.ts";
import type { LimitsOf } from "../limits.ts";
import { codeOf, type AskSpans } from "../observe/ask-spans.ts";
import type { Figures } from "../observe/figures.ts";
import type { OpenSpan } from "../observe/tracer.ts";
import type { Peers } from "../transport/peers.ts";
import { controlChunk, dataLane, type Carrier } from "./carrier.ts";
import type { StreamTable } from "./stream-table.ts";
import { WritingStream } from "./writing-stream.ts";

export interface OpenerParts {
  readonly clock: Clock;
  readonly ids: Ids;
  readonly chance: Chance;
  readonly peers: () => Peers;
  readonly table: StreamTable;
  /** Undefined: nobody takes spans. */
  readonly spans?: AskSpans | undefined;
  readonly figures: Figures;
  readonly limits: LimitsOf<"streams">;
}

type OpenAsk = Parameters<StreamOpener["open"]>[2];

/** Bytes of a name, so that name and id fit together. */
const NAME_BYTES_MAX = 200;

/** Thrown to learn of the link without sending anything: a legacy peer is not told that a stream opens. */
class Legacy {
  readonly carrier: Carrier;

  constructor(carrier: Carrier) {
    this.carrier = carrier;
  }
}

export function createOpener(parts: OpenerParts): StreamOpener {
  return {
    open: async (to, name, o) => {
      checkText("name", name, NAME_BYTES_MAX);
      if (o.deadlineMs !== undefined) checkWhole("deadlineMs", o.deadlineMs);
      const leftMs = Math.min(o.deadlineMs ?? Infinity, Math.ceil(o.scope?.deadline.leftMs() ?? Infinity));
      const withinMs = Math.min(parts.limits.openMsMax, leftMs);
      const span = parts.spans?.stream(to, name, o.scope);
      try {
        const open = toOpen(parts, name, o, { leftMs, traceparent: span?.traceparent });
        const stream = to === "self" ? toSelf(parts, open) : await toPeer(parts, open, { to, withinMs, signal: o.signal });
        stream.whenOver(() => endSpan(span, stream));
        stream.deadlineAtMs = parts.clock.monotonic() + leftMs;
        return await accepted(parts, stream, { withinMs, signals: [o.signal, o.scope?.signal] });
      } catch (error) {
        span?.end("failed", codeOf(error));
        throw error;
      }
    },
  };
}

/** A stream that failed has aborted with its fault. */
function endSpan(span: OpenSpan | undefined, { signal }: WritingStream): void {
  if (signal.aborted) span?.end("reset", codeOf(signal.reason));
  else span?.end("done");
}

function toOpen(
  parts: OpenerParts, name: string, o: OpenAsk, { leftMs, traceparent }: { readonly leftMs: number; readonly traceparent: string | undefined },
): StreamOpen {
  const { limits, chance } = parts;
  const { scope } = o;
  return {
    name, mode: o.mode ?? "reliable", headers: o.headers ?? [],
    window_bytes: BigInt(limits.windowBytes), window_chunks: limits.windowChunks,
    traceparent: traceparent ?? childTraceparent(scope?.traceparent, chance),
    ...scope?.tracestate === undefined ? {} : { tracestate: scope.tracestate },
    ...leftMs === Infinity ? {} : { remaining_ms: Math.max(1, leftMs) },
    ...o.content_type === undefined ? {} : { content_type: o.content_type },
  };
}

function toSelf(parts: OpenerParts, open: StreamOpen): WritingStream {
  const { table } = parts;
  const stream = make(parts, newStreamId(parts.ids, open.name), open, table.toSelf);
  table.toSelf.send(dataLane(open.mode), controlChunk(stream.id, { open })).catch(() => undefined);
  return stream;
}

async function toPeer(parts: OpenerParts, open: StreamOpen, o: {
  readonly to: NodeId; readonly withinMs: number; readonly signal: AbortSignal | undefined;
}): Promise<WritingStream> {
  const { table, peers, ids } = parts;
  let stream: WritingStream | undefined;
  const body = (link: Link): Uint8Array => {
    const carrier = table.carrierOf(link);
    if (!carrier.aware) throw new Legacy(carrier);
    stream = make(parts, newStreamId(ids, open.name), open, carrier);
    return writeChunk(controlChunk(stream.id, { open }), { extensions: true });
  };
  try {
    await peers().send(o.to, dataLane(open.mode), body, { deadlineMs: o.withinMs, signal: o.signal });
  } catch (error) {
    // A legacy peer knows a stream by its id alone: the name is all that it can have been told.
    if (error instanceof Legacy) return make(parts, open.name, open, error.carrier);
    const fault = toFault(error);
    stream?.fail(fault, false);
    throw fault;
  }
  if (stream === undefined) throw nodeError("node.internal", "the peers have sent a stream without opening it");
  return stream;
}

/** Throws over the caps, and when that id is taken. */
function make({ table, clock, limits, figures }: OpenerParts, id: string, open: StreamOpen, carrier: Carrier): WritingStream {
  if (table.reserve(carrier.peer).writing.has(id)) {
    throw nodeError("node.invalid_argument", `a stream ${id} to that node is open already`);
  }
  const stream = new WritingStream({
    id, open, carrier, limits, creditWait: figures.creditWait, nowMs: () => clock.monotonic(), over: (one) => table.closed(carrier.peer, one),
  });
  table.opened(carrier.peer, stream);
  return stream;
}

/** Waits until the reader has accepted it. Later an abort resets it. */
async function accepted(parts: OpenerParts, stream: WritingStream, o: {
  readonly withinMs: number; readonly signals: readonly (AbortSignal | undefined)[];
}): Promise<OutStream> {
  const listening = o.signals.map((signal) => onAbort(signal, (cause) => {
    stream.fail(nodeError("node.cancelled", `the stream ${stream.name} was cancelled`, { cause }), true);
  }));
  const timer = parts.clock.after(Math.max(0, o.withinMs), () => {
    stream.fail(nodeError("node.timed_out", `the stream ${stream.name} was not accepted within ${o.withinMs} ms`), true);
  });
  stream.whenOver(() => {
    for (const one of listening) one[Symbol.dispose]();
  });
  try {
    await stream.opened;
  } finally {
    timer[Symbol.dispose]();
  }
  return stream;
}

function toFault(error: unknown): Fault {
  if (!isFault(error)) return nodeError("node.internal", "the stream cannot be opened", { cause: error });
  if (!error.code.startsWith("codec.")) return error;
  return nodeError("node.invalid_argument", `the stream cannot be opened: ${error.message}`, { facts: { ...error.facts } });
}
