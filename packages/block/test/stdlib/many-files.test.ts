import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { MockTurn } from "@atoll-run/testkit";
import { edit, loop, type LoopOrder } from "./loop.ts";

const MANY = 'target_files = {"a.lua", "lib/b.lua"}';
const FILES = { "a.lua": "a = 1\n", "lib/b.lua": "b = 1\n" };
const DIFF = 'edit_mode = "diff"';
/** Passes when the second file has the word. */
const SECOND = `
  local text = std.fs.read(path[2])
  local ok = text:find("PASS", 1, true) ~= nil
  return {ok = ok, stderr = ok and "" or "no PASS in " .. path[2], exit_code = ok and 0 or 1}
`;

function order(says: LoopOrder["says"], more: Partial<LoopOrder> = {}): LoopOrder {
  return { says, files: FILES, conf: DIFF, input: MANY, runner: SECOND, ...more };
}

function calls(...asked: readonly (readonly [name: string, input: Record<string, string | number>])[]): MockTurn {
  return { reply: { tool_calls: asked.map(([name, input]) => ({ name, input })) } };
}

/** Contents of the tool results of a request. */
function results(end: Awaited<ReturnType<typeof loop>>, index: number): string[] {
  return end.messages(index).filter(({ role }) => role === "tool").map(({ content }) => content);
}

function toolsOf(end: Awaited<ReturnType<typeof loop>>, index: number): string[] {
  const tools = end.model.requests[index]?.body["tools"] as unknown as readonly { function: { name: string } }[] | undefined;
  return (tools ?? []).map((tool) => tool.function.name);
}

test("edits stand under the path of their file; the result names the files that were changed", async (t) => {
  const end = await loop(t, {
    ...order((_, count) => ({ reply: { text: count === 1 ? `<<< path=a.lua >>>\n${edit("a = 1", "a = 2")}`
      : `<<< path=a.lua >>>\n${edit("a = 2", "a = 3")}${edit("a = 3", "a = 4")}\n<<< path="lib/b.lua" >>>\n${edit("b = 1", "PASS")}` } })),
    conf: `${DIFF}, on_iter = function(i) print(table.concat(i.modified_files, " ")) end`,
  });
  assert.deepEqual(end.result, { ok: true, iters: 2, summary: "PASS in 2 iters", modified_files: ["a.lua", "lib/b.lua"] });
  assert.equal(end.read("a.lua"), "a = 4\n");
  assert.equal(end.read("lib/b.lua"), "PASS\n");
  assert.equal(end.end.stdout, "a.lua\na.lua lib/b.lua\n");
});

test("the first message ends with the files, as absolute paths, and those are the paths of the edits", async (t) => {
  const end = await loop(t, order((ask) => {
    const paths = /Files:\n {2}(.*)\n {2}(.*)$/.exec(ask.lastText);
    return { reply: { text: `<<< path=${paths?.[2] ?? "?"} >>>\n${edit("b = 1", "PASS")}` } };
  }));
  assert.equal(end.result.ok, true);
  const first = end.messages(0)[1]?.content ?? "";
  assert.ok(first.endsWith(`Files:\n  ${join(end.root, "a.lua")}\n  ${join(end.root, "lib/b.lua")}`), first);
  assert.deepEqual(toolsOf(end, 0), ["read_file", "read_file_range"]);
});

test("a path that is not listed, or none, changes nothing at all", async (t) => {
  const end = await loop(t, order([
    `<<< path=a.lua >>>\n${edit("a = 1", "a = 2")}<<< path=../stray.lua >>>\n${edit("", "evil")}`, edit("a = 1", "a = 2"),
  ], { conf: `${DIFF}, max_iters = 2` }));
  assert.deepEqual(end.result, {
    ok: false, iters: 2, summary: "give-up: no_edits_applied", failure_reason: "no_edits_applied",
    last_error: "edit 1 has no <<< path=... >>> before it", modified_files: [],
  });
  assert.ok(end.messages(1).at(-1)?.content.includes("path '../stray.lua' not in target_files allowlist"));
  assert.equal(end.read("a.lua"), "a = 1\n");
  assert.equal(existsSync(join(end.root, "../stray.lua")), false);
});

test("when the edits of one file do not fit, no file is written", async (t) => {
  const end = await loop(t, order([
    `<<< path=a.lua >>>\n${edit("a = 1", "a = 2")}<<< path=lib/b.lua >>>\n${edit("nowhere", "PASS")}`,
  ], { conf: `${DIFF}, max_iters = 1` }));
  assert.match(end.result.last_error ?? "", /^edit 2 of .*lib\/b\.lua: SEARCH text not found$/);
  assert.equal(end.read("a.lua"), "a = 1\n");
});

