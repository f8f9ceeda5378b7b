import assert from "node:assert/strict";
import { test } from "node:test";
import { valueOf } from "../support/run-script.ts";
import { edit, file, loop } from "./loop.ts";

test("the file of the answer is written, and the loop ends when the runner is content", async (t) => {
  const { result, read, model, messages } = await loop(t, { says: [file("print 'PASS'")] });
  assert.deepEqual(result, { ok: true, iters: 1, summary: "PASS in 1 iters", artifact_path: "out.lua" });
  assert.equal(read("out.lua"), "print 'PASS'\n");
  assert.equal(model.count, 1);
  const [system, first] = messages(0);
  assert.match(system?.content ?? "", /one fenced block/);
  assert.match(first?.content ?? "", /print PASS/);
});

test("the output of a failed check goes back to the model, until the check passes", async (t) => {
  const { result, messages } = await loop(t, {
    says: [file("one"), file("two"), file("PASS")],
    runner: `local text = std.fs.read(path)
      return {ok = text:find("PASS") ~= nil, stdout = "saw " .. text, stderr = "bad " .. text, exit_code = 7}`,
  });
  assert.deepEqual(result, { ok: true, iters: 3, summary: "PASS in 3 iters", artifact_path: "out.lua" });
  assert.deepEqual(messages(2).map(({ role }) => role), ["system", "user", "assistant", "user", "assistant", "user"]);
  const told = messages(2).at(-1)?.content ?? "";
  assert.match(told, /exit code 7/);
  assert.match(told, /=== stdout ===\nsaw two\n/);
  assert.match(told, /=== stderr ===\nbad two\n/);
});

test("in full mode the old content is shown under its heading, and the one fenced block is the whole file", async (t) => {
  const { read, messages } = await loop(t, { files: { "out.lua": "old = 1\n" }, says: [file("PASS = 2")] });
  assert.ok(messages(0)[1]?.content.includes("=== Current file content ===\nold = 1\n"));
  assert.equal(read("out.lua"), "PASS = 2\n");
});

test("an answer without a file, or with several, changes nothing and is asked for again", async (t) => {
  const { result, read, messages } = await loop(t, {
    files: { "out.lua": "old\n" },
    says: ["I would rather talk.", `${file("a")}${file("b")}`, "```lua\nnot closed", `${file("make", "sh")}${file("PASS")}`],
  });
  assert.deepEqual(result, { ok: true, iters: 4, summary: "PASS in 4 iters", artifact_path: "out.lua" });
  assert.match(messages(1).at(-1)?.content ?? "", /Nothing was changed: there is no fenced block/);
  assert.match(messages(2).at(-1)?.content ?? "", /there are 2 fenced blocks, one is expected/);
  assert.match(messages(3).at(-1)?.content ?? "", /the fenced block is not closed/);
  assert.equal(read("out.lua"), "PASS\n");
});

test("a longer fence may hold shorter ones", async (t) => {
  const { read } = await loop(t, {
    says: ["````md\nPASS\n```lua\nx\n```\n````"], conf: 'lang = "md"', input: 'target_file = "docs/x.md"',
  });
  assert.equal(read("docs/x.md"), "PASS\n```lua\nx\n```\n");
});

test("a cut off answer is never written", async (t) => {
  const { result, read, messages } = await loop(t, {
    files: { "out.lua": "old\n" },
    says: [{ reply: { text: "```lua\nhalf a", stop_reason: "length" } }, file("PASS")],
  });
  assert.equal(result.iters, 2);
  assert.match(messages(1).at(-1)?.content ?? "", /not closed \(the answer was cut off at max_tokens\)/);
  assert.equal(read("out.lua"), "PASS\n");
});

test("the same failure three times is stagnation", async (t) => {
  const { result, model } = await loop(t, {
    says: [1, 2, 3, 4].map((n) => file(`try ${n}`)), conf: "max_iters = 9",
    runner: "return {ok = false, stdout = 'out', stderr = 'boom', exit_code = 1}",
  });
  assert.deepEqual(result, {
    ok: false, iters: 3, summary: "give-up: stagnation at iter 3/9 (stderr identical 3x)", artifact_path: "out.lua",
    failure_reason: "stagnation", last_error: "boom",
  });
  assert.equal(model.count, 3);
});

