/** A mob whose members write files, and ask for those that are named `asked…`. Run by itself it starts one turn that asks, and stays until it is killed. */
import { writeSync } from "node:fs";
import { join } from "node:path";
import { until } from "@atoll-run/testkit";
import { defineMob, type LinkedFactory, type MobConfig, type MobRooms } from "../../src/mob.ts";
import { startRooms } from "./rooms.ts";

const SCRIPTS = join(import.meta.dirname, "scripts");

export interface WorldOptions {
  readonly rule?: object;
  readonly limits?: Record<string, number>;
  readonly writer?: LinkedFactory;
  readonly env?: MobConfig["env"];
}

const writes: LinkedFactory = () => async ({ content }, ctx) => ctx.guarded({ grant: "fs.write", tool: "write_file", args: content }, () => "done");

/** In `base`: the state, and `out`, which is there. */
export function openWorld(base: string, { rule = {}, limits = {}, writer = writes, env = {} }: WorldOptions = {}): Promise<MobRooms> {
  const grants = [`fs.write:${join(base, "out")}`];
  const more = { grants, conversations: 2, idle_after: 1 };
  return startRooms({ env, stateDir: join(base, "state"), root: SCRIPTS, linked: { writer }, definition: defineMob({
    mob: { id: "stay", members: [{ id: "lua", profile: "script" }, { id: "ts", profile: "linked" }, { id: "other", profile: "linked" }, { id: "keeper", profile: "keeper" }, { id: "appends", profile: "appends" }] },
    profiles: { script: { script: "twice.lua", ...more }, linked: { linked: "writer", ...more }, keeper: { script: "keeper.lua", ...more }, appends: { script: "appends.lua", ...more } },
    approvals: [{ id: "ask", match: { grant: "fs.write", object: "*/asked*" }, tier: "R3", ...rule }], limits,
  }) });
}

export async function sendTo(mob: MobRooms, to: string, content: { path: string; text?: string } | { out: string }, more: object = {}): Promise<string> {
  return (await mob.send({ to, from: "console", principal: "asker", content, ...more })).turn_id;
}

/** The approval that the turn waits for where it is. */
export function waiting(mob: MobRooms, turn: string): Promise<string> {
  return until(() => mob.view.turns.get(turn)?.in_place === true
    ? [...mob.view.approvals.values()].find(({ turn_id, state }) => turn_id === turn && state === "open")?.id : undefined);
}

const [, self, base] = process.argv;
if (self === import.meta.filename && base !== undefined) {
  const mob = await openWorld(base);
  const turn = await sendTo(mob, "lua", { path: join(base, "out/asked"), text: "x" }, { deadlineMs: 60_000 });
  const asked = await waiting(mob, turn);
  await mob.ledger.flush();
  writeSync(1, `${JSON.stringify({ turn, asked, left: mob.view.turns.get(turn)?.left_ms })}\n`);
  setInterval(() => undefined, 60_000);
}
