/** Pages of what a view has (spec: mob 11.5). Pure; sorted, so that `after` is the last one of the page before. */
import type { Approval, ApprovalState } from "../approvals/approval.ts";
import { keyOf, toEdge, type EdgeNow, type EdgeOwner } from "../edges/plan.ts";
import type { Run, RunState } from "../flows/run.ts";
import { MOB_LIMITS } from "../limits.ts";
import type { MemberRow, MemberState } from "../member/row.ts";
import type { Turn, TurnState } from "../member/turn.ts";
import { labelsOf, type MemberView } from "./row.ts";
import type { View } from "./view.ts";

export interface Paging {
  readonly after?: string | undefined;
  /** Default 256, at most 1,000. */
  readonly limit?: number | undefined;
  /** Members of whom there is something for whoever asks; default: all. */
  readonly only?: ((member: string) => boolean) | undefined;
}

export interface MemberQuery extends Paging {
  readonly state?: MemberState | undefined;
  readonly profile?: string | undefined;
  /** `name`, or `name=value`. */
  readonly label?: string | undefined;
  /** Those wired to that member. */
  readonly edge?: string | undefined;
  /** Part of the id or of the shown name, in any case. */
  readonly q?: string | undefined;
}

export interface MemberPage {
  readonly members: readonly MemberRow[];
  readonly revision: number;
  readonly next?: string;
}

/** By id. */
export function listMembers(view: View, query: MemberQuery = {}): MemberPage {
  const { edge, only = () => true } = query;
  const ids = edge === undefined ? view.ids() : view.wiredTo(edge);
  const matches = toMatch(query, view);
  const { rows, next } = page(ids, (id) => id, { ...query, where: (id) => {
    const member = view.members.get(id);
    return member !== undefined && only(id) && matches(member);
  } });
  return { members: rows.map((id) => view.row(id) as MemberRow), revision: view.revision, ...next === undefined ? {} : { next } };
}

/** State → how many. */
export function countMembers(view: View, only: (member: string) => boolean = () => true): Readonly<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const [id, { life: { state } }] of view.members) if (only(id)) counts[state] = (counts[state] ?? 0) + 1;
  return counts;
}

export interface EdgePage {
  readonly edges: readonly EdgeNow[];
  readonly revision: number;
  readonly next?: string;
}

/** By `a/b`. */
export function listEdges(
  view: View, query: Paging & { readonly member?: string | undefined; readonly owner?: EdgeOwner | undefined } = {},
): EdgePage {
  const { member, owner, only = () => true } = query;
  const all = member === undefined ? [...view.edges.values()] : view.wiredTo(member).map((other) => view.edges.get(keyOf(toEdge(member, other))));
  const edges = all.filter((edge): edge is EdgeNow => edge !== undefined && only(edge.a) && only(edge.b) && (owner === undefined || edge.owner === owner));
  const { rows, next } = page(edges.sort((x, y) => compare(keyOf(x), keyOf(y))), keyOf, query);
  return { edges: rows, revision: view.revision, ...next === undefined ? {} : { next } };
}

export interface TurnQuery extends Paging {
  readonly member?: string | undefined;
  readonly state?: TurnState | undefined;
  readonly run_id?: string | undefined;
}

/** By id: the oldest first. Of those that are over the newest are kept. */
export function listTurns(view: View, { member, state, run_id, ...paging }: TurnQuery = {}): { readonly turns: readonly Turn[]; readonly next?: string } {
  const { only = () => true } = paging;
  const turns = [...view.turns.values()].filter((turn) => only(turn.member) && (member === undefined || turn.member === member)
    && (state === undefined || turn.state === state) && (run_id === undefined || turn.run_id === run_id));
  const { rows, next } = page(turns.sort((x, y) => compare(x.turn_id, y.turn_id)), ({ turn_id }) => turn_id, paging);
  return { turns: rows, ...next === undefined ? {} : { next } };
}

export interface ApprovalQuery extends Paging {
  readonly state?: ApprovalState | undefined;
  readonly member?: string | undefined;
}

/** By id: the oldest first. */
export function listApprovals(
  view: View, { state, member, ...paging }: ApprovalQuery = {},
): { readonly approvals: readonly Approval[]; readonly next?: string } {
  const { only = () => true } = paging;
  const found = [...view.approvals.values()].filter((one) => only(one.member) && (state === undefined || one.state === state) && (member === undefined || one.member === member));
  const { rows, next } = page(found.sort((x, y) => compare(x.id, y.id)), ({ id }) => id, paging);
  return { approvals: rows, ...next === undefined ? {} : { next } };
}

export interface RunQuery extends Paging {
  readonly flow?: string | undefined;
  readonly state?: RunState | undefined;
  /** `name`, or `name=value`. */
  readonly label?: string | undefined;
}

/** By id. */
export function listRuns(view: View, { flow, state, label, ...paging }: RunQuery = {}): { readonly runs: readonly Run[]; readonly next?: string } {
  const found = [...view.runs.values()].filter((run) => (flow === undefined || run.flow === flow) && (state === undefined || run.state === state)
    && (label === undefined || isLabelled(view.labels.get(run.run_id) ?? {}, label)));
  const { rows, next } = page(found.sort((x, y) => compare(x.run_id, y.run_id)), ({ run_id }) => run_id, paging);
  return { runs: rows, ...next === undefined ? {} : { next } };
}

function toMatch({ state, profile, label, q }: MemberQuery, view: View): (member: MemberView) => boolean {
  const wanted = q?.toLowerCase();
  return ({ spec, life }) => (state === undefined || life.state === state) && (profile === undefined || spec.profile === profile)
    && (label === undefined || isLabelled(labelsOf(view, spec), label))
    && (wanted === undefined || spec.id.toLowerCase().includes(wanted) || spec.display_name?.toLowerCase().includes(wanted) === true);
}

/** `name`, or `name=value`. */
function isLabelled(labels: Readonly<Record<string, string>>, label: string): boolean {
  const [name = "", ...value] = label.split("=");
  return value.length === 0 ? Object.hasOwn(labels, name) : labels[name] === value.join("=");
}

function page<T>(
  sorted: readonly T[], keyOfRow: (row: T) => string, { after, limit, where = () => true }: Paging & { readonly where?: (row: T) => boolean },
): { readonly rows: readonly T[]; readonly next?: string } {
  const most = Math.min(limit ?? MOB_LIMITS.queryDefault, MOB_LIMITS.queryMax);
  const rows: T[] = [];
  for (let at = after === undefined ? 0 : firstAbove(sorted, keyOfRow, after); at < sorted.length; at++) {
    const row = sorted[at] as T;
    if (!where(row)) continue;
    if (rows.length === most) return most === 0 ? { rows } : { rows, next: keyOfRow(rows[most - 1] as T) };
    rows.push(row);
  }
  return { rows };
}

function firstAbove<T>(sorted: readonly T[], keyOfRow: (row: T) => string, after: string): number {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = low + high >> 1;
    if (keyOfRow(sorted[middle] as T) <= after) low = middle + 1;
    else high = middle;
  }
  return low;
}

function compare(x: string, y: string): number {
  return x < y ? -1 : x > y ? 1 : 0;
}
