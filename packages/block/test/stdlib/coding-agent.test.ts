import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { TestContext } from "node:test";
import { project } from "../require/project.ts";
import { valueOf } from "../support/run-script.ts";
import { edit, file, type LoopOrder, model } from "./loop.ts";

/** `lua` and `cargo` as programs of a test: they need not be installed. */
const PROGRAMS = {
  "bin/lua": "#!/bin/sh\ngrep -v '^#' \"$1\"\ngrep -q crash \"$1\" && exit 1\nexit 0\n",
  "bin/cargo": "#!/bin/sh\n[ \"$1\" = test ] && [ -f Cargo.toml ] || exit 9\nif grep -q good src/lib.rs; then\n"
    + "  echo 'test result: ok. 1 passed'\nelse\n  echo 'test result: FAILED' >&2\n  exit 101\nfi\n",
};

async function run(t: TestContext, o: { says: LoopOrder["says"]; call: string; files?: Record<string, string> }):
Promise<{ value: unknown; root: string; requests: Awaited<ReturnType<typeof model>>["requests"] }> {
  const root = await project(t, { ...PROGRAMS, ...o.files });
  const mock = await model(t, o.says);
  const value = await valueOf(`
    for _, name in ipairs{"lua", "cargo"} do sh.exec("chmod +x bin/" .. name) end
    local coding_agent = require("coding_agent")
    local LLM = {provider = "openai", base_url = "${mock.url}", api_key = "sk-test", model = "coder"}
    ${o.call}
  `, { projectRoot: root, env: { PATH: `${join(root, "bin")}:${process.env["PATH"] ?? ""}` } });
  return { value, root, requests: mock.requests };
}

test("run gives the result as a table; the runner lua wants exit code 0 and the word ALL_PASS", async (t) => {
  const { value, root, requests } = await run(t, {
    says: [file("x = 1"), file("ALL_PASS crash"), file("ALL_PASS")],
    call: `return coding_agent.run{target_file = "t.lua", spec = "test yourself", runner = "lua", llm = LLM}`,
  });
  assert.deepEqual(value, { ok: true, iters: 3, summary: "PASS in 3 iters", artifact_path: "t.lua" });
  assert.equal(readFileSync(join(root, "t.lua"), "utf8"), "ALL_PASS\n");
  assert.match(requests[1]?.text ?? "", /the output does not contain 'ALL_PASS'/);
  assert.match(requests[2]?.text ?? "", /exit code 1\./);
});

test("settings of the model may stand beside the others", async (t) => {
  const { value, requests } = await run(t, {
    says: [file("ALL_PASS")],
    call: `return coding_agent.run{target_file = "t.lua", spec = "x", runner = "lua", max_iters = 1, lang = "lua5",
      provider = "openai", base_url = LLM.base_url, api_key = "sk-beside", model = "beside", max_tokens = 9}`,
  });
  assert.equal((value as { ok: boolean }).ok, true);
  assert.equal(requests[0]?.headers["authorization"], "Bearer sk-beside");
  assert.equal(requests[0]?.body["model"], "beside");
  assert.match(requests[0]?.text ?? "", /Language: lua5/);
});

test("the runner cargo tests the package that the file is in, and wants test result: ok", async (t) => {
  const { value, requests } = await run(t, {
    files: { "crate/Cargo.toml": "[package]\n", "crate/src/lib.rs": "old\n" },
    says: [edit("old", "bad"), edit("bad", "good")],
    call: `return coding_agent.run{
      target_file = "crate/src/lib.rs", spec = "x", runner = "cargo", edit_mode = "diff", llm = LLM}`,
  });
  assert.deepEqual(value, { ok: true, iters: 2, summary: "PASS in 2 iters", artifact_path: "crate/src/lib.rs" });
  assert.match(requests[0]?.text ?? "", /Language: rust/);
  assert.match(requests[1]?.text ?? "", /test result: FAILED/);
});

test("without a Cargo.toml above the file the check says so", async (t) => {
  const { value } = await run(t, {
    says: [file("x", "rust")],
    call: `return coding_agent.run{target_file = "src/lib.rs", spec = "x", runner = "cargo", max_iters = 1, llm = LLM}`,
  });
  assert.match((value as { last_error: string }).last_error, /^there is no Cargo\.toml above src\/lib\.rs$/);
});

test("a runner may be a function, also for many files", async (t) => {
  const { value } = await run(t, {
    files: { "a.lua": "a\n" }, says: [`<<< path=a.lua >>>\n${edit("a", "b")}`],
    call: `return coding_agent.run{target_files = {"a.lua"}, spec = "x", edit_mode = "diff", llm = LLM,
      runner = function(paths) return {ok = paths[1] == "a.lua", exit_code = 0} end}`,
  });
  assert.deepEqual(value, { ok: true, iters: 1, summary: "PASS in 1 iters", modified_files: ["a.lua"] });
});

test("a run leaves no tool behind; register_tool gives the name of its own", async (t) => {
  const { value } = await run(t, {
    says: [file("ALL_PASS"), file("ALL_PASS")],
    call: `
      coding_agent.run{target_file = "t.lua", spec = "x", runner = "lua", llm = LLM}
      local before = #tool.list()
      local one = coding_agent.register_tool{runner_kind = "lua", llm = LLM}
      local two = coding_agent.register_tool{runner_kind = print, name = "mine"}
      local text = tool.call(one, {spec = "x", target_file = "u.lua"})
      return {before, one, two, tool.list(), std.json.decode(text).summary}`,
  });
  assert.deepEqual(value, [0, "coding_agent", "mine", ["coding_agent", "mine"], "PASS in 1 iters"]);
});

test("a kind that is none is told", async () => {
  assert.deepEqual(await valueOf(`
    local agent = require("coding_agent")
    local function why(fn, opts) return select(2, pcall(agent[fn], opts)) end
    return {
      why("run", {target_file = "a", spec = "x", runner = "make"}), why("register_tool", {runner_kind = "go"}),
      why("register_tool", {}), why("run"), why("run", {runner = "lua", spec = "x"}),
    }
  `), [
    "unknown runner_kind: make", "unknown runner_kind: go", "unknown runner_kind: nil",
    "coding_agent.run: options must be a table, got nil", "target_file (string) or target_files (array) is required",
  ]);
});
