/** A mob in a process of its own, to be killed: sends turns under keys from the first one on, waits for all, tells each step. */
import { writeSync } from "node:fs";
import { join } from "node:path";
import { defineMob, Mob, type LinkedFactory } from "../../src/mob.ts";

const [dir = "", turns = "0", seed = "0"] = process.argv.slice(2);
const MEMBERS = ["one", "two", "three"];
const WINDOW = 32;

const definition = defineMob({
  mob: { id: "kill", members: MEMBERS.map((id) => ({ id, profile: id === "three" ? "script" : "worker" })) },
  profiles: { worker: { linked: "worker", conversations: 4 }, script: { script: "count.lua", conversations: 4 } },
});

/** Each turn counts itself, in the commit that ends it. */
const worker: LinkedFactory = () => async ({ turn_id, content, conversation }, ctx) => {
  const { n } = content as { n: number };
  // Longer than a commit now and then, so that a kill finds it at work.
  await new Promise((resolve) => void setTimeout(resolve, (n * 7 + Number(seed)) % 5));
  const done = await ctx.get(conversation) as string[] | undefined ?? [];
  ctx.set(conversation, [...done, turn_id]);
  return { n };
};

const say = (...words: readonly (string | number)[]): void => void writeSync(1, `${words.join(" ")}\n`);

const { rooms: mob } = await Mob.start({ definition, stateDir: dir, root: join(import.meta.dirname, "scripts"), linked: { worker } });
say("up");
const all = Array.from({ length: Number(turns) }, (_, n) => n);
const tickets: string[] = [];
await Promise.all(Array.from({ length: WINDOW }, async () => {
  for (let n = all.shift(); n !== undefined; n = all.shift()) {
    const to = MEMBERS[n % MEMBERS.length] as string;
    const ticket = await mob.send({ to, from: "test", principal: "local", conversation: `c${n % 4}`, content: { n }, key: `k${n}` });
    tickets.push(ticket.turn_id);
    say("accepted", n, ticket.turn_id);
  }
}));
for (const turn of tickets) await mob.members.wait(turn, {});
await mob.close();
say("over");
