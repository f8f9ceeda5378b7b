/** Whether the mob takes work, and what is wrong when it does not, or not all of it (spec: mob 2.3, 11.6). Pure. */
import { countMembers } from "../roster/query.ts";
import type { Served } from "./method.ts";

export interface Readiness {
  readonly ready: boolean;
  /** Why it takes no work: empty while it is ready. */
  readonly reasons: readonly ("shutting_down" | "storage_degraded")[];
  /** What does not stop it. */
  readonly degraded: readonly "member_broken"[];
}

export function readinessOf({ lifecycle, commits, view }: Pick<Served, "lifecycle" | "commits" | "view">): Readiness {
  const { broken = 0 } = countMembers(view);
  const reasons: Readiness["reasons"][number][] = [];
  if (lifecycle.stopping()) reasons.push("shutting_down");
  if (commits.failing !== undefined) reasons.push("storage_degraded");
  return { ready: reasons.length === 0, reasons, degraded: broken > 0 ? ["member_broken"] : [] };
}
