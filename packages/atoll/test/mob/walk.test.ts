/**
 * Goal: a mob from its definition to the end of a turn. Invariant: a turn that was accepted ends once, whoever dies.
 * Method: the real store, real nodes, a block and linked code; the ledger is the witness.
 */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { defineMob, type LinkedFactory, type MobRooms, type TurnAsk } from "@atoll-run/atoll/mob";
import { nodeError } from "@atoll-run/core";
import { memberScope } from "@atoll-run/mob/internal";
import { until } from "@atoll-run/testkit";
import { startRooms } from "./rooms.ts";

const SCRIPTS = join(import.meta.dirname, "scripts");

const definition = defineMob({
  mob: { id: "walk", members: [{ id: "lua", profile: "script" }, { id: "ts", profile: "linked" }, { id: "alone", profile: "linked" }], edges: [["lua", "ts"]] },
  profiles: { script: { script: "echo.lua" }, linked: { linked: "worker" } },
});

function folder(t: TestContext): string {
  const dir = mkdtempSync(join(tmpdir(), "atoll-walk-"));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

const open = (dir: string, worker: LinkedFactory, more: Partial<Parameters<typeof startRooms>[0]> = {}): Promise<MobRooms> =>
  startRooms({ definition, stateDir: dir, root: SCRIPTS, linked: { worker }, ...more });

const ask = (to: string, content: TurnAsk["content"], more: Partial<TurnAsk> = {}): TurnAsk =>
  ({ to, from: "console", principal: "local", content, ...more });

const echo: LinkedFactory = (me) => (turn) => ({ said: turn.content, by: me.id, attempt: turn.attempt });

/** Kinds of one turn, in order. */
async function story(mob: MobRooms, turn_id: string): Promise<string[]> {
  await mob.ledger.flush();
  const { entries } = await mob.ledger.query({ turn_id, after: 0, limit: 1_000 });
  return entries.map(({ kind }) => kind);
}

const life = async (mob: MobRooms, member: string): Promise<string[]> =>
  (await mob.ledger.query({ member, after: 0, classes: ["structural"], limit: 1_000 })).entries.map(({ kind }) => kind);

async function done(mob: MobRooms, content: TurnAsk): ReturnType<MobRooms["members"]["wait"]> {
  const { turn_id } = await mob.send(content);
  return await mob.members.wait(turn_id, {});
}

test("a definition becomes members that sleep; a turn wakes one, its code answers, and the ledger tells all of it", async (t) => {
  const dir = folder(t);
  {
    await using mob = await open(dir, echo);
    assert.deepEqual(mob.status().members.map(({ id, state, generation, wired_to }) => [id, state, generation, wired_to]), [
      ["alone", "dormant", 1, []], ["lua", "dormant", 1, ["ts"]], ["ts", "dormant", 1, ["lua"]],
    ]);
    const turn = await done(mob, ask("lua", { hello: [1, 2.5] }));
    assert.deepEqual([turn.state, turn.output], ["done", { said: { hello: [1, 2.5] }, attempt: 1, from: "console", conversation: "console" }]);
    assert.deepEqual(await story(mob, turn.turn_id), ["turn_queued", "turn_started", "turn_done"]);
    const linked = await done(mob, ask("ts", "hi"));
    assert.deepEqual(linked.output, { said: "hi", by: "ts", attempt: 1 });
    assert.deepEqual(await life(mob, "ts"), ["member_spawning", "member_spawned", "member_starting", "member_started"]);
    assert.deepEqual(mob.status().members.map(({ state }) => state), ["dormant", "active", "active"], "only who has mail is awake");
  }
  await using again = await open(dir, echo);
  const { entries } = await again.ledger.query({ after: 0, limit: 1_000 });
  assert.deepEqual(entries.filter(({ kind }) => kind === "member_spawned").length, 3, "nobody is spawned twice");
  assert.deepEqual(entries.filter(({ kind }) => kind.startsWith("mob_")).map(({ kind }) => kind), [
    "mob_created", "mob_started", "mob_stopping", "mob_stopped", "mob_started",
  ]);
  assert.equal((await done(again, ask("lua", "x"))).state, "done");
});

test("acceptance, end and dead letter are one commit with their entries", async (t) => {
  const dir = folder(t);
  await using mob = await open(dir, () => ({ content }, { signal }) => {
    if (content === "hang") return new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason as Error)));
    if (content === "refuse") throw nodeError("node.invalid_argument", "no such thing", { retry: "never" });
    if (content === "fail") throw new Error("boom");
    return content;
  });
  const failed = await done(mob, ask("ts", "refuse"));
  assert.deepEqual([failed.state, failed.error], ["failed", { code: "node.invalid_argument", text: "no such thing" }]);
  assert.deepEqual(await story(mob, failed.turn_id), ["turn_queued", "turn_started", "turn_failed"]);
  const dead = await done(mob, ask("ts", "fail", { deadlineMs: 300 }));
  assert.deepEqual([dead.state, dead.error?.text], ["dead", "boom"], "there is no time for another attempt");
  assert.deepEqual(await story(mob, dead.turn_id), ["turn_queued", "turn_started", "turn_dead"]);
  const late = await done(mob, ask("ts", "hang", { deadlineMs: 100 }));
  assert.deepEqual([late.state, await story(mob, late.turn_id)], ["expired", ["turn_queued", "turn_started", "turn_expired"]]);
  assert.equal(mob.view.row("ts")?.queue.dead, 2);
});

