/**
 * `agent.run{session = id}`: messages outlive the run, and an interrupted run goes on where it was (issue B).
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { KvStore } from "@atoll-run/core";
import { memoryKv } from "@atoll-run/testkit";
import { createSessions, isInterrupted } from "../../src/agent/session.ts";
import type { Guard } from "../../src/config.ts";
import { valueOf } from "../support/run-script.ts";
import { assertStrict, KEYS, type Loose, placing, run } from "./lua.ts";
import { calls, provider as open, says, status } from "./provider.ts";

const NS = "_agent_block_session";

/** One store for several runs. */
function kept(): { kv: KvStore; stores: { kv: () => KvStore } } {
  const kv = memoryKv();
  return { kv, stores: { kv: () => ({ ...kv, [Symbol.asyncDispose]: () => Promise.resolve() }) } };
}

async function stored(kv: KvStore, id: string): Promise<Loose> {
  return JSON.parse(await kv.get(NS, id, {}) ?? "[]");
}

test("a session keeps the messages of a run, and the next run goes on after them", async (t) => {
  const p = await open(t);
  const { kv, stores } = kept();
  p.script(says("hello"), says("again"));
  const first = await run(p, `return agent.run{prompt = "hi", session = "s"}`, { stores });
  assert.deepEqual(await stored(kv, "s"), first.messages);
  const second = await run(p, `
    local r = agent.run{prompt = "hi", session = "s"}
    return {#r.messages, #require("session").load("s")}`, { stores });
  assert.deepEqual(second, [4, 4]);
  assert.deepEqual(p.asked[1]?.body.messages.map((one: Loose) => one.role), ["user", "assistant", "user"]);
});

test("every message and every tool result is stored before the next thing happens", async (t) => {
  const p = await open(t);
  const { stores } = kept();
  p.script(calls([["look", {}], ["look", {}]]), says("done"));
  const r = await run(p, `
    local seen = {}
    tool.register("look", {}, function()
      local messages = std.kv.get("${NS}", "s")
      seen[#seen + 1] = {#messages, #messages > 2 and #messages[3].content or 0}
      return "x"
    end)
    agent.run{prompt = "go", session = "s", on_turn = function() seen[#seen + 1] = #std.kv.get("${NS}", "s") end}
    return seen`, { stores });
  assert.deepEqual(r, [2, [2, 0], [3, 1], 4]);
});

test("an interrupted run with the same prompt goes on: open calls run, stored results are not asked for again", async (t) => {
  const p = await open(t);
  const { kv, stores } = kept();
  const messages = [
    { role: "user", content: "go" },
    { role: "assistant", content: ["a", "b", "c"].map((id) => ({ type: "tool_use", id, name: "look", input: { id } })) },
    { role: "user", content: [{ type: "tool_result", tool_use_id: "b", content: "stored b" }] },
  ];
  await kv.set(NS, "s", JSON.stringify(messages), {});
  p.script(says("done"));
  const r = await run(p, `
    local ran = {}
    tool.register("look", {}, function(i) ran[#ran + 1] = i.id return "ran " .. i.id end)
    local r = agent.run{prompt = "go", session = "s"}
    r.ran = ran
    return r`, { stores });
  assert.deepEqual(r.ran, ["a", "c"]);
  const sent = p.asked[0]?.body.messages;
  assertStrict(sent);
  assert.deepEqual(sent[2].content.map((one: Loose) => one.content), ["ran a", "stored b", "ran c"]);
  assert.equal(sent.length, 3);
  assert.deepEqual(await stored(kv, "s"), r.messages);
});

test("an interrupted run with another prompt closes what was open and is told the new prompt", async (t) => {
  const p = await open(t);
  const { kv, stores } = kept();
  const messages = [{ role: "user", content: "go" }, { role: "assistant", content: [{ type: "tool_use", id: "a", name: "look", input: {} }] }];
  await kv.set(NS, "s", JSON.stringify(messages), {});
  p.script(says("done"));
  await run(p, `agent.run{prompt = "something else", session = "s"}`, { stores });
  const sent = p.asked[0]?.body.messages;
  assertStrict(sent);
  assert.deepEqual(
    sent[2].content.map((one: Loose) => one.content ?? one.text), ["not run: interrupted", "something else"],
  );
});

