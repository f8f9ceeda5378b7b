/**
 * Goal: an agent is a member like all others. Invariant: what its tools have done is done once, whatever happens to its turn. Method: a model that plays a
 * part, real files, a mob that is opened again on the same store.
 */
import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { defineMob, type MobRooms } from "@atoll-run/atoll/mob";
import { MOB_LIMITS, readSession } from "@atoll-run/mob";
import { memoryBlobs, type Json, type StateStore } from "@atoll-run/core";
import { createBlobs, journalOf, memberScope, recordOp, sessionOf } from "@atoll-run/mob/internal";
import { memoryState, startMockModel, until, type MockModel, type MockTurn } from "@atoll-run/testkit";
import { startRooms } from "./rooms.ts";

interface World {
  readonly model: MockModel;
  readonly out: string;
  readonly store: StateStore;
  open(): Promise<MobRooms>;
}

async function world(t: TestContext, turns: readonly MockTurn[], limits: Readonly<Record<string, number>> = {}): Promise<World> {
  const model = await startMockModel({ script: { turns } });
  const out = mkdtempSync(join(tmpdir(), "atoll-agent-"));
  writeFileSync(join(out, "system.md"), "You fill in forms.");
  const store = memoryState();
  t.after(async () => {
    await model.close();
    await store[Symbol.asyncDispose]();
    rmSync(out, { recursive: true });
  });
  const definition = defineMob({
    mob: { id: "smart", members: [{ id: "ann", profile: "writer", instructions: ["Be kind."] }, { id: "bob", profile: "echo" }, { id: "dumb", profile: "dumb" }, { id: "form", profile: "form" }], edges: [["ann", "bob"]] },
    profiles: {
      writer: { agent: true, model: "auto", system: "You write.", grants: [`fs.write:${out}`, "mob:request"] }, echo: { linked: "echo", output_schema: { type: "object", required: ["heard"] } }, dumb: { agent: true },
      form: {
        agent: true, model: "claude-test", system: { file: "system.md" }, skills: ["You count."], model_params: { max_tokens: 77 }, grants: ["mob:members"],
        output_schema: { type: "object", properties: { n: { type: "integer" } }, required: ["n"] },
      },
    },
    limits, approvals: [
      { match: { grant: "fs.write", object: `${out}/asked*` }, tier: "R3" }, { match: { grant: "fs.write", object: `${out}/clean*`, taint: "peer" }, tier: "deny" },
    ],
  });
  return {
    model, out, store,
    open: () => startRooms({
      definition, ephemeral: true, env: { store }, root: out, linked: { echo: () => ({ content }) => ({ heard: content }) },
      variables: { ANTHROPIC_API_KEY: "key", ANTHROPIC_BASE_URL: model.url },
    }),
  };
}

async function turnOf(mob: MobRooms, content: Json, to = "ann") {
  const { turn_id } = await mob.send({ to, from: "console", principal: "ada", content });
  return await mob.members.wait(turn_id, {});
}

const bodies = ({ requests }: MockModel): { messages: { role: string; content: { type: string; text?: string }[] | string }[]; system: unknown; tools: { name: string }[] }[] =>
  requests.map(({ body }) => body as never);
const calls = (path: string): MockTurn => ({ reply: { tool_calls: [{ name: "write_file", input: { path, text: "hello" } }] } });

test("a turn is a prompt: its tools are what is granted, its session is that of the member, and the next turn knows of it", async (t) => {
  const { model, open, out, store } = await world(t, [
    { when: { text: "go" }, reply: { tool_calls: [{ name: "write_file", input: { path: "a.txt", text: "hello" } }, { name: "mob_request", input: { to: "bob", content: { n: 1 } } }] } },
    { when: { tool_result: "heard" }, reply: { text: "done" } },
    { when: { text: "and", messages: 5 }, reply: { text: "again" } },
  ]);
  await using mob = await open();
  const turn = await turnOf(mob, "go");
  assert.deepEqual([turn.state, turn.output, turn.error], ["done", "done", null]);
  assert.equal(readFileSync(join(out, "a.txt"), "utf8"), "hello");
  const [first] = bodies(model);
  assert.deepEqual(first?.tools.map(({ name }) => name), ["read_file", "list_files", "write_file", "mob_request"]);
  assert.match(JSON.stringify(first?.system), /You write\.\\n\\nBe kind\./);
  const { records } = await readSession(store, { session_id: sessionOf("ann", 1) });
  assert.deepEqual(records.map(({ role, blocks }) => [role, ...blocks.map(({ type }) => type)]), [
    ["user", "text"], ["assistant", "tool_use", "tool_use"], ["tool", "tool_result"], ["tool", "tool_result"], ["assistant", "text"],
  ]);
  assert.deepEqual(records.map(({ blocks: [block] }) => [block?.["origin"], block?.["taint"]]), [
    ["console", "clean"], ["ann", "clean"], ["tool", "clean"], ["tool", "peer"], ["ann", "peer"],
  ]);
  const { tokens_in = 0, tokens_out = 0 } = turn.usage ?? {};
  const tokens = records.map((record) => record.tokens);
  assert.deepEqual([tokens.reduce((sum, one) => sum + one), tokens.map((one) => one > 0)], [tokens_in + tokens_out, [false, true, false, false, true]]);
  assert.doesNotMatch(JSON.stringify(bodies(model)), /taint|origin/);
  const { entries } = await mob.ledger.query({ turn_id: turn.turn_id, after: 0, classes: ["agent"] });
  assert.deepEqual(entries.map(({ kind }) => kind), [
    "run_started", "turn_completed", "tool_call_requested", "tool_call_requested", "tool_result_received", "peer_content_ingested", "tool_result_received", "turn_completed", "run_completed",
  ]);
  // JSON is told as text; the last turn stands before it.
  assert.equal((await turnOf(mob, { and: "more" })).output, "again");
});

