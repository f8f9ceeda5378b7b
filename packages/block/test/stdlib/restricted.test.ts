import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { TestContext } from "node:test";
import { project } from "../require/project.ts";
import { runLua, type ScriptEnd, startLua } from "../support/run-script.ts";
import { file, type LoopResult, model } from "./loop.ts";

const KEYS = { OPENAI_API_KEY: "", ANTHROPIC_API_KEY: "sk-configured", COMPILE_LOOP_LLM_TEMPERATURE: "0.5" };

/** A loop under grants; the model's host is the configured one. */
async function underGrants(t: TestContext, grants: readonly string[]): Promise<{
  end: ScriptEnd; root: string; requests: Awaited<ReturnType<typeof model>>["requests"];
}> {
  const root = await project(t, {});
  const mock = await model(t, () => ({ reply: { text: file("PASS") } }));
  const end = await runLua(`
    local made = require("compile_loop").make{runner = function() return {ok = true} end}
    return std.json.decode(made.handler{spec = "x", target_file = "o.lua"})
  `, { projectRoot: root, grants, env: { ...KEYS, ANTHROPIC_BASE_URL: mock.url } });
  return { end, root, requests: mock.requests };
}

function resultOf(end: ScriptEnd): Partial<LoopResult> {
  return (end.result?.value ?? {}) as Partial<LoopResult>;
}

test("with the grants for its model and its files a loop runs, and denies itself nothing on the way", async (t) => {
  const { end, root, requests } = await underGrants(t, ["model", "fs.write:."]);
  assert.deepEqual(end.result?.value, { ok: true, iters: 1, summary: "PASS in 1 iters", artifact_path: "o.lua" });
  assert.equal(existsSync(join(root, "o.lua")), true);
  assert.equal(requests[0]?.path, "/v1/messages");
  assert.equal(requests[0]?.headers["x-api-key"], "sk-configured");
  assert.equal(requests[0]?.body["temperature"], 0.5);
  assert.deepEqual(end.log.filter(({ level }) => level === "warn").map(({ msg }) => msg), []);
});

test("without a grant for its file a loop ends at once, and says which it needs", async (t) => {
  const { end, requests } = await underGrants(t, ["model"]);
  const { failure_reason, last_error } = resultOf(end);
  assert.equal(failure_reason, "open_target_file");
  assert.match(last_error ?? "", /needs grant fs\.read:/);
  assert.equal(requests.length, 0);
});

test("without a grant for the model a loop gives up with llm_call", async (t) => {
  const { end, requests } = await underGrants(t, ["fs.write:."]);
  const { failure_reason, last_error } = resultOf(end);
  assert.equal(failure_reason, "llm_call");
  assert.notEqual(last_error, "");
  assert.equal(requests.length, 0);
});

test("loops in tasks run beside each other, each on its own file", async (t) => {
  const root = await project(t, {});
  const mock = await model(t, (ask) => ({ reply: { text: file(`-- ${/Target file: (\S+)/.exec(ask.lastText)?.[1]}`) } }));
  const end = await runLua(`
    local made = require("compile_loop").make{
      runner = function(path) return {ok = std.fs.read(path):find(path, 1, true) ~= nil} end,
      llm = {provider = "openai", base_url = "${mock.url}", api_key = "k"},
    }
    local tasks = {}
    for i = 1, 3 do
      tasks[i] = std.task.spawn(function()
        return std.json.decode(made.handler{spec = "x", target_file = "f" .. i .. ".lua"}).summary
      end)
    end
    local out = {}
    for i, one in ipairs(tasks) do out[i] = one:join() end
    return out
  `, { projectRoot: root });
  assert.deepEqual(end.result?.value, ["PASS in 1 iters", "PASS in 1 iters", "PASS in 1 iters"]);
});

test("a cancelled run ends a loop that waits for its model", async (t) => {
  const root = await project(t, {});
  const mock = await model(t, [{ broken: "hang" }]);
  const cancel = new AbortController();
  const { end } = startLua(`
    require("compile_loop").make{
      runner = print, llm = {provider = "openai", base_url = "${mock.url}", api_key = "k"},
    }.handler{spec = "x", target_file = "o.lua"}
  `, { projectRoot: root, signal: cancel.signal });
  while (mock.count === 0) await new Promise((later) => setImmediate(later));
  cancel.abort();
  assert.equal((await end).error?.code, "run.cancelled");
  assert.equal(existsSync(join(root, "o.lua")), false);
});

test("a cancelled task leaves a loop between its checks, whatever the runner catches", async (t) => {
  const root = await project(t, {});
  const mock = await model(t, () => ({ reply: { text: file("x") } }));
  const end = await runLua(`
    local checks = 0
    local made = require("compile_loop").make{
      max_iters = 50,
      runner = function()
        checks = checks + 1
        if checks == 2 then scope:cancel() end
        std.task.checkpoint()
        return {ok = false, stderr = tostring(checks), exit_code = 1}
      end,
      llm = {provider = "openai", base_url = "${mock.url}", api_key = "k"},
    }
    local ok, why = pcall(std.task.scope, function(s)
      scope = s
      return s:spawn(function() return made.handler{spec = "x", target_file = "o.lua"} end):join()
    end)
    return {ok, tostring(why), checks}
  `, { projectRoot: root });
  assert.deepEqual(end.result?.value, [false, "task cancelled", 2]);
});
