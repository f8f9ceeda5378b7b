/**
 * Goal: what members take is counted, and bounded where they have a budget. Invariant: a restart gives nothing back. Method: whole mobs against a mock
 * model, opened again on the same store.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { defineMob, type LinkedFactory, type MobRooms } from "@atoll-run/atoll/mob";
import type { Json } from "@atoll-run/core";
import type { Usage } from "@atoll-run/mob";
import { memoryState, startMockModel, type MockModel, type MockTurn } from "@atoll-run/testkit";
import { startRooms } from "./rooms.ts";

const SCRIPTS = join(import.meta.dirname, "scripts");
const usage = { input_tokens: 600, output_tokens: 40 };
const SAYS: MockTurn = { times: "any", reply: { text: "hello", usage } };
/** A call is 0.0008 dollars. */
const prices = { "claude-*": { input: 1, output: 5 } };

/** Calls its tool as often as it is told. */
const worker: LinkedFactory = () => async ({ content }, ctx) => {
  let done = 0;
  for (let n = 0; n < (content as number); n++) await ctx.guarded({ grant: "fs.write", args: { path: "x" } }, () => { done++; return null; });
  return done;
};

/** Stays until it is told to stop. */
const waits: LinkedFactory = () => async ({ content }, ctx) => {
  if (content === "long") await new Promise((_, reject) => ctx.signal.addEventListener("abort", () => reject(ctx.signal.reason as Error)));
  return content;
};

async function world(t: TestContext, turns: readonly MockTurn[], more: Partial<Parameters<typeof defineMob>[0]> = {}) {
  const model = await startMockModel({ script: { turns } });
  const store = memoryState();
  t.after(async () => {
    await model.close();
    await store[Symbol.asyncDispose]();
  });
  const definition = defineMob({
    mob: { id: "spender", members: ["agent", "script", "tight", "counted", "daily"].map((id) => ({ id, profile: id })) },
    profiles: {
      agent: { agent: true, model: "auto", grants: ["mob:members"] }, script: { script: "asker.lua", grants: ["model"] },
      tight: { script: "asker.lua", grants: ["model"], budget: { life: { tokens: 1_000 } } },
      counted: { linked: "worker", grants: ["fs.write:."], budget: { turn: { tool_calls: 2 }, day: { tool_calls: 5 } } },
      daily: { linked: "worker", budget: { day: { turns: 2 } } },
    },
    flows: { ask: { steps: { one: { role: "agent", message: "hi" }, two: { role: "script", depends_on: ["one"], message: "ho" } } } },
    ...more,
  });
  const open = (): Promise<MobRooms> => startRooms({
    definition, ephemeral: true, env: { store }, root: SCRIPTS, linked: { worker, waits }, variables: { ANTHROPIC_API_KEY: "key", ANTHROPIC_BASE_URL: model.url },
  });
  return { model, open };
}

async function ask(mob: MobRooms, to: string, content: Json) {
  const { turn_id } = await mob.send({ to, from: "console", principal: "ada", content });
  return await mob.members.wait(turn_id, {});
}

const spent = (mob: MobRooms, id: string): Partial<Usage> => {
  const { wall_ms: _, ...rest } = mob.view.row(id)?.usage ?? { wall_ms: 0 };
  return rest;
};
const asked = ({ requests }: MockModel): number => requests.length;

test("what models take is counted for turns, members and runs, in scripts and in agents, and found again after a restart", async (t) => {
  const { open } = await world(t, [
    { when: { tool: "mob_members", messages: 1 }, reply: { tool_calls: [{ name: "mob_members" }], usage } }, { when: { tool_result: "[" }, reply: { text: "alone", usage } }, SAYS,
  ], { prices });
  const one = { tokens_in: 600, tokens_out: 40, cost_usd: 0.0008, turns: 1, tool_calls: 0 };
  const two = { ...one, tokens_in: 1_200, tokens_out: 80, cost_usd: 0.0016 };
  {
    await using mob = await open();
    const { run_id } = await mob.flows.run({ flow: "ask", principal: "ada" });
    const run = await mob.flows.wait(run_id, AbortSignal.timeout(60_000));
    assert.equal(run.state, "completed", JSON.stringify(run.error));
    assert.deepEqual([run.usage?.tokens_in, run.steps["one"]?.usage?.tokens_in, run.steps["two"]?.targets["script"]?.usage?.tokens_out], [1_800, 1_200, 40]);
    const turn = mob.view.turns.get(run.steps["one"]?.targets["agent"]?.turn_id ?? "");
    assert.ok((turn?.usage?.wall_ms ?? 0) > 0);
    assert.deepEqual({ ...turn?.usage, wall_ms: 0 }, { ...two, wall_ms: 0 });
    const { entries } = await mob.ledger.query({ turn_id: turn?.turn_id ?? "", after: 0, classes: ["turn", "agent"] });
    assert.deepEqual(entries.map(({ kind }) => kind), [
      "turn_queued", "turn_started", "run_started", "turn_completed", "tool_call_requested", "tool_result_received", "turn_completed", "run_completed", "turn_done",
    ]);
  }
  await using mob = await open();
  assert.deepEqual([spent(mob, "agent"), spent(mob, "script")], [two, one]);
});

