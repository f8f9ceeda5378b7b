/** The agent that runs when a host gives no script (block 2.1), and a project's own `blocks/agent` (A4). */
import assert from "node:assert/strict";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { createBlock } from "../../src/block.ts";
import { folder } from "../ops.ts";
import { parts, runLua } from "../support/run-script.ts";
import { type Loose, run } from "./lua.ts";
import { calls, provider as open, says } from "./provider.ts";

test("defaultAgent answers the prompt; its result is event `_` and the value", async (t) => {
  const p = await open(t);
  p.script(says("hello"));
  const heard: Loose[] = [];
  const result = await createBlock(parts()).run({
    script: { defaultAgent: true }, prompt: "hi", context: "be kind", projectRoot: await folder(t),
    stdout: "ignore",
    env: { ANTHROPIC_API_KEY: "k", ANTHROPIC_BASE_URL: p.url }, autoServe: true,
    hostHandlers: { _: ({ payload }) => void heard.push(payload) },
  });
  assert.equal((result.value as Loose).content, "hello");
  assert.deepEqual(heard, [result.value]);
  assert.deepEqual(p.asked[0]?.body.messages, [{ role: "user", content: "hi" }]);
  assert.equal(p.asked[0]?.body.system[0].text, "be kind");
});

test("the result of a run sums up the tokens of all calls of models; without a call there is no usage", async (t) => {
  const p = await open(t);
  const usage = { input_tokens: 10, output_tokens: 5, cache_read_input_tokens: 90, cache_creation_input_tokens: 7 };
  p.script(calls([["look", {}]], { usage }), says("done"));
  const config = { env: { ANTHROPIC_API_KEY: "k", ANTHROPIC_BASE_URL: p.url } };
  const { result } = await runLua(`
    tool.register("look", {}, function() end)
    std.task.spawn(function() require("agent").run{prompt = "go"} end):join()
    return 1`, config);
  assert.deepEqual(result?.usage, { input_tokens: 20, output_tokens: 10, total_tokens: 30, cache_read_tokens: 90, cache_write_tokens: 7 });
  assert.equal(p.asked.length, 2);
  assert.ok(!Object.hasOwn((await runLua("return 1", config)).result ?? {}, "usage"));
});

test("defaultAgent without a prompt says that it is required", async (t) => {
  const result = await createBlock(parts()).run(
    { script: { defaultAgent: true }, projectRoot: await folder(t), env: {} },
  );
  assert.equal((result.value as Loose).error, "prompt is required");
});

test("A4: a project's own blocks/agent is what require gives", async (t) => {
  const p = await open(t);
  const projectRoot = await folder(t);
  await mkdir(join(projectRoot, "blocks/agent"), { recursive: true });
  await writeFile(join(projectRoot, "blocks/agent/init.lua"), `return {run = function() return "mine" end}`);
  assert.equal(await run(p, "return agent.run{}", { projectRoot }), "mine");
});
