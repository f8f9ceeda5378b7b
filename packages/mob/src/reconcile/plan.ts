/**
 * Who is to be there (spec: mob 4.2).
 * takes what is desired and the roster; gives one row for each member; promises that a second pass changes nothing and
 * that whoever an operator holds, or nobody here has defined, is left alone; refuses nothing; never spawns anybody itself.
 */
import { isDeepStrictEqual } from "node:util";
import type { MemberSpec } from "../definition/definition.ts";
import type { LifeState } from "../member/life.ts";
import type { MemberRow } from "../member/row.ts";

export const MEMBER_BUCKETS = [
  "spawned", "retained", "updated", "reloaded", "respawned", "repaired", "deferred", "held", "retired", "unmanaged",
] as const;
export type MemberBucket = typeof MEMBER_BUCKETS[number];

export interface MemberNow {
  readonly spec: MemberSpec;
  /** What it is made of; absent: it is not known, and taken for what it should be. */
  readonly spec_hash?: string | undefined;
  readonly state: LifeState;
  readonly held: boolean;
  readonly origin: MemberRow["origin"];
}

export interface MemberPlanRow {
  readonly id: string;
  readonly bucket: MemberBucket;
  /** What it is to be; absent where it is not desired. */
  readonly spec?: MemberSpec;
}

export interface MemberPlanInput {
  readonly desired: readonly MemberSpec[];
  readonly now: readonly MemberNow[];
  /** What a member would be made of if it started now. */
  readonly hashOf: (spec: MemberSpec) => string;
  /** False: whoever is not desired any more stays. */
  readonly retireStale: boolean;
}

const ABSENT: ReadonlySet<LifeState> = new Set<LifeState>(["none", "retired", "completed"]);
/** Changed in place; what its hash is made of is read again by a reload; a profile is another member. */
const IN_PLACE = ["labels", "context", "display_name", "external", "initial_message"] as const;

/** Sorted by id. */
export function planMembers({ desired, now, hashOf, retireStale }: MemberPlanInput): readonly MemberPlanRow[] {
  const known = new Map(now.map((member) => [member.spec.id, member]));
  const wanted = new Set(desired.map(({ id }) => id));
  const rows: MemberPlanRow[] = desired.map((spec) => ({ id: spec.id, bucket: whenDesired(spec, known.get(spec.id), hashOf), spec }));
  for (const [id, member] of known) {
    if (wanted.has(id) || ABSENT.has(member.state)) continue;
    const bucket = whenNotDesired(member, retireStale);
    if (bucket !== undefined) rows.push({ id, bucket });
  }
  return rows.sort((a, b) => (a.id < b.id ? -1 : 1));
}

function whenDesired(spec: MemberSpec, member: MemberNow | undefined, hashOf: MemberPlanInput["hashOf"]): MemberBucket {
  if (member?.held === true) return "held";
  if (member === undefined || ABSENT.has(member.state)) return "spawned";
  if (member.state === "retiring") return "deferred";
  if (member.spec.profile !== spec.profile) return "respawned";
  if (member.state === "broken") return "repaired";
  if (member.spec_hash !== undefined && member.spec_hash !== hashOf(spec)) return "reloaded";
  return differs(spec, member.spec, IN_PLACE) ? "updated" : "retained";
}

function whenNotDesired({ held, origin, state }: MemberNow, retireStale: boolean): MemberBucket | undefined {
  if (held) return "held";
  if (state === "retiring") return undefined;
  if (origin !== "definition" && origin !== "desired") return "unmanaged";
  return retireStale ? "retired" : "retained";
}

function differs(a: MemberSpec, b: MemberSpec, names: readonly (keyof MemberSpec)[]): boolean {
  return names.some((name) => !isDeepStrictEqual(a[name], b[name]));
}

/** How many members one pass may retire without `force`. */
export function retireGuard(desired: number): number {
  return Math.max(10, Math.floor(desired * 0.2));
}
