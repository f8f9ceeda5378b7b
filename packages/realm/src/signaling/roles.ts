/** Who offers when two nodes connect (spec: wire 9). Pure. */
import type { NodeId } from "@atoll-run/core";

export interface Side {
  readonly id: NodeId;
  /** It asked to answer. */
  readonly answers: boolean;
}

/** Whether the first of the two offers: exactly one that wants to answer decides it, else the larger id offers. */
export function offers(one: Side, other: Side): boolean {
  if (one.answers !== other.answers) return other.answers;
  return isLarger(one.id, other.id);
}

function isLarger(a: NodeId, b: NodeId): boolean {
  if (a.realm !== b.realm) return a.realm > b.realm;
  if (a.serial !== b.serial) return a.serial > b.serial;
  if (a.type.manufacturer !== b.type.manufacturer) return a.type.manufacturer > b.type.manufacturer;
  return a.type.name > b.type.name;
}