for (const [what, runner] of [
  ["stdout", "return {ok = false, stdout = 'out ' .. n, stderr = 'boom', exit_code = 1}"],
  ["the exit code", "return {ok = false, stdout = 'out', stderr = 'boom', exit_code = n}"],
  ["stderr", "return {ok = false, stdout = 'out', stderr = 'boom ' .. n, exit_code = 1}"],
] as const) {
  test(`while ${what} differs there is no stagnation`, async (t) => {
    const { result } = await loop(t, {
      says: [1, 2, 3, 4].map((n) => file(`try ${n}`)), conf: "max_iters = 4", runner: `n = (n or 0) + 1 ${runner}`,
    });
    assert.deepEqual(result, {
      ok: false, iters: 4, summary: "give-up: max_iters reached (4)", artifact_path: "out.lua",
      failure_reason: "max_iters", last_error: what === "stderr" ? "boom 4" : "boom",
    });
  });
}

test("without a word on stderr the last error is what was printed", async (t) => {
  const { result } = await loop(t, {
    says: [file("x")], conf: "max_iters = 1", runner: "return {ok = false, stdout = 'FAIL: 1 of 2', exit_code = 1}",
  });
  assert.equal(result.last_error, "FAIL: 1 of 2");
});

test("max_iters is 5 unless it is given", async (t) => {
  const { result, model } = await loop(t, {
    says: [1, 2, 3, 4, 5, 6].map((n) => file(`try ${n}`)),
    runner: "n = (n or 0) + 1 return {ok = false, stderr = tostring(n), exit_code = 1}",
  });
  assert.equal(result.summary, "give-up: max_iters reached (5)");
  assert.equal(model.count, 5);
});

test("a model that cannot be called ends the loop", async (t) => {
  const { result } = await loop(t, {
    says: [file("one"), { error: { status: 400, message: "no such thing" } }], conf: "max_iters = 3",
  });
  assert.deepEqual(result, {
    ok: false, iters: 2, summary: "give-up: llm_call failed at iter 2/3", artifact_path: "out.lua",
    failure_reason: "llm_call", last_error: "API error 400: no such thing",
  });
});

test("a target that cannot be read or written ends the loop", async (t) => {
  for (const files of [{ "out.lua/inner": "a folder" }, { out: "a file" }]) {
    const isFolder = "out.lua/inner" in files;
    const { result } = await loop(t, { files, says: [file("PASS")], ...(isFolder ? {} : { input: 'target_file = "out/x.lua"' }) });
    assert.equal(result.failure_reason, "open_target_file");
    assert.equal(result.summary, "give-up: open_target_file");
    assert.match(result.last_error ?? "", isFolder ? /fs\.read: .*out\.lua/ : /fs\.\w+: .*out/);
  }
});

test("answers without an edit that fits, up to the last one, are no_edits_applied", async (t) => {
  const { result, read, messages } = await loop(t, {
    files: { "out.lua": "a = 1\n" }, conf: 'edit_mode = "diff", max_iters = 2',
    says: [edit("b = 2", "PASS"), "I would rather talk."],
  });
  assert.deepEqual(result, {
    ok: false, iters: 2, summary: "give-up: no_edits_applied", artifact_path: "out.lua",
    failure_reason: "no_edits_applied", last_error: "there is no SEARCH/REPLACE edit",
  });
  assert.match(messages(1).at(-1)?.content ?? "", /edit 1 of .*out\.lua: SEARCH text not found/);
  assert.ok(messages(1).at(-1)?.content.includes("=== Current file content ===\na = 1\n"));
  assert.equal(read("out.lua"), "a = 1\n");
});

test("what is no text cannot be sent to a model: encode_failed", async (t) => {
  const { result } = await loop(t, { files: { "out.lua": new Uint8Array([0x61, 0xff, 0x0a]) }, says: [file("PASS")] });
  assert.equal(result.failure_reason, "encode_failed");
  assert.equal(result.summary, "give-up: encode_failed");
});

test("a check may print what is no text", async (t) => {
  const { result, messages } = await loop(t, {
    says: [file("a"), file("b")], conf: "max_iters = 2",
    runner: "return {ok = false, stdout = 'caf\\xe9', stderr = '\\xff\\xfe', exit_code = 1}",
  });
  assert.equal(result.last_error, "\ufffd\ufffd");
  assert.ok(messages(1).at(-1)?.content.includes("caf\ufffd"));
});

test("a runner that raises has failed, with its error as stderr", async (t) => {
  const { result, messages } = await loop(t, {
    says: [file("a"), file("PASS")],
    runner: "if std.fs.read(path):find('PASS') then return {ok = true} end error('no compiler', 0)",
  });
  assert.equal(result.summary, "PASS in 2 iters");
  assert.match(messages(1).at(-1)?.content ?? "", /exit code -1.*=== stderr ===\nno compiler\n/s);
});