test("turns of one conversation run one at a time, in order; a key stands for one turn", async (t) => {
  const seen: unknown[] = [];
  const dir = folder(t);
  let running = 0;
  await using mob = await open(dir, () => async ({ content }) => {
    assert.equal(++running, 1, "one at a time");
    await new Promise((resolve) => setImmediate(resolve));
    seen.push(content);
    running -= 1;
    return content;
  });
  const tickets = await Promise.all(Array.from({ length: 20 }, (_, n) => mob.send(ask("ts", n))));
  await Promise.all(tickets.map(({ turn_id }) => mob.members.wait(turn_id, {})));
  assert.deepEqual(seen, Array.from({ length: 20 }, (_, n) => n));
  const [one, two] = await Promise.all([mob.send(ask("ts", "k", { key: "a" })), mob.send(ask("ts", "k", { key: "a" }))]);
  assert.deepEqual([one?.turn_id === two?.turn_id, one?.duplicate, two?.duplicate], [true, false, true]);
  await assert.rejects(mob.send(ask("ts", "other", { key: "a" })), { code: "mob.conflict" });
  assert.equal((await mob.send(ask("ts", "other", { key: "a", principal: "else" }))).duplicate, false, "a key is its principal's");
  await assert.rejects(mob.send(ask("ts", "")), { code: "mob.content_empty" });
  await assert.rejects(mob.send(ask("nobody", "x")), { code: "mob.not_found" });
  await assert.rejects(mob.send(ask("alone", "x", { from: "lua" })), { code: "mob.not_addressable" });
  assert.equal((await done(mob, ask("ts", "x", { from: "lua" }))).state, "done", "those who are wired may");
});

test("a turn that runs can be cancelled, one that waits is given up, and a key tells the same after a restart", async (t) => {
  const dir = folder(t);
  const begun = Promise.withResolvers<void>();
  const mob = await open(dir, () => async ({ content }, { signal }) => {
    if (content !== "hang") return content;
    begun.resolve();
    return await new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason as Error)));
  });
  const running = await mob.send(ask("ts", "hang"));
  const waiting = await mob.send(ask("ts", "behind"));
  const kept = await mob.send(ask("ts", "kept", { key: "kept" }));
  await begun.promise;
  for (const { turn_id } of [waiting, running]) {
    const { state, error } = await mob.members.cancel(turn_id, { principal: "local", reason: "too late" });
    assert.deepEqual([state, error], ["cancelled", { code: "mob.interrupted", text: "the turn was cancelled by local: too late" }]);
  }
  assert.deepEqual(await story(mob, running.turn_id), ["turn_queued", "turn_started", "turn_cancelled"]);
  assert.deepEqual(await story(mob, waiting.turn_id), ["turn_queued", "turn_cancelled"]);
  assert.equal((await mob.members.wait(kept.turn_id, {})).output, "kept");
  await mob.close();
  await using again = await open(dir, echo);
  const { turn_id, duplicate, state } = await again.send(ask("ts", "kept", { key: "kept" }));
  assert.deepEqual([turn_id, duplicate, state], [kept.turn_id, true, "done"]);
});

