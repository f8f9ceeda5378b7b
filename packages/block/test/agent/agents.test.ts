/** The agent loop from TypeScript: `createAgents`, own models, tools of the program, cancel (block 6). */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { test } from "node:test";
import type { LogEvent } from "@atoll-run/core";
import { memoryKv } from "@atoll-run/testkit";
import { type AgentsParts, createAgents } from "../../src/agents.ts";
import type { ModelPort, ModelReply, ModelRequest } from "../../src/agent/model-port.ts";
import type { AgentTool } from "../../src/agent/tools.ts";
import { clock } from "../ops.ts";
import { assertStrict, type Loose } from "./lua.ts";
import { calls, provider as open, says } from "./provider.ts";

const ids = { uuid4: randomUUID, uuid7: randomUUID };
const USAGE =
  { input_tokens: 1, output_tokens: 1, cache_read_tokens: 0, cache_write_tokens: 0, cache_beside_input: 0 };

function agentsOf(more: Partial<AgentsParts> = {}): ReturnType<typeof createAgents> {
  return createAgents({ clock, ids, ...more });
}

/** A model that says these replies in order. */
function port(replies: readonly ModelReply[], asked: ModelRequest[] = []): ModelPort {
  const left = [...replies];
  return {
    provider: "own", model: "own-1",
    call: (request) => {
      asked.push(request);
      const reply = left.shift();
      return reply === undefined ? Promise.reject(new Error("nothing left to say")) : Promise.resolve(reply);
    },
  };
}

const wants = (...names: readonly string[]): ModelReply => ({
  content: names.map((name, i) => ({ type: "tool_use" as const, id: `t${i}`, name, input: { i } })),
  stop: "tool_use", usage: USAGE,
});
const done: ModelReply = { content: [{ type: "text", text: "done" }], stop: "end_turn", usage: USAGE };

test("a program runs an agent with its own tools against a provider", async (t) => {
  const p = await open(t);
  p.script(calls([["add", { a: 1, b: 2 }]]), says("3"));
  await using agents = agentsOf({ env: { ANTHROPIC_API_KEY: "k", ANTHROPIC_BASE_URL: p.url } });
  const r = await agents.run({
    prompt: "1+2", tools: [{ name: "add", handler: (input) => (input as Loose).a + (input as Loose).b }],
  });
  assert.deepEqual([r.ok, r.content, r.num_turns], [true, "3", 2]);
  assert.equal(p.asked[1]?.body.messages.at(-1).content[0].content, "3");
});

test("a model behind its own port is asked with plain data, and told of tools in order", async () => {
  const asked: ModelRequest[] = [];
  await using agents = agentsOf({ models: () => port([wants("b"), done], asked) });
  const tool = (name: string): AgentTool => ({ name, handler: () => ({ from: name }) });
  const r = await agents.run(
    { prompt: "go", tools: [tool("b"), tool("a")], extraTools: [tool("a"), tool("c")] },
  );
  assert.equal(r.content, "done");
  assert.deepEqual(asked[0]?.tools.map(({ name }) => name), ["b", "a", "c"]);
  assert.deepEqual(
    asked[1]?.messages.at(-1),
    { role: "user", content: [{ type: "tool_result", tool_use_id: "t0", content: `{"from":"b"}` }] },
  );
});

test("run never rejects: what a model or a tool throws is in the result", async () => {
  await using agents = agentsOf({ models: () => port([wants("bad")]) });
  const r = await agents.run(
    { prompt: "go", tools: [{ name: "bad", handler: () => Promise.reject(new Error("no luck")) }] },
  );
  assert.deepEqual(
    [r.ok, r.stopped_by, r.error, r.error_code], [false, "error", "nothing left to say", "runtime.failed"],
  );
  assert.equal((r.messages.at(-1) as Loose).content[0].content, "tool error: no luck");
  assertStrict(r.messages);
});

for (const [what, abortIn] of [["while a model is asked", "model"], ["while tools run", "tool"]] as const) {
  test(`a signal that aborts ${what} ends the run as cancelled with a valid history`, async () => {
    const abort = new AbortController();
    const hang = (signal: AbortSignal): Promise<never> => new Promise((_, reject) => {
      signal.addEventListener("abort", () => reject(signal.reason), { once: true });
      abort.abort(new Error("enough"));
    });
    const model: ModelPort = {
      provider: "own", model: "own-1",
      call: (_, { signal }) => (abortIn === "model" ? hang(signal) : Promise.resolve(wants("slow", "slow"))),
    };
    await using agents = agentsOf({ models: () => model });
    const r = await agents.run({ prompt: "go", signal: abort.signal, tools: [{ name: "slow", handler: (_, { signal }) => hang(signal) }] });
    assert.deepEqual([r.ok, r.stopped_by, r.error_code], [false, "cancelled", "run.cancelled"]);
    assertStrict(r.messages);
  });
}

test("a run whose signal has aborted asks nothing", async () => {
  const asked: ModelRequest[] = [];
  await using agents = agentsOf({ models: () => port([done], asked) });
  const r = await agents.run({ prompt: "go", signal: AbortSignal.abort() });
  assert.deepEqual([r.stopped_by, asked.length], ["cancelled", 0]);
});

test("bounds that stop a run, and callbacks that fail, are warnings in the log", async () => {
  const log: LogEvent[] = [];
  await using agents = agentsOf(
    { models: () => port([wants("a")]), log: { write: (event) => void log.push(event) } },
  );
  const fail = (): never => {
    throw new Error("not mine");
  };
  await agents.run({ prompt: "go", maxIterations: 0, onTurn: fail });
  assert.deepEqual(log.map(({ level, target, msg }) => [level, target, msg]), [
    ["warn", "llm", "agent.run: stopped by max_iterations (0)"],
    ["warn", "llm", "agent.run: on_turn failed: not mine"],
  ]);
});

test("sessions are kept in the store that the program gives", async () => {
  const kv = memoryKv();
  await using agents = agentsOf({ models: () => port([done]), kv: () => kv });
  const r = await agents.run({ prompt: "go", session: "s" });
  assert.deepEqual(JSON.parse(await kv.get("_agent_block_session", "s", {}) ?? ""), r.messages);
  await using without = agentsOf({ models: () => port([done]) });
  assert.equal((await without.run({ prompt: "go", session: "s" })).error, "session: there is no store");
});

test("observe hears requests, answers and summaries, without keys", async (t) => {
  const p = await open(t);
  p.script(says("ok"));
  const facts: Loose[] = [];
  await using agents = agentsOf({ env: { ANTHROPIC_API_KEY: "secret-key", ANTHROPIC_BASE_URL: p.url }, observe: (fact) => void facts.push(fact) });
  await agents.run({ prompt: "go", logMeta: { run_id: "r" } });
  assert.deepEqual(facts.map((fact) => fact.what), ["request", "response", "summary"]);
  const [request, response, summary] = facts;
  assert.deepEqual(
    [request.url, request.turn, request.iteration, request.messages, request.tools],
    [`${p.url}/v1/messages`, 1, 0, 1, 0],
  );
  assert.deepEqual([response.status, summary.stop_reason, summary.usage_total], [200, "end_turn", 15]);
  assert.doesNotMatch(JSON.stringify(facts), /secret-key/);
  assert.match(JSON.stringify(request.headers), /REDACTED/);
});
