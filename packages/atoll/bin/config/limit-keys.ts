/**
 * Keys of `[limits.ROOM]` (spec: node 10, 12): the limits of a node under their own names in snake case, numbers in the
 * unit that the name says.
 */
import { NODE_LIMITS } from "@atoll-run/node/internal";
import type { Key } from "./deployment-keys.ts";

/** Not for one node to decide: constants of the code, or of all nodes of a process. */
const FIXED: Readonly<Record<string, readonly string[]>> = {
  mailbox: ["stackMax", "keyBytesMax"],
  dispatch: ["chainDepthMax", "writesMax", "backoffMsMax", "backoffSpread", "outboxTtlMs"],
  life: ["rebuildMs", "rebuildMsMax", "deathsMax", "deathsWithinMs", "loopLookMs", "loopDelayMsMax"],
};

type Room = keyof typeof NODE_LIMITS;

/** Snake case → the name in `NODE_LIMITS`. */
const NAMES: Readonly<Record<string, ReadonlyMap<string, string>>> = Object.fromEntries(Object.entries(NODE_LIMITS).map(([room, limits]) =>
  [room, new Map(Object.keys(limits).filter((name) => FIXED[room]?.includes(name) !== true).map((name) => [toSnake(name), name]))]));

function toSnake(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

export const LIMIT_ROOMS: readonly string[] = Object.keys(NODE_LIMITS);

export function limitKeys(room: string): Readonly<Record<string, Key>> {
  return Object.fromEntries([...NAMES[room]?.keys() ?? []].map((name) => [name, { is: "number", min: 0 }] as const));
}

export type LimitsSet = { readonly [R in Room]?: Readonly<Record<string, number>> };

/** What a table sets, under the names of the code. */
export function toLimits(room: string, table: Readonly<Record<string, unknown>>): Readonly<Record<string, number>> {
  return Object.fromEntries(Object.entries(table).flatMap(([name, value]) =>
    typeof value === "number" ? [[NAMES[room]?.get(name) ?? name, value] as const] : []));
}
