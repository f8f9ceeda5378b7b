/**
 * What one pass is to do (spec: mob 4.2, 4.3).
 *
 * takes a definition, a list and the roster; gives a row for each member and edge; promises that edges are planned as if
 * its members had come and gone already; refuses a pass that would retire too many; never changes anything itself.
 */
import type { MemberSpec, MobDefinition } from "../definition/definition.ts";
import type { Definitions } from "../definition/definitions.ts";
import { keyOf, planEdges, unfoldEdges, type Edge, type EdgePlanRow } from "../edges/plan.ts";
import { mobError } from "../errors.ts";
import type { MobLimits } from "../limits.ts";
import { FINAL_STATES } from "../member/life.ts";
import type { View } from "../roster/view.ts";
import { mergeDesired, type Desired } from "./desired.ts";
import { planMembers, retireGuard, type MemberPlanRow } from "./plan.ts";

export interface PassPlan {
  readonly desired: Desired;
  readonly members: readonly MemberPlanRow[];
  readonly edges: readonly EdgePlanRow[];
  readonly wanted: ReadonlyMap<string, Edge>;
}

export interface Planning {
  readonly definition: MobDefinition;
  readonly list: readonly MemberSpec[];
  readonly retireStale: boolean;
  /** Members are left as they are. */
  readonly edgesAlone: boolean;
}

export interface PlanningOn {
  readonly view: Pick<View, "members" | "edges">;
  readonly hashOf: Definitions["hashOf"];
  readonly limits: Pick<MobLimits, "edgesPerMember">;
}

export function planPass({ view, hashOf, limits }: PlanningOn, { definition, list, retireStale, edgesAlone }: Planning): PassPlan {
  const desired = mergeDesired(definition.members, list);
  const now = [...view.members.values()].map(({ spec, spec_hash, life, held, origin }) => ({ spec, spec_hash, state: life.state, held, origin }));
  const members = edgesAlone ? [] : planMembers({ desired: desired.specs, now, retireStale, hashOf: (spec) => hashOf(spec, definition) });
  const present = presentIn(view);
  for (const { id, bucket } of members) {
    if (bucket === "spawned") present.add(id);
    else if (bucket === "retired") present.delete(id);
  }
  const wanted = unfoldEdges(definition.edges, desired.specs, limits.edgesPerMember);
  return {
    desired, members, wanted: new Map(wanted.map((edge) => [keyOf(edge), edge])),
    edges: planEdges({ desired: wanted, now: [...view.edges.values()], present }),
  };
}

/** Throws `mob.retire_guard`. */
export function guardRetires({ desired, members }: PassPlan): void {
  const retiring = members.filter(({ bucket }) => bucket === "retired").length;
  const most = retireGuard(desired.specs.length);
  if (retiring <= most) return;
  throw mobError("mob.retire_guard", `the pass would retire ${retiring} members, more than ${most}`, {
    facts: { retiring, limit: most }, hint: "Look at the plan; if it is what you want, say `force`.",
  });
}

/** Who is there and not final: of all, or of the two ends. */
export function presentIn({ members }: Pick<View, "members">, edge?: Edge): Set<string> {
  const ids = edge === undefined ? [...members.keys()] : [edge.a, edge.b];
  return new Set(ids.filter((id) => !FINAL_STATES.includes(members.get(id)?.life.state ?? "none")));
}
