/** A mob in a process of its own, to be killed. Says its address, and each turn that begins; ends when its input does. */
import { writeSync } from "node:fs";
import process from "node:process";
import { defineMob, Mob, type LinkedFactory } from "../../src/mob.ts";

const [dir = "", url = ""] = process.argv.slice(2);
const say = (...words: readonly (string | number)[]): void => void writeSync(1, `${words.join(" ")}\n`);

/** What is to wait is given by the first process that takes it to the second. */
const worker: LinkedFactory = () => async ({ turn_id, content, from, principal, attempt }) => {
  const { say: text, waits = false, fails = false } = content as { say: string; waits?: boolean; fails?: boolean };
  say("begun", text, attempt);
  if (waits && attempt === 1) await new Promise<never>(() => undefined);
  if (fails) throw new Error("it cannot");
  return { said: text, turn_id, attempt, from, principal };
};

await using mob = await Mob.start({
  stateDir: dir, linked: { worker }, realm: { url }, acl: [{ effect: "allow", from: { type: "acme:desk:1.0.0", realm: "self", proof: "key" }, actions: ["call:*/turn", "tell:*/turn"] }],
  definition: defineMob({
    mob: { id: "audit", members: [{ id: "auditor", profile: "open", count: 2 }, { id: "scout", profile: "closed" }] },
    profiles: { open: { linked: "worker", external: true, conversations: 4 }, closed: { linked: "worker" } },
  }),
});
say("up", mob.outside?.id ?? "", mob.outside?.type ?? "");
for await (const _ of process.stdin);
