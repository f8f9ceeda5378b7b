import assert from "node:assert/strict";
import { test } from "node:test";
import type { TestContext } from "node:test";
import { project } from "../require/project.ts";
import { valueOf } from "../support/run-script.ts";
import { file, loop, model } from "./loop.ts";

const PATH = process.env["PATH"] ?? "";

/** A loop whose `llm` is given as Lua, in a script that may do more; the requests the model saw. */
async function asked(t: TestContext, o: { llm: string; env?: Record<string, string>; wrap?: (call: string) => string }):
Promise<{ requests: Awaited<ReturnType<typeof model>>["requests"]; value: unknown }> {
  const projectRoot = await project(t, {});
  const mock = await model(t, () => ({ reply: { text: file("PASS") } }));
  const wrap = o.wrap ?? ((call) => `return ${call}`);
  const value = await valueOf(`
    local URL = "${mock.url}"
    local loop = require("compile_loop")
    local made = loop.make{runner = function() return {ok = true} end, llm = ${o.llm}}
    ${wrap('std.json.decode(made.handler{spec = "x", target_file = "o.lua"})')}
  `, { projectRoot, env: { PATH, ...o.env } });
  return { requests: mock.requests, value };
}

test("every setting of llm reaches the model", async (t) => {
  const { requests: [request] } = await asked(t, {
    llm: `{provider = "openai", base_url = URL .. "/v1", api_key_env = "MY_KEY", model = "coder", max_tokens = 77,
      temperature = 0.5, disable_thinking = true, timeout = 20}`,
    env: { MY_KEY: "sk-mine", OPENAI_API_KEY: "sk-other" },
  });
  assert.equal(request?.path, "/v1/chat/completions");
  assert.equal(request?.headers["authorization"], "Bearer sk-mine");
  const { model: name, max_tokens, temperature, chat_template_kwargs } = request?.body ?? {};
  assert.deepEqual({ name, max_tokens, temperature, chat_template_kwargs }, {
    name: "coder", max_tokens: 77, temperature: 0.5, chat_template_kwargs: { enable_thinking: false },
  });
});

test("anthropic is asked without thinking when disable_thinking says so", async (t) => {
  const { requests: [request] } = await asked(t, {
    llm: `{provider = "anthropic", base_url = URL, api_key = "k", disable_thinking = true}`,
  });
  assert.equal(request?.path, "/v1/messages");
  assert.deepEqual(request?.body["thinking"], { type: "disabled" });
});

for (const [title, env, path] of [
  ["openai when its key is set", { OPENAI_API_KEY: "o" }, "/v1/chat/completions"],
  ["anthropic when only its key is set", { ANTHROPIC_API_KEY: "a" }, "/v1/messages"],
  ["openai when both keys are set", { OPENAI_API_KEY: "o", ANTHROPIC_API_KEY: "a" }, "/v1/chat/completions"],
] as const) {
  test(`without a provider anywhere it is ${title}`, async (t) => {
    const base = path === "/v1/messages" ? "URL" : 'URL .. "/v1"';
    const { requests } = await asked(t, { llm: `{base_url = ${base}}`, env });
    assert.equal(requests[0]?.path, path);
  });
}

test("without any key the loop gives up and names the variable", async (t) => {
  const { value } = await asked(t, { llm: "{}" });
  assert.deepEqual(value, {
    ok: false, iters: 1, summary: "give-up: llm_call failed at iter 1/5", artifact_path: "o.lua",
    failure_reason: "llm_call", last_error: "API key not set: env=OPENAI_API_KEY",
  });
});

test("the temperature is 0 unless llm or COMPILE_LOOP_LLM_TEMPERATURE says otherwise", async (t) => {
  const llm = `{provider = "openai", base_url = URL, api_key = "k"}`;
  assert.equal((await asked(t, { llm })).requests[0]?.body["temperature"], 0);
  const env = { COMPILE_LOOP_LLM_TEMPERATURE: "0.3" };
  assert.equal((await asked(t, { llm, env })).requests[0]?.body["temperature"], 0.3);
  const own = `{provider = "openai", base_url = URL, api_key = "k", temperature = 0.9}`;
  assert.equal((await asked(t, { llm: own, env })).requests[0]?.body["temperature"], 0.9);
});

