/** What a pass has done, or would do (spec: mob 4.6). */
import { EDGE_BUCKETS, keyOf, type EdgeBucket, type EdgePlanRow } from "../edges/plan.ts";
import { toFailure, type Failure } from "../errors.ts";
import { MEMBER_BUCKETS, type MemberBucket, type MemberPlanRow } from "./plan.ts";

export interface StageFailure {
  /** Member id, or `a/b`. */
  readonly id: string;
  /** What was tried: `spawn`, `retire`, `wire`, `wire (heal)`, `unwire` … */
  readonly stage: string;
  readonly error: Failure;
}

export type MemberReport = { readonly [bucket in MemberBucket]: readonly string[] } & { readonly failures: readonly StageFailure[] };
export type EdgeReport =
  { readonly [bucket in EdgeBucket]: readonly (readonly [string, string])[] } & { readonly failures: readonly StageFailure[] };

export interface RouteReport {
  readonly router_module_loaded: boolean;
  readonly active_members: readonly string[];
  readonly added_route_keys: readonly string[];
  readonly removed_route_keys: readonly string[];
}

export interface ReconcileReport {
  /** Of the roster when the pass was over; of the roster as it is, for a plan. */
  readonly revision: number;
  readonly dry_run: boolean;
  readonly members: MemberReport;
  readonly edges: EdgeReport;
  readonly routes: RouteReport;
  /** Nothing failed, and no wanted edge waits for a member. */
  readonly complete: boolean;
  readonly took_ms: number;
}

/** There is no router in this mob. */
const NO_ROUTES: RouteReport = { router_module_loaded: false, active_members: [], added_route_keys: [], removed_route_keys: [] };

export class Tally {
  readonly #members = new Map<MemberBucket, string[]>();
  readonly #edges = new Map<EdgeBucket, (readonly [string, string])[]>();
  readonly #failures = { members: [] as StageFailure[], edges: [] as StageFailure[] };

  member({ id, bucket }: MemberPlanRow): void {
    const ids = this.#members.get(bucket) ?? [];
    ids.push(id);
    this.#members.set(bucket, ids);
  }

  edge({ a, b, bucket }: EdgePlanRow): void {
    const edges = this.#edges.get(bucket) ?? [];
    edges.push([a, b]);
    this.#edges.set(bucket, edges);
  }

  failed(of: "members" | "edges", { id, stage, error }: { readonly id: string; readonly stage: string; readonly error: unknown }): void {
    this.#failures[of].push({ id, stage, error: toFailure(error) });
  }

  report({ revision, dry_run, took_ms }: Pick<ReconcileReport, "revision" | "dry_run" | "took_ms">): ReconcileReport {
    const { members, edges } = this.#failures;
    const byId = (x: StageFailure, y: StageFailure): number => (x.id < y.id ? -1 : 1);
    const filled = <B extends string, T>(buckets: readonly B[], found: Map<B, T[]>, key: (row: T) => string): { [bucket in B]: readonly T[] } =>
      Object.fromEntries(buckets.map((bucket) => [bucket, (found.get(bucket) ?? []).sort((x, y) => (key(x) < key(y) ? -1 : 1))])) as never;
    const skipped = this.#edges.get("skipped_missing_members") ?? [];
    return {
      revision, dry_run, took_ms, routes: NO_ROUTES,
      members: { ...filled(MEMBER_BUCKETS, this.#members, (id) => id), failures: members.sort(byId) },
      edges: { ...filled(EDGE_BUCKETS, this.#edges, ([a, b]) => keyOf({ a, b })), failures: edges.sort(byId) },
      complete: members.length + edges.length + skipped.length === 0,
    };
  }
}
