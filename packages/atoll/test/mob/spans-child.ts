/** A mob in a process of its own, to be killed: is asked for a turn and a run within a trace, and tells when they run; its member never ends what it does. */
import { writeSync } from "node:fs";
import { until } from "@atoll-run/testkit";
import { defineMob, Mob } from "../../src/mob.ts";

export const definition = defineMob({
  mob: { id: "traced", members: [{ id: "one", profile: "worker" }, { id: "two", profile: "worker" }] }, profiles: { worker: { linked: "worker", external: true } },
  flows: { plan: { steps: { only: { member: "two", message: "go" } } } },
});

if (import.meta.main) {
  const [stateDir = "", traceparent = ""] = process.argv.slice(2);
  const { http, rooms } = await Mob.start({ definition, stateDir, linked: { worker: () => () => new Promise(() => undefined) }, http: { port: 0 } });
  const ask = async (path: string, body: object): Promise<unknown> => {
    const headers = { authorization: `Bearer ${http?.token ?? ""}`, traceparent };
    return await (await fetch(`${http?.url ?? ""}/v1${path}`, { method: "POST", headers, body: JSON.stringify(body) })).json();
  };
  const { tickets: [ticket] } = await ask("/members/one/turns", { content: "go" }) as { tickets: { turn_id: string }[] };
  const { run_id } = await ask("/flows/plan/run", {}) as { run_id: string };
  await until(() => ["one", "two"].every((id) => rooms.view.row(id)?.phase === "busy"));
  writeSync(1, `${JSON.stringify({ turn_id: ticket?.turn_id, run_id })}\n`);
}