test("who goes on with what others wrote is tainted by it, in later turns and other processes too, until it is reset", async (t) => {
  const { model, open, out } = await world(t, [
    { reply: { tool_calls: [{ name: "mob_request", input: { to: "bob", content: "hi" } }] } }, { when: { tool_result: "heard" }, reply: { text: "asked" } },
    calls("clean.txt"), { when: { tool_result: "denied" }, reply: { text: "I may not" } },
    calls("clean.txt"), { when: { tool_result: "written" }, reply: { text: "I did" } },
  ]);
  {
    await using mob = await open();
    assert.deepEqual((await turnOf(mob, "ask bob")).taint, "peer");
  }
  await using mob = await open();
  const later = await turnOf(mob, "write");
  assert.deepEqual([later.output, later.taint, existsSync(join(out, "clean.txt"))], ["I may not", "peer", false]);
  const { entries } = await mob.ledger.query({ turn_id: later.turn_id, after: 0, kinds: ["peer_content_ingested"] });
  assert.deepEqual(entries.map(({ data }) => data), [{ taint: "peer", grant: "session" }]);
  const { messages = [] } = bodies(model).at(-1) ?? {};
  assert.doesNotMatch(JSON.stringify(messages), /taint|origin/);
  await mob.members.reset("ann", { principal: "boss" });
  const anew = await turnOf(mob, "write");
  assert.deepEqual([anew.output, anew.taint, existsSync(join(out, "clean.txt"))], ["I did", undefined, true]);
});

test("a call that waits for a decision parks the turn, which goes on from its session, also in another process", async (t) => {
  const { model, open, out } = await world(t, [calls("first.txt"), calls("asked.txt"), { when: { tool_result: "written" }, reply: { text: "both" } }]);
  let turn_id = "";
  {
    await using mob = await open();
    ({ turn_id } = await mob.send({ to: "ann", from: "console", principal: "ada", content: "write" }));
    await until(() => mob.view.turns.get(turn_id)?.state === "waiting_approval");
    assert.deepEqual([existsSync(join(out, "first.txt")), existsSync(join(out, "asked.txt"))], [true, false]);
    rmSync(join(out, "first.txt"));
  }
  await using mob = await open();
  const [approval] = [...mob.view.approvals.values()];
  await mob.approvals.decide({ id: approval?.id ?? "", decision: "approve", principal: "boss", local: false });
  const turn = await mob.members.wait(turn_id, {});
  assert.deepEqual([turn.state, turn.output], ["done", "both"]);
  assert.deepEqual([existsSync(join(out, "first.txt")), readFileSync(join(out, "asked.txt"), "utf8")], [false, "hello"]);
  assert.equal(model.requests.length, 3, "the model is not asked again for what it said");
});

const RULES = { ledger: { redact: (value: Json) => value }, limits: { recordBytesMax: 10_000 }, blobs: createBlobs({ store: memoryBlobs(), limits: MOB_LIMITS }) };

test("after a kill stored results are used, and a call that was begun is not made again", async (t) => {
  const { model, open, out, store } = await world(t, [{ when: { tool_result: "outcome unknown" }, reply: { text: "I looked" } }]);
  const session = sessionOf("ann", 1);
  let turn_id = "";
  {
    await using mob = await open();
    await mob.members.suspend("ann", { principal: "boss", why: "operator" });
    ({ turn_id } = await mob.send({ to: "ann", from: "console", principal: "ada", content: "write" }));
  }
  // As a process leaves it that is killed while its second call runs.
  const blocks = ["one", "two"].map((name) => ({ type: "tool_use", id: `call_${name}`, name: "write_file", input: { path: `${name}.txt`, text: "x" } }));
  const at = { turn_id, tokens: 0, ts_ms: 1 };
  await store.commit({ scope: memberScope("ann"), epoch: null, at_ms: 1, ops: [
    await recordOp(session, { ...at, role: "assistant", blocks }, RULES),
    await recordOp(session, { ...at, role: "tool", blocks: [{ type: "tool_result", tool_use_id: "call_one", content: "written" }] }, RULES),
  ] });
  await using mob = await open();
  await mob.members.resume("ann", { principal: "boss" });
  const turn = await mob.members.wait(turn_id, {});
  assert.deepEqual([turn.output, existsSync(join(out, "one.txt")), existsSync(join(out, "two.txt"))], ["I looked", false, false]);
  assert.deepEqual(bodies(model).map(({ messages }) => messages.length), [3]);
});