test("a file that is listed but not there is told, and an empty SEARCH makes it", async (t) => {
  const end = await loop(t, order([`<<< path=lib/b.lua >>>\n${edit("", "PASS")}`], { files: { "a.lua": "a = 1\n" } }));
  assert.deepEqual(end.result.modified_files, ["lib/b.lua"]);
  assert.equal(end.read("lib/b.lua"), "PASS\n");
  assert.ok(end.messages(0)[1]?.content.includes(`These files do not exist yet:\n  ${join(end.root, "lib/b.lua")}\n\nFiles:`));
});

test("when a file cannot be written, those written before it are as they were", async (t) => {
  const end = await loop(t, order([
    `<<< path=a.lua >>>\n${edit("a = 1", "a = 2")}<<< path=new.lua >>>\n${edit("", "x")}<<< path=a.lua/inner >>>\n${edit("", "x")}`,
  ], { input: 'target_files = {"a.lua", "new.lua", "a.lua/inner"}', runner: "return {ok = true}" }));
  assert.equal(end.result.failure_reason, "open_target_file");
  assert.deepEqual(end.result.modified_files, []);
  assert.equal(end.read("a.lua"), "a = 1\n");
  assert.equal(existsSync(join(end.root, "new.lua")), false);
});

test("every way to give up names the files that were changed", async (t) => {
  const again = (n: number): string => `<<< path=a.lua >>>\n${edit(`a = ${n}`, `a = ${n + 1}`)}`;
  const many = calls(...Array.from({ length: 9 }, () => ["read_file", { path: "a.lua" }] as const));
  for (const [reason, says] of [
    ["stagnation", [again(1), again(2), again(3)]], ["max_iters", [again(1), again(2)]],
    ["llm_call", [again(1), { error: { status: 403 } }]], ["tool_loop", [again(1), many]],
    ["no_edits_applied", [again(1), "No."]],
  ] as const) {
    await t.test(reason, async (t) => {
      const end = await loop(t, order(says, { conf: `${DIFF}, max_iters = ${reason === "stagnation" ? 3 : 2}` }));
      assert.equal(end.result.failure_reason, reason);
      assert.deepEqual(end.result.modified_files, ["a.lua"]);
    });
  }
});

test("the model reads files and lines of them, and nothing else", async (t) => {
  const end = await loop(t, order([
    calls(["read_file", { path: "a.lua" }], ["read_file_range", { path: "lib/b.lua", line_start: 2, line_end: 3 }]),
    calls(["read_file", { path: "/etc/passwd" }], ["read_file_range", { path: "a.lua", line_start: 0, line_end: 3 }],
      ["read_file_range", { path: "a.lua", line_start: 9, line_end: 9 }], ["list", {}]),
    `<<< path=lib/b.lua >>>\n${edit("b2", "PASS")}`,
  ], { files: { ...FILES, "lib/b.lua": "b1\nb2\nb3\nb4\n" } }));
  assert.equal(end.result.ok, true);
  assert.deepEqual(results(end, 1), ["a = 1\n", "lines 2-3 of 4:\nb2\nb3"]);
  assert.deepEqual(results(end, 2).slice(2), [
    "tool error: path '/etc/passwd' not in target_files allowlist",
    "tool error: line_start and line_end must be integers with 1 <= line_start <= line_end",
    "tool error: line_start 9 is after the end (1 lines)", "tool error: tool not found: list",
  ]);
});

test("at most 500 lines are read at once", async (t) => {
  const text = Array.from({ length: 700 }, (_, i) => `line ${i + 1}`).join("\n");
  const end = await loop(t, order([
    calls(["read_file_range", { path: "a.lua", line_start: 101, line_end: 700 }]),
    `<<< path=lib/b.lua >>>\n${edit("b = 1", "PASS")}`,
  ], { files: { ...FILES, "a.lua": text } }));
  const [seen = ""] = results(end, 1);
  assert.match(seen, /^lines 101-600 of 700, cut to 500 lines:\nline 101\n/);
  assert.match(seen, /\nline 600$/);
});

test("eight tool calls in an iteration are fine, the ninth is a tool_loop", async (t) => {
  const read = calls(...Array.from({ length: 4 }, () => ["read_file", { path: "a.lua" }] as const));
  const edits = `<<< path=lib/b.lua >>>\n${edit("b = 1", "PASS")}`;
  const fine = await loop(t, order([read, read, edits]));
  assert.equal(fine.result.ok, true);
  const { result } = await loop(t, order([read, read, calls(["read_file", { path: "a.lua" }]), edits]));
  assert.deepEqual(result, {
    ok: false, iters: 1, summary: "give-up: tool_loop", failure_reason: "tool_loop", modified_files: [],
    last_error: "more than 8 tool calls in iteration 1",
  });
});

