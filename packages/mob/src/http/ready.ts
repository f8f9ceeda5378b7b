/** Whether the mob takes work, and what is wrong when it does not, or not all of it (spec: mob 2.3, 11.6). Pure. */
import type { MobState } from "../roster/mob-fold.ts";
import type { Reason } from "../whole/health.ts";
import type { Served } from "./method.ts";

export interface Readiness {
  readonly ready: boolean;
  /** Why it takes no work: empty while it is ready. */
  readonly reasons: readonly (MobState | "shutting_down" | Reason["code"])[];
  /** What does not stop it. */
  readonly degraded: readonly Reason["code"][];
}

export function readinessOf({ lifecycle, health, view }: Pick<Served, "lifecycle" | "health" | "view">): Readiness {
  const all = [...new Set(health.reasons().map(({ code }) => code))];
  const reasons = [
    ...view.mob.state === "running" ? [] : [view.mob.state], ...lifecycle.stopping() ? ["shutting_down" as const] : [], ...all.filter((code) => code === "storage_degraded"),
  ];
  return { ready: reasons.length === 0, reasons, degraded: all.filter((code) => code !== "storage_degraded") };
}