test("a turn that computes past its running time ends with the fault of its budget, and its member goes on; the time of a day is used up by all", async (t) => {
  // The isle is made anew for the turn after: that has to fit in.
  const budget = { turn: { wall_ms: 1_500 } };
  const { open } = await world(t, [], {
    mob: { id: "spender", members: ["spins", "waits", "daily"].map((id) => ({ id, profile: id })) }, flows: {},
    profiles: {
      spins: { script: "spins.lua", budget }, waits: { linked: "waits", budget }, daily: { linked: "waits", conversations: 2, budget: { day: { wall_ms: 600 } } },
    },
  });
  await using mob = await open();
  for (const to of ["spins", "waits"]) {
    const turn = await ask(mob, to, "long");
    assert.deepEqual([to, turn.state, turn.error?.code, turn.attempt], [to, "failed", "mob.budget_exhausted", 1]);
    assert.equal(turn.error?.text, `${to} has used up its 1500 milliseconds of running of this turn`);
    assert.equal((await ask(mob, to, "short")).output, "short");
  }
  const both = await Promise.all(["a", "b"].map(async (conversation) => {
    const { turn_id } = await mob.send({ to: "daily", from: "console", principal: "ada", content: "long", conversation });
    return await mob.members.wait(turn_id, {});
  }));
  assert.deepEqual(both.map(({ error }) => error?.code), ["mob.budget_exhausted", "mob.budget_exhausted"]);
  const took = both.reduce((sum, { usage: used, active_ms }) => sum + (used?.wall_ms ?? active_ms ?? 0), 0);
  assert.ok(took >= 600, `${took} ms of 600`);
  await assert.rejects(ask(mob, "daily", "short"), { code: "mob.budget_exhausted" });
});

test("what has no price costs null, and a bound for its cost refuses it", async (t) => {
  const { model, open } = await world(t, [SAYS], {
    profiles: { agent: { agent: true, model: "auto", budget: { day: { cost_usd: 1 } } }, script: { script: "asker.lua", grants: ["model"] } },
    mob: { id: "spender", members: [{ id: "agent", profile: "agent" }, { id: "script", profile: "script" }] }, flows: {},
  });
  await using mob = await open();
  assert.equal((await ask(mob, "script", "hi")).usage?.cost_usd, null);
  assert.equal(mob.view.row("script")?.usage.cost_usd, null);
  const turn = await ask(mob, "agent", "hi");
  assert.deepEqual([turn.state, turn.error?.code, asked(model)], ["failed", "mob.budget_exhausted", 1]);
  assert.match(turn.error?.text ?? "", /what claude-\S+ costs is not known/);
});

test("a life that is used up asks no model and takes no turn, also in another process, and the ledger has warned once", async (t) => {
  const { model, open } = await world(t, [SAYS]);
  {
    await using mob = await open();
    assert.equal((await ask(mob, "tight", "one")).output, "hello");
    assert.equal((await ask(mob, "tight", "two")).output, "hello");
    await assert.rejects(ask(mob, "tight", "three"), { code: "mob.budget_exhausted", retry: "never" });
  }
  await using mob = await open();
  await assert.rejects(ask(mob, "tight", "three"), { code: "mob.budget_exhausted", facts: { member: "tight", budget: "life.tokens", limit: 1_000, used: 1_280 } });
  assert.equal(asked(model), 2);
  await mob.ledger.flush();
  const { entries } = await mob.ledger.query({ after: 0, kinds: ["budget_warning"] });
  assert.deepEqual(entries.map(({ member, data }) => [member, data]), [["tight", { budget: "life.tokens", used: 1_280, limit: 1_000 }]]);
});

test("calls of tools are counted for each turn and each day: what is over does not run, and the ledger says so", async (t) => {
  const { open } = await world(t, []);
  {
    await using mob = await open();
    assert.equal((await ask(mob, "counted", 2)).output, 2);
    const over = await ask(mob, "counted", 3);
    assert.deepEqual([over.state, over.error?.code, over.usage?.tool_calls], ["failed", "mob.budget_exhausted", 2]);
  }
  await using mob = await open();
  assert.deepEqual([(await ask(mob, "counted", 1)).output, spent(mob, "counted").tool_calls], [1, 5]);
  await assert.rejects(ask(mob, "counted", 1), ({ retry_after_ms }: { retry_after_ms: number }) => retry_after_ms > 0 && retry_after_ms <= 86_400_000);
  const { entries } = await mob.ledger.query({ after: 0, kinds: ["access_denied"] });
  assert.deepEqual(entries.map(({ data }) => data), [{ grant: "fs.write", budget: "turn.tool_calls" }]);
});

test("turns of a day are counted when they are accepted", async (t) => {
  const { open } = await world(t, []);
  await using mob = await open();
  const ends = await Promise.allSettled([1, 2, 3].map(() => ask(mob, "daily", 0)));
  assert.deepEqual(ends.map(({ status }) => status).sort(), ["fulfilled", "fulfilled", "rejected"]);
});
