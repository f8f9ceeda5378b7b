/** A mob as programs use it: the methods of the table by their names, checked and done as over HTTP. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { defineMob, Mob, type LinkedFactory } from "@atoll-run/atoll/mob";
import { METHODS } from "@atoll-run/client";

const definition = defineMob({
  mob: { id: "held", members: [{ id: "ann", profile: "echo" }, { id: "bob", profile: "echo" }] }, profiles: { echo: { linked: "echo", grants: ["fs.write:out"] } },
  approvals: [{ match: { grant: "fs.write" }, tier: "R3" }],
  flows: { all: { steps: { both: { role: "echo", message: "{{ params.say }}" } } } },
});

const echo: LinkedFactory = () => async ({ content }, ctx) =>
  (content === "write" ? await ctx.guarded({ grant: "fs.write", args: { path: "out" } }, () => "written") : content);
const linked = { echo };

test("methods have their names of section 11; leading params may stand before the others, and what begins a run can wait for its end", async () => {
  await using mob = await Mob.start({ definition, ephemeral: true, linked });
  for (const name of Object.keys(METHODS)) {
    const [area = "", verb] = name.split("/");
    const found = (mob as unknown as Record<string, unknown>)[area];
    assert.equal(typeof (verb === undefined ? found : (found as Record<string, unknown>)[verb]), "function", name);
  }
  const { tickets: [ticket] } = await mob.dispatch("ann", { n: 1 }, { idempotency_key: "k" });
  assert.ok(ticket !== undefined);
  assert.deepEqual((await mob.turns.wait(ticket.turn_id)).output, { n: 1 });
  assert.equal((await mob.dispatch({ to: "ann", content: { n: 1 }, idempotency_key: "k" })).tickets[0]?.turn_id, ticket.turn_id);
  const run = await mob.flows.run("all", { say: "hi" });
  assert.deepEqual(Object.keys(run), ["run_id"]);
  assert.deepEqual((await run.wait()).output, { ann: "hi", bob: "hi" });
  assert.deepEqual((await mob.members.retire("bob", { hold: true })).held, true);
});

test("a call is checked as one over HTTP is, and made in the name of whoever it is for", async () => {
  await using mob = await Mob.start({ definition, ephemeral: true, linked });
  await assert.rejects(mob.send("ann", 1), { name: "MobError", code: "mob.not_addressable" });
  await assert.rejects(mob.members.get("nobody"), { code: "mob.not_found" });
  await assert.rejects(mob.members.get({ member: "ann", deeep: true } as never), { code: "mob.invalid_params", message: /deeep/ });
  await assert.rejects(mob.members.wait({ members: ["ann"], until: "final" }, { signal: AbortSignal.abort(new Error("enough")) }), /enough/);
  const boss = mob.as("boss");
  assert.deepEqual([await mob.access.whoami(), await boss.access.whoami()].map(({ principal, local }) => [principal, local]), [["local", true], ["boss", false]]);
  const { tickets: [ticket] } = await boss.dispatch("ann", "write");
  const over = mob.ledger.subscribe({ kinds: ["approval_requested"] }, { after: 0, signal: AbortSignal.timeout(30_000) });
  for await (const one of over) if ("kind" in one) break;
  const { approvals: [open] } = await mob.approvals.list({ state: "open" });
  assert.ok(open !== undefined && ticket !== undefined);
  assert.equal(open.asked_by, "boss");
  await assert.rejects(boss.approvals.decide(open.id, "approve"), { code: "mob.self_approval_forbidden" });
  assert.equal((await mob.approvals.decide(open.id, "approve")).state, "approved");
  assert.equal((await mob.turns.wait(ticket.turn_id)).output, "written");
});

test("whoever it is for may what the rules say of him; members that are not there for him are in no row, plan or count", async () => {
  const guarded = defineMob({
    mob: { id: "ruled", members: [{ id: "ann", profile: "echo" }, { id: "bob", profile: "echo" }, { id: "spy", profile: "secret" }], edges: [["ann", "bob"], ["ann", "spy"]] },
    profiles: { echo: { linked: "echo" }, secret: { linked: "echo" } }, flows: { all: { steps: { both: { role: "echo", message: "x" } } } },
    access: {
      admins: ["root"], rules: [
        { effect: "allow", principals: ["eva"], groups: ["ops"], actions: ["mob.*", "member.*", "edge.edit"] },
        { effect: "deny", principals: ["eva"], groups: ["ops"], actions: ["member.view"], profiles: ["secret"] },
      ],
    },
  });
  await using mob = await Mob.start({ definition: guarded, ephemeral: true, linked });
  await mob.boot({ wait_ms: 30_000 });
  const [nobody, eva, ops] = [mob.as("nobody"), mob.as("eva"), mob.as("zoe", { groups: ["ops"] })];
  await assert.rejects(nobody.status(), { code: "mob.denied" });
  assert.deepEqual((await nobody.access.whoami()).role, "none");
  assert.equal((await mob.as("vic", { role: "viewer" }).members.list()).members.length, 3);
  assert.equal((await mob.as("root").members.list()).members.length, 3);
  await mob.members.retire("bob", { hold: true });
  const more = [{ id: "new", profile: "echo" }, { id: "mole", profile: "secret" }];
  for (const one of [eva, ops]) {
    await assert.rejects(one.members.get("spy"), { code: "mob.not_found" });
    const asked = [await one.diff(), await one.reconcile({ dry_run: true, desired: more }), await one.edges.reconcile({ dry_run: true })] as const;
    assert.deepEqual(asked.map(({ members: { spawned, retained, held } }) => [spawned, retained, held]), [[[], ["ann"], ["bob"]], [["new"], ["ann"], ["bob"]], [[], [], []]]);
    assert.ok(!/spy|mole/.test(JSON.stringify([...asked, await one.definition.get(), await one.status(), await one.boot(), await one.members.list()])));
    assert.deepEqual((await one.boot()).counts, { dormant: 1, warming: 0, active: 0, broken: 0 });
  }
  const whole = await mob.reconcile({ dry_run: true, desired: more });
  assert.deepEqual([whole.members.spawned, whole.members.retained], [["mole", "new"], ["ann", "spy"]]);
  assert.ok(JSON.stringify(whole.edges).includes("spy"));
  assert.equal((await mob.boot()).counts.dormant, 2);
  await mob.members.suspend("ann");
  await mob.flows.run("all", {});
  assert.deepEqual([(await mob.status()).runs_open, (await eva.status()).runs_open], [1, 0]);
});
