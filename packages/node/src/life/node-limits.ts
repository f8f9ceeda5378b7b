/** Limits that whoever composes a node may set, room by room (spec: node 10, 12). */
import { NODE_LIMITS, type LimitsOf } from "../limits.ts";

type Rooms = typeof NODE_LIMITS;

export type NodeLimitsSet = { readonly [Room in keyof Rooms]?: Partial<LimitsOf<Room>> };
export type NodeLimits = { readonly [Room in keyof Rooms]: LimitsOf<Room> };

/** The defaults with what is set. */
export function nodeLimits(set: NodeLimitsSet = {}): NodeLimits {
  const rooms = Object.entries(NODE_LIMITS).map(([room, limits]) => [room, { ...limits, ...set[room as keyof Rooms] }]);
  return Object.fromEntries(rooms) as NodeLimits;
}
