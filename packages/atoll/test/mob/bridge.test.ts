/**
 * Goal: members reach their mob by one bridge, whatever they are written in. Invariant: what is not granted or not wired is refused, and a turn that
 * runs again does nothing twice. Method: a script in Lua, one in TypeScript and linked code do the same.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, test } from "node:test";
import { defineMob, type LinkedContext, type LinkedFactory } from "@atoll-run/atoll/mob";
import { readSession } from "@atoll-run/mob";
import { isFault, nodeError, type Json } from "@atoll-run/core";
import { until } from "@atoll-run/testkit";
import { startRooms } from "./rooms.ts";

const VERBS = ["me", "members", "send", "request", "spawn", "retire", "wake", "note", "flow"].map((verb) => `mob:${verb}`);
const KINDS = ["lua", "ts", "linked"] as const;

/** What linked code is asked to do; the scripts do the same. */
const doer: LinkedFactory = () => async ({ content }, ctx) => {
  const { verb, args = [] } = content as unknown as { verb: Exclude<keyof LinkedContext["mob"], "flow">; args?: readonly Json[] };
  try {
    return { given: await (ctx.mob[verb] as (...args: readonly Json[]) => Promise<Json>)(...args) ?? null };
  } catch (error) {
    if (!isFault(error)) throw error;
    return { code: error.code, text: error.message };
  }
};

const seen: Json[] = [];
const peer: LinkedFactory = (me) => async ({ content, attempt }, ctx) => {
  if (content === "fail") throw nodeError("node.invalid_argument", "no", { retry: "never" });
  if (content === "hang") await new Promise((_, reject) => ctx.signal.addEventListener("abort", () => reject(ctx.signal.reason as Error)));
  seen.push(content);
  return { by: me.id, said: content, attempt };
};
/** Asks twice with one content, and is run again once. */
const twice: LinkedFactory = () => async ({ attempt }, ctx) => {
  const tickets = [await ctx.mob.send("peer", "same"), await ctx.mob.send("peer", "same")];
  const answer = await ctx.mob.request("peer", "once");
  if (attempt === 1) throw new Error("again");
  return { tickets, answer };
};
/** Those two ask each other, for ever. */
const circle: LinkedFactory = (me) => (_, ctx) => ctx.mob.request(me.id === "round-1" ? "round-2" : "round-1", "go on", { timeoutMs: 500 });

const definition = defineMob({
  mob: {
    id: "bridged",
    members: [
      ...KINDS.map((id) => ({ id, profile: id })), { id: "peer", profile: "peer", display_name: "A peer" }, { id: "far", profile: "peer" }, { id: "poor", profile: "poor" },
      { id: "twice", profile: "twice" }, { id: "round", profile: "round", count: 2 },
    ],
    edges: [...KINDS.map((id) => [id, "peer"] as [string, string]), ["poor", "peer"], ["twice", "peer"], ["round-1", "round-2"]],
  },
  profiles: {
    lua: { script: "mob.lua", grants: VERBS, model: "m1" }, ts: { script: "mob.ts", grants: VERBS, model: "m1" }, linked: { linked: "doer", grants: VERBS, model: "m1" },
    peer: { linked: "peer", labels: { role: "peer" } }, poor: { script: "mob.lua", grants: ["mob:me"] }, twice: { linked: "twice", grants: VERBS }, round: { linked: "circle", grants: ["mob"] },
    helper: { linked: "peer" },
  },
  flows: { small: { steps: { one: { member: "peer", message: "{{ params.text }}", dispatch: "one_to_one" } } } },
});

const mob = await startRooms({ definition, ephemeral: true, root: join(import.meta.dirname, "scripts"), linked: { doer, peer, twice, circle } });
after(() => mob.close({ drainMs: 0 }));

async function turnOf(to: string, content: Json, deadlineMs?: number) {
  const { turn_id } = await mob.send({ to, from: "console", principal: "ada", content, ...deadlineMs === undefined ? {} : { deadlineMs } });
  return await mob.members.wait(turn_id, {});
}

async function ask(to: string, verb: string, ...args: Json[]): Promise<{ given?: Json; code?: string; text?: string }> {
  const { output, error } = await turnOf(to, { verb, args });
  assert.equal(error, null);
  return output as { given?: Json; code?: string };
}