test("a run that failed goes on when it is started again", async (t) => {
  const p = await open(t);
  const { stores } = kept();
  p.script(calls([["look", {}]]), status(400), says("done"));
  const r = await run(p, `
    local ran = 0
    tool.register("look", {}, function() ran = ran + 1 return "x" end)
    local first = agent.run{prompt = "go", session = "s"}
    local second = agent.run{prompt = "go", session = "s"}
    return {first.ok, second.content, ran, #second.messages}`, { stores });
  assert.deepEqual(r, [false, "done", 1, 4]);
});

test("one session is one run at a time; its id is a non-empty string; what is no list of messages is refused", async (t) => {
  const p = await open(t);
  const { kv, stores } = kept();
  await kv.set(NS, "odd", `{"a":1}`, {});
  p.script(calls([["nested", {}]]), says("done"));
  const r = await run(p, `
    local inner
    tool.register("nested", {}, function() inner = agent.run{prompt = "x", session = "s"} return "x" end)
    agent.run{prompt = "go", session = "s"}
    return {inner.error, agent.run{prompt = "x", session = ""}.error, agent.run{prompt = "x", session = "odd"}.error}`, { stores });
  assert.deepEqual(r, [
    "session 's' is in use by another run", "session: id must be a non-empty string",
    "session 'odd' does not hold messages",
  ]);
});

test("a store that fails ends the run with its error", async (t) => {
  const p = await open(t);
  p.script(says("done"));
  const broken = (): KvStore => ({ ...memoryKv(), set: () => Promise.reject(new Error("disk full")) });
  const r = await run(p, `return agent.run{prompt = "go", session = "s"}`, { stores: { kv: broken } });
  assert.deepEqual([r.ok, r.stopped_by, r.error], [false, "error", "disk full"]);
});

test("messages that end with the model's word are no interrupted run", async () => {
  const done = [{ role: "user" as const, content: "go" }, { role: "assistant" as const, content: [{ type: "text" as const, text: "x" }] }];
  assert.equal(isInterrupted([], "go"), false);
  assert.equal(isInterrupted(done, "go"), false);
  assert.equal(isInterrupted(done.slice(0, 1), "go"), true);
  assert.equal(isInterrupted(done.slice(0, 1), "other"), false);
  const sessions = createSessions(memoryKv, { timeoutMs: 0 });
  assert.deepEqual(await sessions.load("nobody"), []);
});

/** Writes and runs of a command wait for a decision; models do not. */
const parks: Guard = async ({ grant }) => /^(fs\.write|run)/.test(grant) ? { park: "approval:a_1" } : "allow";

test("a call that is parked ends the run with that, and has no result in the session, in Lua and in JavaScript", async (t) => {
  const p = await open(t);
  const { kv, stores } = kept();
  p.script(calls([["look", {}], ["put", {}]]), calls([["look", {}], ["put", {}]]));
  const told = { grants: ["fs.write", "model", "env"], guard: parks, stores };
  const inLua = await run(p, `
    local tools = {
      {name = "look", input_schema = {}, handler = function() return "seen" end},
      {name = "put", input_schema = {}, handler = function() std.fs.write("x", "y") end},
    }
    local ok, e = pcall(agent.run, {prompt = "go", session = "lua", extra_tools = tools})
    return {ok, e.code, e.facts.park}`, told);
  assert.deepEqual(inLua, [false, "grant.denied", "approval:a_1"]);
  const inJs = await valueOf(`
    import { agent, std } from "@atoll-run/atoll/script";
    const tools = [{ name: "look", input_schema: {}, handler: () => "seen" }, { name: "put", input_schema: {}, handler: () => std.fs.write("x", "y") }];
    let told;
    try { await agent.run({ prompt: "go", session: "js", extraTools: tools }); } catch (e) { told = [e.code, e.facts.park]; }
    export default told;`, { ...told, placing, name: "park.mjs", env: { ...KEYS, ANTHROPIC_BASE_URL: p.url } });
  assert.deepEqual(inJs, ["grant.denied", "approval:a_1"]);
  for (const id of ["lua", "js"]) {
    const messages = await stored(kv, id);
    assert.deepEqual(messages[2].content.map((block: Loose) => block.content), ["seen"]);
  }
});

test("a command that waits for a decision is not told as refused", async () => {
  const value = await valueOf(`local ok, e = pcall(sh.exec, "true") return {ok, e.facts.park}`, { guard: parks });
  assert.deepEqual(value, [false, "approval:a_1"]);
});