test("respawn fails what runs and keeps what waits; reset and retire make dead letters of it", async (t) => {
  const dir = folder(t);
  let hang = true;
  await using mob = await open(dir, () => async (turn, { signal }) => {
    if (!hang) return turn.content;
    return await new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason as Error)));
  });
  const two = async (member: string) => {
    const tickets = [await mob.send(ask(member, "runs")), await mob.send(ask(member, "waits"))];
    await until(() => mob.view.row(member)?.phase === "busy");
    return tickets.map(({ turn_id }) => turn_id) as [string, string];
  };
  const states = (turns: readonly string[]) => Promise.all(turns.map(async (turn) => (await mob.members.wait(turn, {})).state));
  const first = await two("ts");
  hang = false;
  const row = await mob.members.respawn("ts", { principal: "local" });
  assert.equal(row.generation, 2);
  assert.deepEqual(await states(first), ["failed", "done"]);
  assert.equal((mob.view.turns.get(first[0])?.error)?.code, "mob.interrupted");
  hang = true;
  const second = await two("ts");
  await mob.members.reset("ts", { principal: "local" });
  assert.deepEqual(await states(second), ["failed", "dead"]);
  const third = await two("ts");
  const retiring = mob.members.retire("ts", { principal: "local", drainMs: 50 });
  await until(() => mob.view.row("ts")?.state === "retiring");
  await assert.rejects(mob.send(ask("ts", "x")), { code: "mob.member_gone" });
  await retiring;
  assert.deepEqual([await states(third), mob.view.row("ts")?.state, mob.view.wiredTo("lua")], [["dead", "dead"], "retired", []]);
});

test("a member sleeps when it has nothing to do, and what comes meanwhile wakes it", async (t) => {
  const dir = folder(t);
  const short = defineMob({ mob: { id: "short", members: [{ id: "ts", profile: "p" }] }, profiles: { p: { linked: "worker", idle_after: 20 } } });
  await using mob = await open(dir, echo, { definition: short });
  for (let round = 1; round <= 3; round++) {
    assert.equal((await done(mob, ask("ts", round))).state, "done");
    await until(() => mob.view.row("ts")?.state === "dormant");
  }
  assert.deepEqual((await life(mob, "ts")).filter((kind) => kind === "member_dormant").length, 3);
});

test("a flow is worked off by members, and goes on after a restart", async (t) => {
  const dir = folder(t);
  const shared = defineMob({
    mob: { id: "flow", members: [{ id: "w", profile: "p", count: 3 }] }, profiles: { p: { linked: "worker" } },
    flows: { count: { steps: {
      list: { member: "w-1", message: "list", dispatch: "one_to_one" }, each: { role: "p", depends_on: ["list"], dispatch: "share", items: "steps.list.output" },
    } } },
  });
  let held = true;
  const worker: LinkedFactory = () => async ({ content }, { signal }) => {
    if (content === "list") return [1, 2, 3, 4, 5, 6];
    if (held && JSON.stringify(content).includes("4")) await new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason as Error)));
    return { did: content };
  };
  const first = await open(dir, worker, { definition: shared });
  const { run_id } = await first.flows.run({ flow: "count", principal: "local" });
  await until(() => Object.values(first.flows.get(run_id).steps["each"]?.targets ?? {}).filter(({ state }) => state === "done").length >= 3);
  await first.close({ drainMs: 10 });
  held = false;
  await using again = await open(dir, worker, { definition: shared });
  const run = await again.flows.wait(run_id, t.signal);
  assert.deepEqual([run.state, run.steps["each"]?.output], ["completed", [1, 2, 3, 4, 5, 6].map((did) => ({ did }))]);
});

test("whoever was awake when the process ended sleeps at the next start, however many they are", async (t) => {
  const dir = folder(t);
  const many = defineMob({ mob: { id: "many", members: [{ id: "m", profile: "p", count: 520 }] }, profiles: { p: { linked: "worker" } } });
  const states = (mob: MobRooms) => Map.groupBy(mob.status().members, ({ state }) => state);
  const first = await open(dir, echo, { definition: many });
  await Promise.all(Array.from({ length: 515 }, (_, n) => done(first, ask(`m-${n + 1}`, n))));
  assert.equal(states(first).get("active")?.length, 515);
  await first.close();
  await using again = await open(dir, echo, { definition: many });
  assert.equal(states(again).get("dormant")?.length, 520);
});

test("a script that dies is started again and its turn runs again; what its handler raises fails the turn", async (t) => {
  const dir = folder(t);
  const mortal = defineMob({ mob: { id: "mortal", members: [{ id: "m", profile: "p" }] }, profiles: { p: { script: "mortal.lua" } } });
  await using mob = await open(dir, echo, { definition: mortal });
  const turn = await done(mob, ask("m", "once"));
  assert.deepEqual([turn.state, turn.output, turn.attempt], ["done", { attempt: 2 }, 2]);
  assert.ok((mob.view.row("m")?.lease.fence ?? 0) >= 2, "each start has a higher fence");
  const bad = await done(mob, ask("m", "bad"));
  assert.deepEqual([bad.state, bad.error?.text.includes("no good")], ["failed", true]);
});

