/** Limits that whoever composes a node may set, room by room (spec: node 10, 12). */
import type { InboxLimitsSet } from "../dispatch/parts.ts";
import { NODE_LIMITS, type LimitsOf } from "../limits.ts";

type RoomsSet = "gate" | "streams" | "wire" | "transport";

export interface NodeLimitsSet extends InboxLimitsSet {
  readonly gate?: Partial<LimitsOf<"gate">>;
  readonly streams?: Partial<LimitsOf<"streams">>;
  readonly wire?: Partial<LimitsOf<"wire">>;
  readonly transport?: Partial<LimitsOf<"transport">>;
}

/** The defaults with what is set. */
export function nodeLimits(set: NodeLimitsSet = {}): { readonly [Room in RoomsSet]: LimitsOf<Room> } {
  return {
    gate: { ...NODE_LIMITS.gate, ...set.gate }, streams: { ...NODE_LIMITS.streams, ...set.streams },
    wire: { ...NODE_LIMITS.wire, ...set.wire }, transport: { ...NODE_LIMITS.transport, ...set.transport },
  };
}