/** 1,000 lines of 20 characters: five chunks of 200. */
const LARGE = Array.from({ length: 1000 }, (_, i) => `value_${String(i + 1).padStart(4, "0")} = 12345`).join("\n");

test("a large file is digested, 200 lines a model call without tools, and not again within ten seconds", async (t) => {
  let digests = 0;
  const end = await loop(t, order((ask, count) => {
    const { text } = ask;
    if (text.includes("You are summarizing a chunk of a source code file")) {
      digests += 1;
      return { reply: { text: `chunk ${digests} ${"é".repeat(500)}` } };
    }
    if (count === 1) return calls(["read_file", { path: "a.lua" }]);
    if (!text.includes('"read_file_range\\"') && digests === 5 && count === 7) return calls(["read_file", { path: "a.lua" }]);
    return { reply: { text: `<<< path=lib/b.lua >>>\n${edit("b = 1", "PASS")}` } };
  }, { files: { ...FILES, "a.lua": LARGE } }));
  assert.equal(end.result.ok, true);
  assert.equal(digests, 5);
  const chunks = end.model.requests.filter(({ text }) => text.includes("You are summarizing"));
  for (const [i, { body }] of chunks.entries()) {
    assert.equal("tools" in body, false);
    const [message] = body["messages"] as unknown as readonly { content: string }[];
    assert.match(message?.content ?? "", /^You are summarizing a chunk of a source code file/);
    assert.ok(message?.content.includes(`Lines ${i * 200 + 1}-${i * 200 + 200} of 1000:`));
  }
  const [first = "", again] = results(end, 7);
  assert.match(first, /^1000 lines, a digest; read_file_range gives the text itself\nlines 1-200: chunk 1 é+\nlines 201-400: chunk 2 /);
  assert.equal(again, first);
  for (const line of first.split("\n").slice(1)) assert.ok(line.replace(/^lines [\d-]+: /, "").length === 400, line);
});

test("a digest has 4,000 characters in all; the rest is not summarized", async (t) => {
  const end = await loop(t, order((ask) => {
    if (ask.text.includes("You are summarizing")) return { reply: { text: "x".repeat(400) } };
    return ask.text.includes("not summarized") ? { reply: { text: `<<< path=lib/b.lua >>>\n${edit("b = 1", "PASS")}` } }
      : calls(["read_file", { path: "a.lua" }]);
  }, { files: { ...FILES, "a.lua": "some = 1\n".repeat(5000) } }));
  assert.equal(end.result.ok, true);
  const digest = results(end, end.model.count - 1)[0] ?? "";
  assert.match(digest, /\nlines 2001-5000: not summarized$/);
  const body = digest.split("\n").slice(1, -1).join("");
  assert.equal(body.length, 4000);
});

test("one large file in diff mode is shown as a digest, with the tools to read it", async (t) => {
  const end = await loop(t, {
    files: { "out.lua": LARGE }, conf: DIFF,
    says: (ask) => {
      if (ask.text.includes("You are summarizing")) return { reply: { text: "numbers" } };
      return ask.text.includes("lines 7-7") ? { reply: { text: edit("value_0007 = 12345", "PASS") } }
        : calls(["read_file_range", { path: "out.lua", line_start: 7, line_end: 7 }]);
    },
  });
  assert.equal(end.result.ok, true);
  assert.ok(end.messages(5)[1]?.content.includes("=== Digest of the current file ===\n1000 lines, a digest"));
  assert.match(end.read("out.lua"), /^PASS$/m);
});

test("a digest that fails ends a loop over one file, and is a tool error for many", async (t) => {
  const failing: MockTurn = { error: { status: 401 }, times: "any", when: { text: "You are summarizing" } };
  const one = await loop(t, { files: { "out.lua": LARGE }, conf: DIFF, says: [failing] });
  assert.equal(one.result.summary, "give-up: llm_call failed at iter 0/5");
  const many = await loop(t, order([
    failing, calls(["read_file", { path: "a.lua" }]), `<<< path=lib/b.lua >>>\n${edit("b = 1", "PASS")}`,
  ], { files: { ...FILES, "a.lua": LARGE } }));
  assert.equal(many.result.ok, true);
  assert.match(results(many, 2)[0] ?? "", /^tool error: digest failed: API error 401/);
});

test("a file just below 10,000 characters is read whole", async (t) => {
  const text = "é".repeat(9_999);
  const end = await loop(t, order([
    calls(["read_file", { path: "a.lua" }]), `<<< path=lib/b.lua >>>\n${edit("b = 1", "PASS")}`,
  ], { files: { ...FILES, "a.lua": text } }));
  assert.equal(results(end, 1)[0], text);
});