test("a start that fails is tried again; mail waits meanwhile", async (t) => {
  const dir = folder(t);
  let starts = 0;
  await using mob = await open(dir, (me) => {
    starts += 1;
    if (starts === 1) throw new Error("not yet");
    return echo(me);
  });
  const turn = await done(mob, ask("ts", "x"));
  assert.deepEqual([turn.state, starts], ["done", 2]);
  await mob.ledger.flush();
  const { entries } = await mob.ledger.query({ after: 0, classes: ["error"] });
  assert.deepEqual(entries.map(({ kind, member, data }) => [kind, member, data]), [["spawn_failure", "ts", { kind: "start_failed", detail: "not yet" }]]);
});

test("an initial message is sent once, at the first start of a member", async (t) => {
  const dir = folder(t);
  const said: (readonly [member: string, content: unknown])[] = [];
  const note: LinkedFactory = (me) => ({ content }) => void said.push([me.id, content]);
  const greeting = defineMob({
    mob: { id: "greet", members: [{ id: "a", profile: "p" }, { id: "b", profile: "p", initial_message: "yours" }, { id: "c", profile: "p" }] },
    profiles: { p: { linked: "worker", initial_message: "hello", idle_after: 20 } },
  });
  for (const round of [1, 2]) {
    await using mob = await open(dir, note, { definition: greeting });
    for (const member of ["a", "b"]) await done(mob, ask(member, round));
    await until(() => said.length >= (round === 1 ? 4 : 6));
    await until(() => mob.status().members.every(({ state }) => state === "dormant"));
  }
  assert.deepEqual(said.filter(([, content]) => typeof content === "string"), [["a", "hello"], ["b", "yours"]]);
  assert.equal(said.length, 6, "who has not started is not greeted");
});

test("a turn of a broken member can be cancelled, and the member repaired; who is retired twice is retired once", async (t) => {
  const dir = folder(t);
  const begun = Promise.withResolvers<void>();
  const first = await open(dir, () => async () => {
    begun.resolve();
    return await new Promise(() => undefined);
  });
  // One that no definition has: reconcile would repair it.
  await first.members.spawn({ id: "own", profile: "linked" }, { principal: "local", origin: "api", lazy: true });
  const { turn_id } = await first.send(ask("own", "x"));
  await begun.promise;
  await first.ledger.append(first.writer, [{
    kind: "member_broken", source: "mob", member: "own", generation: 1, data: { state: "broken", kind: "crashed", detail: "often", generation: 1 },
  }]);
  await first.close({ drainMs: 1 });
  await using mob = await open(dir, echo);
  await assert.rejects(mob.send(ask("own", "y")), { code: "mob.member_broken" });
  assert.equal((await mob.members.cancel(turn_id, { principal: "local" })).state, "cancelled");
  assert.equal(mob.view.row("own")?.state, "broken");
  await mob.members.repair("own", { principal: "local" });
  assert.equal((await done(mob, ask("own", "z"))).state, "done");
  await Promise.all([mob.members.retire("own", { principal: "local" }), mob.members.retire("own", { principal: "local" })]);
  assert.deepEqual((await life(mob, "own")).filter((kind) => kind === "member_retiring" || kind === "member_retired"), ["member_retiring", "member_retired"]);
});

test("whoever's scope another has taken writes nothing any more, visibly; when it is resumed its turn runs again", async (t) => {
  const dir = folder(t);
  const [begun, go] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  let runs = 0;
  await using mob = await open(dir, () => async ({ content }, ctx) => {
    runs += 1;
    begun.resolve();
    await go.promise;
    ctx.set("done", [...await ctx.get("done") as string[] | undefined ?? [], content]);
    return runs;
  });
  const { turn_id } = await mob.send(ask("ts", "x"));
  await begun.promise;
  const scope = memberScope("ts");
  await mob.ledger.store.commit({ scope, epoch: null, at_ms: Date.now(), ops: [{ op: "attach" }] });
  go.resolve();
  await until(() => mob.view.row("ts")?.state === "suspended");
  assert.equal(await mob.ledger.store.get(scope, "kv:member", "done"), undefined);
  assert.equal(mob.view.turns.get(turn_id)?.ended_at_ms, null);
  await mob.ledger.flush();
  assert.equal((await mob.ledger.query({ member: "ts", after: 0, kinds: ["stale_fence"] })).entries.length, 1);
  const waits = await mob.send(ask("ts", "y"));
  assert.equal(waits.state, "queued", "mail is accepted and waits");
  await mob.members.resume("ts", { principal: "local" });
  assert.deepEqual([(await mob.members.wait(turn_id, {})).output, (await mob.members.wait(waits.turn_id, {})).output], [2, 3]);
  assert.equal((await mob.ledger.store.get(scope, "kv:member", "done"))?.value, '["x","y"]');
});
