/** Spans of what a node asks of others: call, tell, discover, stream (spec: node 11.1, 11.2). */
import { formatNodeId, isFault, type NodeId } from "@atoll-run/core";
import type { Plan } from "../gate/ask.ts";
import type { Delivered } from "../gate/delivered.ts";
import type { Discovery, Self } from "../gate/outbound-parts.ts";
import type { CallScope } from "../gate/outbound.ts";
import type { OpenSpan, Tracer } from "./tracer.ts";

export interface AskSpansParts {
  readonly tracer: Tracer;
  readonly self: () => Self;
}

export class AskSpans {
  readonly #parts: AskSpansParts;

  constructor(parts: AskSpansParts) {
    this.#parts = parts;
  }

  /** The ask as a part of what its handler does, or of the span that is open in the program. */
  async ask(plan: Plan, scope: CallScope | undefined, deliver: (traced: Plan) => Promise<Delivered>): Promise<Delivered> {
    const { kind, to: peer, route, requestId: request_id, ask: { traceparent: parent } } = plan;
    const span = this.#parts.tracer.begin(kind, {
      facts: { node: this.#self(), peer, route, request_id }, parent, around: around(parent, scope),
    });
    try {
      const delivered = await span.run(() => deliver({ ...plan, traceparent: span.traceparent ?? plan.traceparent }));
      span.end(delivered.is, delivered.is === "failed" ? delivered.fault.code : undefined);
      return delivered;
    } catch (error) {
      span.end("failed", codeOf(error));
      throw error;
    }
  }

  /** The same discovery, told of. */
  discovery(discovery: Discovery): Discovery {
    return {
      candidates: async (type, o = {}) => {
        const span = this.#parts.tracer.begin("discover", { facts: { node: this.#self(), peer: type }, around: o.traceparent ?? "" });
        try {
          const found = await span.run(() => discovery.candidates(type, o));
          span.end(found.length === 0 ? "nobody" : "found");
          return found;
        } catch (error) {
          span.end("failed", codeOf(error));
          throw error;
        }
      },
      failed: (type, id) => discovery.failed?.(type, id),
    };
  }

  /** Ended by whoever opens the stream, when that is over. */
  stream(to: NodeId | "self", route: string, scope: CallScope | undefined): OpenSpan {
    const peer = to === "self" ? to : formatNodeId(to);
    return this.#parts.tracer.begin("stream", {
      facts: { node: this.#self(), peer, route, kind: "write" }, around: around(undefined, scope),
    });
  }

  #self(): string {
    const { name, id } = this.#parts.self();
    return id === undefined ? name : formatNodeId(id);
  }
}

/** A host that asks for itself begins a trace, unless it has a span open: that is looked for around an empty one. */
function around(parent: string | undefined, scope: CallScope | undefined): string | undefined {
  return parent === undefined ? scope?.traceparent ?? "" : undefined;
}

export function codeOf(error: unknown): string {
  return isFault(error) ? error.code : "error";
}
