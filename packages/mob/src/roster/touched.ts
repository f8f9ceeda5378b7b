/** Whose rows an entry may change (spec: mob 3.4): one too many rather than one too few. Pure. */
import type { Entry } from "../ledger/entry.ts";

/** Of agents; what else they tell stands in no row. */
const SPENT: ReadonlySet<Entry["kind"]> = new Set<Entry["kind"]>(["turn_completed", "tool_execution_started"]);
/** Profiles stand behind the rows, rules behind who sees them. */
const OF_ALL: ReadonlySet<Entry["kind"]> = new Set<Entry["kind"]>(["definition_applied", "access_changed"]);
const TAKEN_AWAY: ReadonlySet<Entry["kind"]> = new Set<Entry["kind"]>(["member_deleted", "member_spawn_failed"]);

/** None for what changes all of them: see {@link changesAllRows}. */
export function touchedBy({ kind, class: of, member, session, data: { a, b } }: Entry): readonly string[] {
  if (isEdge(kind)) return [a, b].filter((end) => typeof end === "string");
  if (member === undefined) return [];
  const touches = of === "turn" || kind.startsWith("member_") || SPENT.has(kind) || kind === "note" && session !== undefined;
  return touches ? [member] : [];
}

export function isEdge(kind: Entry["kind"]): boolean {
  return kind.startsWith("members_") || kind.startsWith("edge_");
}

export function changesAllRows({ kind }: Entry): boolean {
  return OF_ALL.has(kind);
}

/** Rules name members by profile, labels and who made them: after it, others may be seen than before, and not only this one. */
export function changesWhoIsSeen({ kind, data: { spec, generation = 1 } }: Entry): boolean {
  return TAKEN_AWAY.has(kind) || spec !== undefined && kind.startsWith("member_") && !(kind.startsWith("member_spawn") && generation === 1);
}
