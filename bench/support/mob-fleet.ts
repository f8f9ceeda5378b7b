/** A mob of many members over a folder, as users open one. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { LinkedFactory, MobConfig, MobDefinition, MobRooms, TurnAsk } from "@atoll-run/atoll/mob";
import { mobs } from "./built-mob.ts";

export const PROFILES = { linked: { linked: "worker" }, script: { script: "turn.lua" } } as const;
const HERE = fileURLToPath(new URL(".", import.meta.url));

export interface Fleet {
  /** Of all of them; default `linked`. */
  readonly profile?: keyof typeof PROFILES;
  readonly flows?: Parameters<typeof mobs.defineMob>[0]["flows"];
  readonly edges?: [string, string][];
}

export function fleetOf(count: number, { profile = "linked", flows = {}, edges = [] }: Fleet = {}): MobDefinition {
  const members = Array.from({ length: count }, (_, n) => ({ id: memberName(n), profile: "worker" }));
  return mobs.defineMob({ mob: { id: "bench", members, edges }, profiles: { worker: PROFILES[profile] }, flows });
}

export function memberName(n: number): string {
  return `m${String(n).padStart(5, "0")}`;
}

export async function openFleet(dir: string, definition: MobDefinition, worker: LinkedFactory, more: Partial<MobConfig> = {}): Promise<MobRooms> {
  return (await mobs.Mob.start({ definition, stateDir: dir, root: HERE, linked: { worker }, ...more })).rooms;
}

export function ask(to: string, content: TurnAsk["content"]): TurnAsk {
  return { to, from: "bench", principal: "bench", content };
}

/** Gone when it is disposed of. */
export function scratch(): Disposable & { readonly dir: string } {
  const dir = mkdtempSync(join(tmpdir(), "atoll-bench-"));
  return { dir, [Symbol.dispose]: () => rmSync(dir, { recursive: true, force: true }) };
}
