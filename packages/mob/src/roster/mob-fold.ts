/** Where a mob as a whole is, as its ledger tells it (spec: mob 2.5). */
import type { Entry } from "../ledger/entry.ts";

/**
 * creating: it is being made, or made anew. running: it takes turns. stopping, stopped: roster and mail stay, nothing runs, until it is
 * resumed. completed, destroyed: for good.
 */
export type MobState = "creating" | "running" | "stopping" | "stopped" | "completed" | "destroyed";

export interface MobFold {
  readonly state: MobState;
  /** All its members are being retired. */
  readonly resetting: boolean;
  /** Whoever was last told of below that `seq` begins a new session when he comes back. */
  readonly fresh_below: number;
}

export const NEW_MOB: MobFold = { state: "creating", resetting: false, fresh_below: 0 };

/** An entry without a state tells of the process alone. */
export function foldMob(old: MobFold, { kind, data, seq }: Entry): MobFold {
  const state = data["state"] as MobState | undefined ?? (kind === "mob_started" ? "running" : old.state);
  if (kind === "mob_reset") return { ...old, state, resetting: true };
  if (kind === "mob_started" && old.resetting && state === "running") return { state, resetting: false, fresh_below: seq };
  return { ...old, state };
}

/** Its members take work. */
export function isOn({ state }: MobFold): boolean {
  return state === "running" || state === "creating";
}
