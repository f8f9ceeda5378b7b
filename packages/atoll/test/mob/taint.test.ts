/** Goal: what others wrote is known to be theirs, wherever it goes. Invariant: a turn never becomes cleaner. Method: a mob whose members ask each other, and rules that match on it. */
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { defineMob, type LinkedFactory, type MobRooms } from "@atoll-run/atoll/mob";
import type { Json } from "@atoll-run/core";
import { readSession } from "@atoll-run/mob";
import { sessionOf } from "@atoll-run/mob/internal";
import { memoryState } from "@atoll-run/testkit";
import { startRooms } from "./rooms.ts";

/** `net`: it reads a page. `ask:X`: it asks that member the rest. `write`: it writes a file, if it may. */
const worker: LinkedFactory = () => async ({ content }, ctx) => {
  const [first = "", ...rest] = (typeof content === "string" ? content : (content as { text: string }[])[0]?.text ?? "").split(" ");
  const then = rest.join(" ");
  if (first === "net") await ctx.guarded({ grant: "net", object: "example.org", args: {} }, () => null);
  if (first.startsWith("ask:")) return await ctx.mob.request(first.slice(4), then).catch(({ code }: { code: string }) => code);
  if (first === "write" || then === "write") return await ctx.guarded({ grant: "fs.write", args: { path: "x" } }, () => "written");
  return first;
};

const definition = defineMob({
  mob: { id: "care", members: [{ id: "ann", profile: "p" }, { id: "bob", profile: "p" }], edges: [["ann", "bob"]] },
  profiles: { p: { linked: "worker", grants: ["net:example.org", "fs.write:.", "mob:request"] } },
  approvals: [
    { match: { grant: "fs.write", taint: "external" }, tier: "deny" }, { match: { grant: "fs.write", origin: "stranger" }, tier: "deny" },
    // Not written down: the taint still is.
    { match: { grant: "net" }, tier: "R0" },
  ],
  flows: { two: { steps: { read: { member: "ann", message: "net" }, write: { member: "bob", depends_on: ["read"], message: "write", retries: 0 } } } },
});

async function open(t: TestContext): Promise<MobRooms> {
  const store = memoryState();
  t.after(() => store[Symbol.asyncDispose]());
  return await startRooms({ definition, ephemeral: true, env: { store }, linked: { worker } });
}

async function ask(mob: MobRooms, content: Json, from = "console") {
  const { turn_id } = await mob.send({ to: "ann", from, principal: "ada", content, conversation: "c" });
  return await mob.members.wait(turn_id, {});
}

test("a turn has the taint of its content, of who sends it and of what it has read, and rules match on it", async (t) => {
  await using mob = await open(t);
  const given = (text: string, taint: string): Json => [{ type: "text", text, taint }];
  for (const [content, from, taint, error] of [
    ["write", "console", undefined, undefined], ["write", "stranger", undefined, "mob.denied"], [given("write", "external"), "console", "external", "mob.denied"],
    [given("write", "clean"), "console", undefined, undefined], ["net write", "console", "external", "mob.denied"], ["ask:bob write", "console", "peer", undefined],
    [given("ask:bob write", "external"), "console", "external", undefined], ["write", "bob", "peer", undefined], [given("write", "clean"), "bob", "peer", undefined],
  ] as const) {
    const turn = await ask(mob, content, from);
    assert.deepEqual([turn.taint, turn.error?.code], [taint, error], JSON.stringify([content, from, turn.error]));
  }
  const asked = [...mob.view.turns.values()].filter(({ member }) => member === "bob").map(({ taint }) => taint);
  assert.deepEqual(asked, ["peer", "external"]);
  const { records } = await readSession(mob.ledger.store, { session_id: sessionOf("ann", 1), after: 0, limit: 1 });
  assert.deepEqual(records[0]?.blocks, [{ type: "text", text: "write", origin: "console", taint: "clean" }]);
  const { entries } = await mob.ledger.query({ after: 0, kinds: ["peer_content_ingested"] });
  assert.deepEqual(entries.map(({ data }) => data), [{ taint: "external", grant: "net" }, { taint: "peer", grant: "mob" }]);
});

test("each block of a content says who gave it and how far it can be trusted, to whoever gets it and in the session; other content is as it was", async (t) => {
  const store = memoryState();
  t.after(() => store[Symbol.asyncDispose]());
  const got: Json[] = [];
  await using mob = await startRooms({ definition, ephemeral: true, env: { store }, linked: { worker: () => ({ content }) => void got.push(content) } });
  const blocks = [{ type: "text", text: "a" }, { type: "text", text: "b", taint: "external" }, { type: "file", path: "x", taint: "clean", origin: "me" }];
  const plain: readonly Json[] = ["text", { type: "text", text: "no list" }, [{ type: "native", path: "x" }, { type: "text", text: "y" }], [1]];
  for (const content of [blocks, ...plain]) await ask(mob, content);
  await ask(mob, blocks, "bob");
  const stamp = (origin: string, ...taints: readonly string[]) => blocks.map((block, at) => ({ ...block, origin, taint: taints[at] }));
  assert.deepEqual(got, [stamp("console", "clean", "external", "clean"), ...plain, stamp("bob", "peer", "external", "peer")]);
  const { records } = await readSession(store, { session_id: sessionOf("ann", 1), after: 0 });
  const inputs = records.filter(({ role }) => role === "user").map((record) => record.blocks);
  assert.deepEqual([inputs[0], inputs.at(-1)], [got[0], got.at(-1)]);
  assert.deepEqual(inputs[3]?.map(({ taint }) => taint), ["clean", "clean"]);
});

test("what a step of a flow has read taints the steps after it", async (t) => {
  await using mob = await open(t);
  const { run_id } = await mob.flows.run({ flow: "two", principal: "ada" });
  const run = await mob.flows.wait(run_id, AbortSignal.timeout(60_000));
  assert.deepEqual([run.state, run.taint, run.steps["read"]?.state, run.steps["write"]?.state], ["failed", "external", "completed", "failed"]);
});
