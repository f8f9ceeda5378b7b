/** A mob with one agent in a process of its own, to be killed: sends one turn under a key, waits for it, tells what it came to. */
import { writeSync } from "node:fs";
import { defineMob, Mob } from "../../src/mob.ts";

const [dir = "", url = "", out = ""] = process.argv.slice(2);

const definition = defineMob({
  mob: { id: "smart", members: [{ id: "ann", profile: "writer" }] },
  profiles: { writer: { agent: true, model: "auto", grants: [`fs.write:${out}`], budget: { life: { tokens: 100_000, tool_calls: 10 } } } },
});

const { rooms: mob } = await Mob.start({
  definition, stateDir: dir, root: out, variables: { ANTHROPIC_API_KEY: "key", ANTHROPIC_BASE_URL: url },
});
const { turn_id } = await mob.send({ to: "ann", from: "test", principal: "local", content: "write", key: "one" });
const { state, output, attempt, usage } = await mob.members.wait(turn_id, {});
const { entries } = await mob.ledger.query({ turn_id, after: 0, classes: ["agent"] });
await mob.close();
writeSync(1, JSON.stringify({ turn_id, state, output, attempt, usage, kinds: entries.map(({ kind }) => kind) }));
