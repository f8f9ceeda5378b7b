/**
 * What somebody sees (spec: mob 11.10): of the ledger what is of members he may look at, and what is the mob's own if he may see that; of
 * rows, plans and the definition nothing of members that are not there for him. The rules of who may what are for who may see them.
 */
import type { MemberSpec, MobDefinition } from "../definition/definition.ts";
import type { Entry, Live } from "../ledger/entry.ts";
import type { MemberRow } from "../member/row.ts";
import type { ReconcileReport } from "../reconcile/report.ts";
import { isEdge } from "../roster/touched.ts";
import type { View } from "../roster/view.ts";
import type { Principal } from "./access.ts";
import type { Rights, Subject } from "./rights.ts";

/** Who looks. */
interface Looks {
  allows(action: string, member?: string | Subject): boolean;
}

const TEXTS: ReadonlySet<string> = new Set(["text", "reasoning", "partial"]);

export interface Sight {
  /** Those who have equal ones see the same. */
  readonly key: string;
  entry(entry: Entry): boolean;
  live(live: Live): boolean;
}

/** As the rules are now, and when it is used. */
export function sightOf(rights: Rights, who: Principal): Sight {
  const [ledger, member, access] = [rights.of(who, "ledger.view"), rights.of(who, "member.view"), rights.of(who, "access.admin").mob];
  const all = ledger.all && member.all;
  const sees = (of: string): boolean => ledger.on(of) && !member.denies(of);
  // What a session is made of, before it stands there.
  const session = rights.of(who, "session.read");
  return {
    key: `${access ? "" : "!"}${all ? "" : `${ledger.key}/${member.key}`}${session.all ? "" : `/${session.key}`}`,
    entry: (entry) => {
      if (entry.kind === "access_changed" && !access) return false;
      if (all) return true;
      const of = membersOf(entry);
      return of.length === 0 ? ledger.mob : of.every(sees);
    },
    live: ({ live, member: of }) => (all || (of === undefined ? ledger.mob : sees(of)))
      && (!TEXTS.has(live) || session.all || of !== undefined && session.on(of)),
  };
}

/** An edge is of both its ends. */
function membersOf({ member, kind, data: { a, b } }: Entry): readonly string[] {
  const ends = isEdge(kind) ? [a, b].filter((end) => typeof end === "string") : [];
  return member === undefined ? ends : [member, ...ends];
}

/** Members that whoever calls may look at. */
export function seenBy({ allows }: Looks): (member: string) => boolean {
  return (member) => allows("member.view", member);
}

/** Without neighbours that are not seen. */
export function shownRow(row: MemberRow, sees: (member: string) => boolean): MemberRow {
  return row.wired_to.every(sees) ? row : { ...row, wired_to: row.wired_to.filter(sees) };
}

/** Without members that are not seen, and without the rules of who may what. */
export function shownDefinition(given: MobDefinition, call: Looks): MobDefinition {
  const members = given.members.filter((spec) => call.allows("member.view", spec));
  const hidden = new Set(given.members.filter((spec) => !members.includes(spec)).map(({ id }) => id));
  return {
    ...given, access: call.allows("access.admin") ? given.access : null, members,
    edges: given.edges.filter((edge) => edge.every((end) => end.startsWith("@") || !hidden.has(end) && call.allows("member.view", end))),
  };
}

/** Those that are to be there are not seen either when they will not be. `desired`: besides those of the definition. */
export function shownReport(
  report: ReconcileReport, { definition, view }: { readonly definition: () => MobDefinition; readonly view: View }, { allows }: Looks, desired: readonly MemberSpec[] = [],
): ReconcileReport {
  const wanted = new Map([...definition().members, ...view.desired, ...desired].map((spec) => [spec.id, spec]));
  const sees = (id: string): boolean => allows("member.view", view.members.has(id) ? id : wanted.get(id) ?? id);
  const { members: { failures: failedMembers, ...members }, edges: { failures: failedEdges, ...edges }, routes } = report;
  const only = <B extends string, T>(buckets: { readonly [bucket in B]: readonly T[] }, shown: (one: T) => boolean) =>
    Object.fromEntries(Object.entries<readonly T[]>(buckets).map(([bucket, all]) => [bucket, all.filter(shown)])) as unknown as { readonly [bucket in B]: readonly T[] };
  return {
    ...report, routes: { ...routes, active_members: routes.active_members.filter(sees) },
    members: { ...only(members, sees), failures: failedMembers.filter(({ id }) => sees(id)) },
    edges: { ...only(edges, (ends) => ends.every(sees)), failures: failedEdges.filter(({ id }) => id.split("/").every(sees)) },
  };
}
