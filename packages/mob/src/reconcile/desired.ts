/** Who is wanted, by the definition and by the list last given (spec: mob 4.1). Pure. */
import { isDeepStrictEqual } from "node:util";
import type { NewEntry } from "../ledger/entry.ts";
import type { MemberSpec } from "../definition/definition.ts";
import { toPartsOf } from "../definition/parts.ts";
import { mobError } from "../errors.ts";
import type { MemberRow } from "../member/row.ts";

export interface Desired {
  readonly specs: readonly MemberSpec[];
  origin(id: string): MemberRow["origin"];
}

/** Equal duplicates are one; unequal ones throw `mob.desired_conflict` with all ids. */
export function mergeDesired(definition: readonly MemberSpec[], list: readonly MemberSpec[]): Desired {
  const byId = new Map<string, MemberSpec>();
  const conflicts = new Set<string>();
  for (const spec of [...definition, ...list]) {
    const known = byId.get(spec.id);
    if (known === undefined) byId.set(spec.id, spec);
    else if (!isDeepStrictEqual(known, spec)) conflicts.add(spec.id);
  }
  if (conflicts.size > 0) {
    const ids = [...conflicts].sort();
    throw mobError("mob.desired_conflict", `${ids.join(", ")} ${ids.length === 1 ? "is" : "are"} wanted in two ways`, {
      facts: { ids }, hint: "Give each member once, or the same each time.",
    });
  }
  const defined = new Set(definition.map(({ id }) => id));
  return { specs: [...byId.values()], origin: (id) => defined.has(id) ? "definition" : "desired" };
}

/** For one commit: the list may be longer than one entry. */
export function desiredSet(list: readonly MemberSpec[], principal: string): readonly NewEntry[] {
  const parts = toPartsOf(list);
  return parts.map((desired, part) => ({
    kind: "desired_set", source: "api", principal, data: { desired: desired as never, part, parts: parts.length },
  }));
}
