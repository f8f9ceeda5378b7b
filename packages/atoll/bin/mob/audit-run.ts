/**
 * The run that a start of the demo works on: the one that was not finished, or a new one.
 * A killed demo leaves its run in the ledger; whoever starts it again for the same folder and place goes on with that run.
 */
import { isDeepStrictEqual } from "node:util";
import type { MobRooms } from "../../src/mob.ts";
import type { AuditPlan } from "./audit.ts";

const FLOW = "audit";
export const PRINCIPAL = "local";

export type Run = Awaited<ReturnType<MobRooms["flows"]["run"]>>;

export interface AuditRun {
  readonly run: Run;
  /** It was begun by an earlier process. */
  readonly resumed: boolean;
}

export async function takeRun(mob: MobRooms, plan: AuditPlan, signal: AbortSignal): Promise<AuditRun> {
  const params = { root: plan.root, folder: plan.folder };
  const open = [...mob.view.runs.values()].filter(({ flow, state }) => flow === FLOW && state === "running");
  const [own] = open.filter((run) => isDeepStrictEqual(run.params, params));
  const others = open.filter((run) => run !== own);
  for (const { run_id } of others) await mob.flows.cancel(run_id, { principal: PRINCIPAL, signal });
  if (own !== undefined) return { run: own, resumed: true };
  // It may have been woken for a run of another place, and keeps what it was told at its start.
  if (others.length > 0) await mob.members.respawn("editor", { principal: PRINCIPAL });
  return { run: await newRun(mob, plan), resumed: false };
}

export async function newRun(mob: MobRooms, { root, folder }: AuditPlan): Promise<Run> {
  return await mob.flows.run({ flow: FLOW, params: { root, folder }, principal: PRINCIPAL });
}