test("a turn whose records are more than a model is told of others goes on from all of them after a kill", async (t) => {
  const { model, open, store } = await world(t, [{ when: { tool_result: "second" }, reply: { text: "both read" } }]);
  const session = sessionOf("ann", 1);
  let turn_id = "";
  {
    await using mob = await open();
    await mob.members.suspend("ann", { principal: "boss", why: "operator" });
    ({ turn_id } = await mob.send({ to: "ann", from: "console", principal: "ada", content: "read both" }));
  }
  const at = { turn_id, tokens: 0, ts_ms: 1 };
  const limits = { ...MOB_LIMITS, recordBytesMax: 1_048_576 };
  const ops = await Promise.all(["first", "second"].flatMap((name) => [
    recordOp(session, { ...at, role: "assistant", blocks: [{ type: "tool_use", id: `call_${name}`, name: "mob_members", input: {} }] }, { ...RULES, limits }),
    recordOp(session, { ...at, role: "tool", blocks: [{ type: "tool_result", tool_use_id: `call_${name}`, content: `${name} ${"x".repeat(400_000)}` }] }, { ...RULES, limits }),
  ]));
  await store.commit({ scope: memberScope("ann"), epoch: null, at_ms: 1, ops });
  await using mob = await open();
  await mob.members.resume("ann", { principal: "boss" });
  assert.equal((await mob.members.wait(turn_id, {})).output, "both read");
  assert.deepEqual(bodies(model).map(({ messages }) => messages.length), [5]);
});

test("an answer that is not what the profile asks for is repaired twice at most, and the log has what was said", async (t) => {
  const { model, open, store } = await world(t, [
    { when: { text: "go" }, reply: { text: "Certainly!", tool_calls: [{ name: "mob_members" }] } }, { when: { tool_result: "[" }, reply: { text: "it is one" } },
    { when: { text: "not JSON" }, reply: { text: "{\"n\": \"one\"}" } }, { when: { text: "n: " }, reply: { text: "```json\n{\"n\": 1}\n```" } },
    { when: { text: "again" }, reply: { text: "no" } }, { when: { text: "not JSON" }, reply: { text: "never" }, times: "any" },
  ]);
  await using mob = await open();
  assert.deepEqual((await turnOf(mob, "go", "form")).output, { n: 1 });
  const { records } = await readSession(store, { session_id: sessionOf("form", 1) });
  assert.deepEqual(records.map(({ role, blocks: [first] }) => [role, first?.type]), [
    ["user", "text"], ["assistant", "text"], ["tool", "tool_result"], ["assistant", "text"], ["tool", "text"], ["assistant", "text"], ["tool", "text"], ["assistant", "json"],
  ]);
  const [first] = bodies(model) as unknown as [{ system: unknown; model: string; max_tokens: number }];
  assert.match(JSON.stringify(first.system), /You fill in forms\.\\n\\nYou count\.\\n\\nYour last message is JSON alone/);
  assert.deepEqual([first.model, first.max_tokens], ["claude-test", 77]);
  const failed = await turnOf(mob, "again", "form");
  assert.deepEqual([failed.state, failed.error?.code, model.requests.length], ["failed", "mob.output_invalid", 7]);
  assert.deepEqual((await turnOf(mob, "hi", "bob")).output, { heard: "hi" });
});

