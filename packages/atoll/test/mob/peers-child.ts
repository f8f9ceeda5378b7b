/**
 * A mob in a process of its own whose autonomous member hears of a peer. Arguments: folder, what is done (`wire`, `unwire`, `look`), and behind
 * the entry of which kind the process kills itself; what is told last are the notices in the ledger and those that its code has heard.
 */
import { until } from "@atoll-run/testkit";
import { defineMob, Mob } from "../../src/mob.ts";

const [dir = "", command = "look", last] = process.argv.slice(2);
const BY = { principal: "local" } as const;
const heard: unknown[] = [];

await using mob = await Mob.start({
  definition: defineMob({
    mob: { id: "peers", members: [{ id: "auto", profile: "auto" }, { id: "peer", profile: "p" }] },
    profiles: { auto: { linked: "auto", mode: "autonomous" }, p: { linked: "auto" } },
  }),
  linked: { auto: () => ({ content, conversation }) => {
    if (conversation === "peers") heard.push((content as { event: string }).event);
  } },
  stateDir: dir,
});
const { view, ledger, edges } = mob.rooms;
ledger.hear(({ kind, data }) => {
  if (kind !== last || kind === "turn_queued" && data["conversation"] !== "peers") return;
  console.log(JSON.stringify({ killed: kind }));
  process.kill(process.pid, "SIGKILL");
});
await until(() => view.row("auto")?.state === "active" && view.row("auto")?.phase === "idle" && view.members.get("auto")?.greeted === true, { withinMs: 60_000 });
if (command === "wire") await edges.wire("auto", "peer", "local");
if (command === "unwire") await edges.unwire("auto", "peer", { ...BY, hold: true });
await until(() => view.members.get("auto")?.untold === undefined && view.row("auto")?.phase === "idle", { withinMs: 60_000 });
const { entries } = await ledger.query({ after: 0, kinds: ["turn_queued"], member: "auto" });
const told = entries.filter(({ data }) => data["conversation"] === "peers").map(({ data, cause_seq }) => [JSON.parse(String(data["preview"])), cause_seq !== undefined]);
const { findings } = await mob.verify({});
console.log(JSON.stringify({ told, heard, findings }));
