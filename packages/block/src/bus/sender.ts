/** Who sent an event, as its handler is told, and what it may do on the sender's behalf. */
import {
  type DispatchContext, formatNodeId, type InStream, type Json, type Principal, type WorkloadMessage, type Write,
} from "@atoll-run/core";
import { requestBy } from "../mesh/node-mesh.ts";
import type { EventOrigin } from "./origin.ts";

export function toMeta(message: WorkloadMessage, context: DispatchContext): Json {
  const { kind, caller, route, attempt, redelivered, traceparent = null, tracestate = null, metadata } = message;
  return {
    ...peerOf(caller), route, kind, deadline_ms: leftMs(context), attempt, redelivered, traceparent, tracestate,
    metadata: Object.fromEntries(metadata.map(({ key, value }) => [key, value])), ...message.about,
  };
}

export function toStreamMeta(stream: InStream, context: DispatchContext): Json {
  const { peer, name, mode } = stream;
  return { ...peerOf(peer), stream: name, mode, kind: "stream", deadline_ms: leftMs(context) };
}

/** Null: no bound. */
function leftMs(context: DispatchContext): number | null {
  const left = context.remainingMs();
  return Number.isFinite(left) ? Math.round(left) : null;
}

function peerOf(caller: Principal): { from: string | null; proof: string | null } {
  if (caller.kind === "local") return { from: null, proof: null };
  return { from: formatNodeId(caller.id), proof: caller.proof };
}

/** `speaks`: the block's mesh is its node. */
export function eventOrigin(context: DispatchContext, o: { readonly speaks: boolean }): EventOrigin {
  const record = (write: Write): void => context.record([write]);
  return {
    ...o.speaks ? { request: requestBy(context) } : {},
    tx: {
      set: (space, key, value) => record({ write: "set", space, key, value }),
      delete: (space, key) => record({ write: "delete", space, key }),
      tell: (to, route, payload) => record({
        write: "tell", to, route, payload: new TextEncoder().encode(payload), content_type: "application/json",
      }),
      get: async (space, key) => (await context.read(space, key)).value,
    },
  };
}