test("a session that has grown long is summarized: a snapshot is added, no record changes, and one that fails changes nothing", async (t) => {
  const SUMMARY = { when: { text: "Summarize this conversation" } };
  const { model, open, store } = await world(t, [
    { ...SUMMARY, error: { status: 400, message: "no" } }, { ...SUMMARY, reply: { text: "ann likes blue" } }, { ...SUMMARY, reply: { text: "ann likes red now" } },
    { times: "any", reply: { text: "ok" } },
  ], { compactBytes: 4_000, compactKeepBytes: 1_250 });
  const session_id = sessionOf("ann", 1);
  const told = (n: number): string => `turn ${n} ${"x".repeat(900)}`;
  const asked = (): readonly { text: string; tools: unknown }[] => bodies(model).map(({ messages, tools }) => ({ text: JSON.stringify(messages), tools }));
  const kinds = async (mob: MobRooms): Promise<unknown> => (await mob.ledger.query({ after: 0 })).entries.map(({ kind }) => kind).filter((kind) => kind.startsWith("compaction"));
  let before: unknown;
  {
    await using mob = await open();
    await turnOf(mob, [{ type: "text", text: told(1), taint: "external" }]);
    for (const n of [2, 3, 4]) await turnOf(mob, told(n));
    assert.deepEqual(await kinds(mob), ["compaction_started", "compaction_failed"]);
    assert.match(asked().at(-1)?.text ?? "", /turn 1 .*turn 2 .*turn 3 .*turn 4 /);
    before = (await readSession(store, { session_id })).records;
    await turnOf(mob, told(5));
    assert.deepEqual(await kinds(mob), ["compaction_started", "compaction_failed", "compaction_started", "compaction_completed"]);
    const [summary, last] = asked().slice(-2);
    assert.match(summary?.text ?? "", /turn 1 .*turn 3 /);
    assert.doesNotMatch(summary?.text ?? "", /turn 5 /);
    assert.equal(summary?.tools, undefined);
    assert.match(last?.text ?? "", /What was before, in short:\\nann likes blue.*turn 4 .*turn 5 /);
    assert.doesNotMatch(last?.text ?? "", /turn [123] /);
    const { records } = await readSession(store, { session_id, limit: 100 });
    assert.deepEqual(records.slice(0, (before as unknown[]).length), before);
    assert.equal(records.find(({ role }) => role === "snapshot")?.covers, records.filter(({ role }) => role === "assistant")[2]?.seq);
  }
  await using mob = await open();
  // What was from outside is so in the summary of it.
  assert.equal((await turnOf(mob, "short")).taint, "external");
  const { records } = await readSession(store, { session_id, limit: 100 });
  const snapshot = records.find(({ role }) => role === "snapshot");
  assert.deepEqual([snapshot?.blocks[0]?.["taint"], (snapshot?.tokens ?? 0) > 0], ["external", true]);
  assert.match(asked().at(-1)?.text ?? "", /ann likes blue.*turn 4 .*turn 5 .*short/);
  for (const n of [6, 7]) await turnOf(mob, told(n));
  const again = asked().findLast(({ text }) => text.includes("Summarize this"))?.text ?? "";
  assert.match(again, /What was before:\\nann likes blue.*turn 4 /);
  assert.match(asked().at(-1)?.text ?? "", /in short:\\nann likes red now/);
});

test("an agent is broken when what it would go on with is damaged, not only its last record, and is itself again after a reset", async (t) => {
  const { model, open, store } = await world(t, [{ reply: { text: "one" } }, { times: "any", reply: { text: "anew" } }]);
  {
    await using mob = await open();
    assert.equal((await turnOf(mob, "hi")).output, "one");
  }
  const session = sessionOf("ann", 1);
  await store.commit({ scope: memberScope("ann"), epoch: null, at_ms: 1, ops: [
    { op: "append", journal: journalOf(session), body: "{\"role\":" },
    await recordOp(session, { turn_id: null, role: "note", blocks: [{ type: "text", text: "read first" }], tokens: 0, ts_ms: 1 }, RULES),
  ] });
  await using mob = await open();
  await mob.send({ to: "ann", from: "console", principal: "ada", content: "two" });
  await until(() => mob.view.row("ann")?.state === "broken");
  assert.equal(mob.view.row("ann")?.last_error?.code, "snapshot_corrupted");
  await mob.members.reset("ann", { principal: "boss" });
  assert.deepEqual([(await turnOf(mob, "three")).output, model.requests.length], ["anew", 2]);
});

test("a model that is away is asked three times more, then the turn fails and its member stays", async (t) => {
  const away: MockTurn = { error: { status: 503, retry_after: 0 }, times: 3 };
  const { model, open } = await world(t, [away, { reply: { text: "back" } }, { ...away, times: "any" }]);
  await using mob = await open();
  assert.equal((await turnOf(mob, "one")).output, "back");
  const failed = await turnOf(mob, "two");
  assert.deepEqual([failed.state, failed.error?.code, failed.attempt, model.requests.length], ["failed", "mob.model_unavailable", 1, 8]);
  assert.deepEqual([mob.view.row("ann")?.state, mob.view.row("ann")?.queue.dead], ["active", 0]);
});

test("an agent without a model is broken, and says why", async (t) => {
  const { open } = await world(t, []);
  await using mob = await open();
  await mob.send({ to: "dumb", from: "console", principal: "ada", content: "hi" });
  await until(() => mob.view.row("dumb")?.state === "broken");
  assert.equal(mob.view.row("dumb")?.last_error?.code, "model_missing");
});
