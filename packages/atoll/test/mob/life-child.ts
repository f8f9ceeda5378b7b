/**
 * A mob in a process of its own that is reset or completed, and kills itself behind the first entry of a kind. Arguments: folder, command,
 * kind (none: it is not killed). What is begun is gone on with; the one that is not killed prints what has become of it.
 */
import { until } from "@atoll-run/testkit";
import { defineMob, Mob } from "../../src/mob.ts";

const [dir = "", command = "reset", last] = process.argv.slice(2);
const PATIENCE = { withinMs: 120_000 };
const MEMBERS = ["w-1", "w-2", "w-3"];

const mob = await Mob.start({
  definition: defineMob({
    mob: { id: "fate", members: [{ id: "w", profile: "p", count: 3 }], edges: [["w-1", "w-2"]] }, profiles: { p: { linked: "endless" } },
    flows: { f: { steps: { all: { member: "w-3", message: "go", dispatch: "one_to_one" } } } }, limits: { cancelMs: 50 },
  }),
  // Hears no signal.
  linked: { endless: () => () => new Promise<never>(() => undefined) }, stateDir: dir, drainTimeoutMs: 100,
});
const { rooms } = mob;
rooms.ledger.hear(({ kind }) => {
  if (kind !== last) return;
  console.log(JSON.stringify({ killed: kind }));
  process.kill(process.pid, "SIGKILL");
});
if (rooms.view.mob.state === "running" && rooms.view.turns.size === 0) {
  await mob.members.spawn({ spec: { id: "extra", profile: "p" } });
  for (const content of ["runs", "waits"]) for (const to of [...MEMBERS, "extra"]) await mob.dispatch(to, content, {});
  await mob.flows.run({ flow: "f" });
  await until(() => MEMBERS.every((id) => [...rooms.view.turns.values()].some(({ member, state }) => member === id && state === "running")), PATIENCE);
  await (command === "reset" ? mob.lifecycle.reset({ confirm: "fate" }) : mob.lifecycle.complete());
}
await until(() => command === "reset" ? rooms.view.mob.state === "running" && rooms.status().edges.length > 0 : rooms.status().members.every(({ final }) => final), PATIENCE);
const all = (await rooms.ledger.query({ after: 0, classes: ["turn"], limit: 1_000 })).entries;
const ends = (turn: string): number => all.filter(({ turn_id, kind }) => turn_id === turn && /_(done|failed|cancelled|expired|dead)$/.test(kind)).length;
console.log(JSON.stringify({

  members: rooms.status().members.map(({ id, state, generation, queue }) => `${id} ${state} ${generation} ${queue.depth}`), edges: rooms.status().edges.length,
  runs: [...rooms.view.runs.values()].map(({ state }) => state), ended: [...rooms.view.turns.keys()].map(ends), ...await mob.verify({}),
}));
await mob.close();