test("the bare result of sh.exec passes only with exit code 0", async (t) => {
  const { result } = await loop(t, {
    says: [file("exit 3", "sh"), file("exit 0", "sh")], conf: 'lang = "sh"', runner: 'return sh.exec("sh " .. path)',
  });
  assert.equal(result.summary, "PASS in 2 iters");
});

test("on_iter hears of each check; when it fails, the loop goes on and warns", async (t) => {
  const { end, result } = await loop(t, {
    says: [file("one"), file("PASS")],
    conf: `on_iter = function(i)
      print(i.iter, i.max_iters, i.ok, i.exit_code, i.stderr, #i.modified_files)
      error("not now", 0)
    end`,
  });
  assert.equal(result.ok, true);
  assert.equal(end.stdout, "1\t5\tfalse\t1\tno PASS in one\n\t1\n2\t5\ttrue\t0\t\t1\n");
  assert.equal(end.log.filter(({ level, msg }) => level === "warn" && msg === "compile_loop: on_iter failed: not now").length, 2);
});

test("system replaces the role, but not the form of the answers; lang of the input wins", async (t) => {
  const { messages } = await loop(t, {
    says: [file("PASS", "python")], conf: 'system = "You are terse.", lang = "lua"',
    input: 'target_file = "x.py", lang = "python"',
  });
  const [system, first] = messages(0);
  assert.match(system?.content ?? "", /^You are terse\.\n\nAnswer with the complete content .*```python/);
  assert.match(first?.content ?? "", /Language: python/);
});

test("make gives name, schema and handler, and registers the tool", async () => {
  assert.deepEqual(await valueOf(`
    local loop = require("compile_loop")
    local made = loop.make{runner = print}
    local other = loop.make{runner = print, name = "build", lang = "rust"}
    local s = made.schema.input_schema
    return {made.name, other.name, tool.list(), s.type, s.required, type(made.handler), tool.schema()[1].description,
      made.schema.input_schema.properties.target_files.type}
  `), [
    "compile_loop", "build", ["compile_loop", "build"], "object", ["spec"], "function",
    "Write lua code to a file until its check passes; gives a JSON summary.", "array",
  ]);
});

test("wrong settings are told when the tool is made, wrong input when it is called", async () => {
  assert.deepEqual(await valueOf(`
    local loop = require("compile_loop")
    local function why(fn, v) return select(2, pcall(fn, v)) end
    local full = loop.make{runner = print}.handler
    return {
      why(loop.make), why(loop.make, {}), why(loop.make, {runner = print, edit_mode = "patch"}),
      why(loop.make, {runner = print, max_iters = 0}), why(loop.make, {runner = print, name = 7}),
      why(full, {spec = "x", target_file = "a", target_files = {"b"}}), why(full, {spec = "x"}),
      why(full, {spec = "x", target_files = {}}), why(full, {spec = "x", target_files = {1}}),
      why(full, {spec = "x", target_files = {"a", "b"}}), why(full, {target_file = "a"}), why(full),
    }
  `), [
    "compile_loop: conf must be a table, got nil", "compile_loop: runner (function) is required",
    "compile_loop: edit_mode must be 'full' or 'diff', got 'patch'", "compile_loop: max_iters must be an integer >= 1",
    "compile_loop: name must be a string, got number",
    "target_file and target_files are mutually exclusive", "target_file (string) or target_files (array) is required",
    "target_file (string) or target_files (array) is required", "target_file (string) or target_files (array) is required",
    "multi-file mode requires edit_mode=diff", "compile_loop: spec (string) is required",
    "compile_loop: input must be a table",
  ]);
});

test("under LLM_DUMP each step is an ab.obs line of the component compile_loop", async (t) => {
  const { end } = await loop(t, { says: [file("one"), file("PASS")], env: { ATOLL_LLM_DUMP: "meta" } });
  const lines = end.log.map(({ fields }) => fields ?? {}).filter((fields) => fields["component"] === "compile_loop");
  assert.deepEqual(lines.map(({ event, iter, ok }) => [event, iter, ok].filter((v) => v !== undefined)), [
    ["iter_start", 1], ["iter_result", 1, false], ["iter_start", 2], ["iter_result", 2, true], ["converged", 2],
  ]);
  const quiet = await loop(t, { says: [file("PASS")] });
  assert.equal(quiet.end.log.filter(({ fields }) => fields?.["component"] === "compile_loop").length, 0);
});
