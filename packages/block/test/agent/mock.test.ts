/**
 * The loop against the mock model, which refuses what the real services refuse: both APIs, whole and
 * streamed.
 */
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { MOCK_BREAKS, type MockModel, type MockScript, type MockTurn, startMockModel } from "@atoll-run/testkit";
import { valueOf } from "../support/run-script.ts";
import { type Loose, placing } from "./lua.ts";

async function mock(t: TestContext, turns: readonly MockTurn[]): Promise<MockModel> {
  const script: MockScript = { turns };
  const model = await startMockModel({ script });
  t.after(() => model.close());
  return model;
}

async function run(model: MockModel, source: string): Promise<Loose> {
  const env = { ANTHROPIC_API_KEY: "key-a", OPENAI_API_KEY: "key-o", ANTHROPIC_BASE_URL: model.url, OPENAI_BASE_URL: `${model.url}/v1` };
  return await valueOf(`local agent = require("agent")\n${source}`, { env, placing });
}

const TOOLS = `
tool.register("look", {description = "Looks.", input_schema = {type = "object", properties = {at = {type = "integer"}}, required = {}}},
  function(i) if i.at == 3 then error("not there") end return "seen " .. tostring(i.at) end)
`;

for (const provider of ["anthropic", "openai"]) {
  for (const stream of [false, true]) {
    const how = `provider = "${provider}", stream = ${stream}`;
    const title = `${provider}, ${stream ? "streamed" : "whole"}`;

    test(`A2 (${title}): a strict model takes the history after every stop`, async (t) => {
      const look = (at: number): object => ({ reply: { text: "let me see", tool_calls: [{ name: "look", input: { at } }, { name: "look", input: { at: at + 1 } }] } });
      const model = await mock(
        t, [look(1), look(2), look(3), { reply: { text: "done" } }, { reply: { text: "bye" } }],
      );
      const r = await run(model, `${TOOLS}
        local first = agent.run{prompt = "go", max_iterations = 1, parallel_tools = 2, system = "s", ${how}}
        local second = agent.run{prompt = "go on", history = first.messages, parallel_tools = true, ${how}}
        local third = agent.run{prompt = "and now?", history = second.messages, ${how}}
        return {first, second, third}`);
      assert.deepEqual(r.map((one: Loose) => [one.ok, one.stopped_by, one.error]), [
        [true, "max_iterations", undefined], [true, "end_turn", undefined], [true, "end_turn", undefined],
      ]);
      assert.equal(r[2].content, "bye");
      assert.deepEqual(model.requests.filter((one) => one.refused !== undefined), []);
    });

    for (const broken of MOCK_BREAKS) {
      // answers that look whole have no broken form of these
      if (broken.startsWith("hang") || (broken === "missing_choices" && provider === "anthropic")) continue;
      test(`a broken answer (${title}, ${broken}) is an error in the result, and the history goes on`, async (t) => {
        const model = await mock(t, [
          { reply: { text: "let me see", tool_calls: [{ name: "look", input: { at: 1 } }] } },
          { reply: { text: "some words that are long enough to be cut" }, broken },
          { reply: { text: "done" } },
        ]);
        const r = await run(model, `${TOOLS}
          local first = agent.run{prompt = "go", retries = 0, ${how}}
          return {first, agent.run{prompt = "again", history = first.messages, ${how}}}`);
        assert.deepEqual(
          [r[0].ok, r[0].stopped_by, r[0].messages.length], [false, "error", 3], JSON.stringify(r[0]),
        );
        assert.match(r[0].error_code, /^(model\.reply|model\.api|http\.(body|request|connect))$/);
        assert.deepEqual([r[1].ok, r[1].content], [true, "done"]);
      });
    }

    test(`a broken tool call (${title}) still gives a history that is taken`, async (t) => {
      const model = await mock(t, [
        { reply: { tool_calls: [{ name: "look", arguments_text: "{\"at\": 1" }, { name: "nowhere", input: {} }] } }, { reply: { text: "done" } },
      ]);
      const r = await run(model, `${TOOLS} return agent.run{prompt = "go", ${how}}`);
      assert.deepEqual([r.ok, r.content], [true, "done"], JSON.stringify(r));
    });
  }
}

test("a session goes from one provider to the other", async (t) => {
  const look = { reply: { text: "let me see", tool_calls: [{ name: "look", input: { at: 1 } }] } };
  const model = await mock(t, [look, { reply: { text: "one" } }, look, { reply: { text: "two" } }]);
  const r = await run(model, `${TOOLS}
    local first = agent.run{prompt = "go"}
    return agent.run{prompt = "and", history = first.messages, provider = "openai"}`);
  assert.deepEqual([r.content, model.requests.some((one) => one.refused !== undefined)], ["two", false]);
});

test("429 with a Retry-After and overloads of the mock are waited out", async (t) => {
  const model = await mock(
    t, [{ error: { status: 529 } }, { error: { status: 429, retry_after: 0 } }, { reply: { text: "ok" } }],
  );
  assert.equal(await run(model, `return agent.run{prompt = "go"}.content`), "ok");
});