/** An agent whose model calls the loop as a tool. */
function inAgent(settings: string): (call: string) => string {
  return (call) => `
    local value
    tool.register("build", {description = "", input_schema = {type = "object"}}, function()
      value = ${call}
      return "built"
    end)
    local answer = require("agent").run{prompt = "go", ${settings}}
    return {value, answer.ok, answer.error}
  `;
}

/** As a model that calls `build` first, then is done. */
async function nested(t: TestContext, o: { llm: string; settings: string; env?: Record<string, string> }):
Promise<Awaited<ReturnType<typeof model>>["requests"]> {
  const projectRoot = await project(t, {});
  const mock = await model(t, (ask) => {
    if (!ask.tools.includes("build")) return { reply: { text: file("PASS") } };
    return { reply: ask.toolResults.length > 0 ? { text: "done" } : { tool_calls: [{ name: "build" }] } };
  });
  const [value, ok, error] = await valueOf(`
    local URL = "${mock.url}"
    local made = require("compile_loop").make{runner = function() return {ok = true} end, llm = ${o.llm}, name = "loop"}
    tool.unregister("loop")
    ${inAgent(o.settings)('std.json.decode(made.handler{spec = "x", target_file = "o.lua"})')}
  `, { projectRoot, env: { PATH, ...o.env } }) as readonly [{ ok: boolean; last_error?: string }, boolean, string?];
  assert.ok(ok, error);
  assert.ok(value.ok, value.last_error);
  return mock.requests.filter(({ body }) => body["tools"] === undefined);
}

test("what llm leaves open comes from the agent.run that the tool belongs to", async (t) => {
  const [request] = await nested(t, {
    llm: "nil", env: { OPENAI_API_KEY: "sk-wrong" },
    settings: 'provider = "anthropic", base_url = URL, api_key = "sk-run", model = "run-model", max_tokens = 55, temperature = 0.25',
  });
  assert.equal(request?.path, "/v1/messages");
  assert.equal(request?.headers["x-api-key"], "sk-run");
  const { model: name, max_tokens, temperature } = request?.body ?? {};
  assert.deepEqual({ name, max_tokens, temperature }, { name: "run-model", max_tokens: 55, temperature: 0.25 });
});

test("what llm says wins over the agent.run; another provider takes neither host, model nor key of it", async (t) => {
  const [mine] = await nested(t, {
    llm: '{model = "mine", api_key_env = "MINE"}', env: { MINE: "sk-mine" },
    settings: 'provider = "openai", base_url = URL, api_key = "sk-run", model = "run-model"',
  });
  assert.equal(mine?.headers["authorization"], "Bearer sk-mine");
  assert.equal(mine?.body["model"], "mine");
  const [other] = await nested(t, {
    llm: '{provider = "openai", base_url = URL}', env: { OPENAI_API_KEY: "sk-openai" },
    settings: 'provider = "anthropic", base_url = URL, api_key = "sk-run", model = "run-model", max_tokens = 66',
  });
  assert.equal(other?.path, "/chat/completions");
  assert.equal(other?.headers["authorization"], "Bearer sk-openai");
  assert.equal(other?.body["model"], "gpt-4o-mini");
  assert.equal(other?.body["max_tokens"], 66);
});

test("a strict model of either provider accepts the history of a loop with tools and failed checks", async (t) => {
  for (const provider of ["openai", "anthropic"]) {
    const end = await loop(t, {
      strict: true, files: { "a.lua": "a = 1\n", "b.lua": "b = 1\n" }, llm: `provider = "${provider}"`,
      conf: 'edit_mode = "diff"', input: 'target_files = {"a.lua", "b.lua"}',
      runner: "n = (n or 0) + 1 return {ok = n == 2, stdout = '', stderr = 'no', exit_code = 1}",
      says: [
        { reply: { text: "Let me look.", tool_calls: [{ name: "read_file", input: { path: "a.lua" } }] } },
        `<<< path=a.lua >>>\n<<<<<<< SEARCH\na = 1\n=======\na = 2\n>>>>>>> REPLACE`,
        { reply: { tool_calls: [{ name: "read_file", input: { path: "nowhere" } }] } },
        "I give up.",
        `<<< path=b.lua >>>\n<<<<<<< SEARCH\nb = 1\n=======\nb = 2\n>>>>>>> REPLACE`,
      ],
    });
    assert.equal(end.result.summary, "PASS in 3 iters", end.result.last_error);
  }
});
