/** The loop of `agent.run` from a Lua script: the rows of block 6.1 and acceptance A1 to A4. */
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { type ScriptOptions, valueOf } from "../support/run-script.ts";
import { calls, provider, type Provider, says } from "./provider.ts";

// oxlint-disable-next-line typescript/no-explicit-any -- a test looks into results of every shape
type Loose = any;

const PRELUDE = `local agent = require("agent")\n`;

async function run(p: Provider, source: string, options: ScriptOptions = {}): Promise<Loose> {
  const env = { ANTHROPIC_API_KEY: "key-of-the-test", ANTHROPIC_BASE_URL: p.url, OPENAI_API_KEY: "openai-key", OPENAI_BASE_URL: `${p.url}/v1` };
  return await valueOf(PRELUDE + source, { ...options, env: { ...env, ...options.env } }) as Loose;
}

const open = (t: TestContext): Promise<Provider> => provider(t);

test("a prompt is answered: content, usage, turns, messages, and why it stopped", async (t) => {
  const p = await open(t);
  p.script(says("hello"));
  const r = await run(p, `return agent.run{prompt = "hi", system = "be kind"}`);
  assert.deepEqual(r, {
    ok: true, content: "hello", num_turns: 1, stopped_by: "end_turn",
    usage: { input_tokens: 10, output_tokens: 5, total_tokens: 15, cache_read_tokens: 0, cache_write_tokens: 0 },
    messages: [{ role: "user", content: "hi" }, { role: "assistant", content: [{ type: "text", text: "hello" }] }],
  });
  assert.equal(p.asked[0]?.path, "/v1/messages");
});

test("a tool that the model asks for runs in the isle and its result goes back", async (t) => {
  const p = await open(t);
  p.script(calls([["add", { a: 1, b: 2 }]]), says("3"));
  const r = await run(p, `
    local seen = 0
    tool.register("add", {description = "adds", input_schema = {properties = {a = {type = "number"}}}}, function(i)
      seen = seen + 1
      return i.a + i.b
    end)
    local r = agent.run{prompt = "1+2"}
    return {r = r, seen = seen}`);
  assert.equal(r.seen, 1);
  assert.equal(r.r.content, "3");
  assert.deepEqual(p.asked[1]?.body.messages[2], {
    role: "user", content: [{ type: "tool_result", tool_use_id: "t1", content: "3" }],
  });
});
