/**
 * Who is to be wired with whom (spec: mob 4.3).
 * takes desired edges, the roster and what is wired; gives one row for each edge; promises that a second pass changes
 * nothing and that what somebody else has wired is never touched; refuses nothing; never wires anything itself.
 */
import { mobError } from "../errors.ts";

export type EdgeOwner = "managed" | "manual" | "peer";

/** `a < b`. */
export interface Edge {
  readonly a: string;
  readonly b: string;
}

export interface EdgeNow extends Edge {
  readonly wired: boolean;
  /** Absent: nobody says it is his. */
  readonly owner?: EdgeOwner;
  /** An operator has taken it away and wants it to stay so. */
  readonly suppressed?: boolean;
}

export const EDGE_BUCKETS = [
  "wired_edges", "retained_edges", "unwired_edges", "preexisting_edges", "skipped_missing_members", "suppressed_edges",
  "pruned_stale_managed_edges",
] as const;
export type EdgeBucket = typeof EDGE_BUCKETS[number];

/** What is done; null: nothing. `claim`: wire, then own. */
export type EdgeDeed = "claim" | "heal" | "disown" | "unwire" | null;

export interface EdgePlanRow extends Edge {
  readonly bucket: EdgeBucket;
  readonly deed: EdgeDeed;
}

export interface EdgePlanInput {
  readonly desired: readonly Edge[];
  readonly now: readonly EdgeNow[];
  /** Members that are there and not final. */
  readonly present: ReadonlySet<string>;
}

/** Sorted by `a`, then `b`. */
export function planEdges({ desired, now, present }: EdgePlanInput): readonly EdgePlanRow[] {
  const wanted = new Map(desired.map((edge) => [keyOf(edge), edge]));
  const known = new Map(now.map((edge) => [keyOf(edge), edge]));
  const rows: EdgePlanRow[] = [];
  for (const [key, { a, b }] of wanted) rows.push({ a, b, ...whenDesired(known.get(key), present.has(a) && present.has(b)) });
  for (const [key, edge] of known) {
    if (wanted.has(key) || edge.owner !== "managed") continue;
    const there = edge.wired && present.has(edge.a) && present.has(edge.b);
    rows.push({ a: edge.a, b: edge.b, ...there ? { bucket: "unwired_edges", deed: "unwire" } as const
      : { bucket: "pruned_stale_managed_edges", deed: "disown" } as const });
  }
  return rows.sort((x, y) => x.a < y.a ? -1 : x.a > y.a ? 1 : x.b < y.b ? -1 : 1);
}

function whenDesired(edge: EdgeNow | undefined, present: boolean): { readonly bucket: EdgeBucket; readonly deed: EdgeDeed } {
  if (!present) return { bucket: "skipped_missing_members", deed: null };
  if (edge?.suppressed === true) return { bucket: "suppressed_edges", deed: null };
  if (edge?.owner === "managed") {
    return edge.wired ? { bucket: "retained_edges", deed: null } : { bucket: "wired_edges", deed: "heal" };
  }
  if (edge?.wired === true) return { bucket: "preexisting_edges", deed: null };
  return { bucket: "wired_edges", deed: "claim" };
}

export interface Named {
  readonly id: string;
  readonly profile: string;
}

/**
 * Pairs of the definition, trimmed, `@name` as every member of the profile, each edge once, `a < b`. Throws `mob.overloaded` with the fact `row` when
 * somebody would have more than `most`.
 */
export function unfoldEdges(pairs: readonly (readonly [string, string])[], members: readonly Named[], most = Infinity): readonly Edge[] {
  const byProfile = Map.groupBy(members, ({ profile }) => profile);
  const of = (end: string): readonly string[] => (end.startsWith("@") ? byProfile.get(end.slice(1)) ?? [] : [{ id: end }]).map(({ id }) => id);
  const all = new Map<string, Edge>();
  const degrees = new Map<string, number>();
  const add = (edge: Edge, row: number): void => {
    const key = keyOf(edge);
    if (edge.a === edge.b || all.has(key)) return;
    all.set(key, edge);
    for (const id of [edge.a, edge.b]) {
      const degree = (degrees.get(id) ?? 0) + 1;
      if (degree > most) throw mobError("mob.overloaded", `${id} would have more than ${most} edges`, { facts: { member: id, limit: most, row }, retry: "never" });
      degrees.set(id, degree);
    }
  };
  const seen = new Set<string>();
  for (const [row, pair] of pairs.entries()) {
    const [left, right] = pair.map((end) => end.trim()).sort() as [string, string];
    // Said twice: it would be gone through twice.
    if (seen.has(`${left} ${right}`)) continue;
    seen.add(`${left} ${right}`);
    for (const x of of(left)) for (const y of of(right)) add(toEdge(x, y), row);
  }
  return [...all.values()];
}

export function toEdge(x: string, y: string): Edge {
  return x < y ? { a: x, b: y } : { a: y, b: x };
}

/** No id contains `/`. */
export function keyOf({ a, b }: Edge): string {
  return `${a}/${b}`;
}