for (const id of KINDS) {
  test(`${id}: a member knows itself and those it is wired to`, async () => {
    assert.deepEqual((await ask(id, "me")).given, {
      id, profile: id, generation: 1, session: mob.view.row(id)?.session.id as string, labels: {}, context: null, wired_to: ["peer"], model: "m1",
    });
    const { given } = await ask(id, "members");
    const state = mob.view.row("peer")?.state as string;
    assert.deepEqual(given, [{ id: "peer", profile: "peer", state, labels: { role: "peer" }, display_name: "A peer" }]);
  });

  test(`${id}: a request gives what the other gave, on behalf of whoever asked first`, async () => {
    const { given } = await ask(id, "request", "peer", { of: id });
    assert.deepEqual(given, { by: "peer", said: { of: id }, attempt: 1 });
    const asked = [...mob.view.turns.values()].find(({ from, member }) => from === id && member === "peer");
    assert.equal(asked?.principal, "ada");
  });

  test(`${id}: send gives a ticket, and one key is one turn`, async () => {
    const sent = async () => (await ask(id, "send", "peer", "hi", { key: "k" })).given as { turn_id: string; duplicate: boolean } | undefined;
    const [one, two] = [await sent(), await sent()];
    assert.deepEqual([one?.duplicate, two?.duplicate, one?.turn_id], [false, true, two?.turn_id]);
    assert.equal((await mob.members.wait(one?.turn_id ?? "", {})).state, "done");
    assert.equal((await ask(id, "send", "peer", "ho", { key: "k" })).code, "mob.conflict");
  });

  test(`${id}: what fails has a code: not wired, not there, no content, wrong options, an answer that is none`, async () => {
    const code = async (...args: Json[]): Promise<string | undefined> => (await ask(id, "request", ...args)).code;
    assert.deepEqual([
      await code("far", "x"), await code("nobody", "x"), await code("peer", ""), await code("peer", "x", { timeout_ms: "soon" }), await code("peer", "fail"),
    ], ["mob.not_addressable", "mob.not_found", "mob.content_empty", "mob.invalid_params", "mob.tool_failed"]);
  });

  test(`${id}: a helper is made, wired and ended by who made it alone`, async () => {
    const helper = `${id}-helper`;
    assert.equal((await ask(id, "spawn", { id: helper, profile: "helper" })).code, undefined);
    assert.deepEqual([mob.view.row(helper)?.origin, mob.view.row(helper)?.spawned_by, mob.view.isWired(id, helper)], ["helper", id, true]);
    assert.equal((await ask(id, "request", helper, "work")).code, undefined);
    assert.deepEqual([
      (await ask(id, "spawn", { id: `${helper}-2`, profile: "helper", grants: ["run"] })).code, (await ask(id, "spawn", { id: "x", profile: "nope" })).code,
      (await ask(id, "spawn", { id: "peer", profile: "peer" })).code, (await ask(id, "retire", "peer")).code,
    ], ["mob.grant_widened", "mob.invalid_params", "mob.conflict", "mob.denied"]);
    assert.equal((await ask(id, "retire", helper)).code, undefined);
    await until(() => mob.view.row(helper)?.state === "retired");
  });

  test(`${id}: a note stands in the session and in the ledger, and a wake is a turn of its own`, async () => {
    const { turn_id } = await turnOf(id, { verb: "note", args: ["green"] });
    const { records } = await readSession(mob.ledger.store, { session_id: mob.view.row(id)?.session.id ?? "", limit: 2 });
    assert.deepEqual(records.map(({ role, turn_id: of }) => [role, of]), [["note", turn_id], ["assistant", turn_id]]);
    assert.deepEqual(records[0]?.blocks, [{ type: "text", text: "green" }]);
    const { entries } = await mob.ledger.query({ turn_id, kinds: ["note"], after: 0 });
    assert.deepEqual(entries.map(({ data, source }) => [data, source]), [[{ text: "green" }, "member"]]);
    const { given } = await ask(id, "wake", { verb: "me" });
    assert.equal((await mob.members.wait((given as { turn_id: string }).turn_id, {})).from, id);
  });
}

test("a verb without its grant is refused, and the ledger says so", async () => {
  assert.equal((await ask("poor", "me")).code, undefined);
  const { code, text } = await ask("poor", "send", "peer", "x");
  assert.equal(code, "grant.denied");
  assert.match(text ?? "", /needs grant mob:send/);
  await mob.ledger.flush();
  assert.equal((await mob.ledger.query({ kinds: ["grant_denied"], member: "poor", after: 0 })).entries.length, 1);
});

test("a flow that a member starts goes on without it", async () => {
  const { output } = await turnOf("lua", { verb: "flow", args: ["small", { text: "by flow" }] });
  const run = await mob.flows.wait((output as { run_id: string }).run_id, new AbortController().signal);
  assert.equal(run.state, "completed");
  assert.ok(seen.includes("by flow"));
});

test("a turn that runs again sends nothing twice", async () => {
  const { output, attempt } = await turnOf("twice", "go");
  const { tickets, answer } = output as { tickets: { turn_id: string; duplicate: boolean }[]; answer: Json };
  assert.deepEqual([attempt, tickets.map(({ duplicate }) => duplicate), answer], [2, [true, true], { by: "peer", said: "once", attempt: 1 }]);
  assert.notEqual(tickets[0]?.turn_id, tickets[1]?.turn_id);
  await until(() => seen.filter((content) => content === "same").length === 2);
  assert.equal(seen.filter((content) => content === "once").length, 1);
});

test("who waits for another waits as long as its own turn has, also where two wait for each other", async () => {
  const hung = await turnOf("lua", { verb: "request", args: ["peer", "hang"], raise: true }, 400);
  assert.ok(["expired", "failed", "dead"].includes(hung.state), hung.state);
  const round = await turnOf("round-1", "begin", 3_000);
  assert.notEqual(round.state, "done");
});
