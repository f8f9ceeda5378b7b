import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { valueOf } from "../support/run-script.ts";
import { edit, file, loop } from "./loop.ts";

/** File before, answer, and the file after; or why it does not fit. */
const ROWS: readonly (readonly [title: string, before: string, answer: string, after: string | { readonly problem: string }])[] = [
  ["lines are replaced where they are", "a\nb\nc\n", edit("b", "B\nB2"), "a\nB\nB2\nc\n"],
  ["a whole line wins over a part of one before it", "max = 1\nx = 1\n", edit("x = 1", "x = 2"), "max = 1\nx = 2\n"],
  ["a part of a line is found too", "f(a, b)\n", edit("a, b", "b, a"), "f(b, a)\n"],
  ["an empty REPLACE deletes the lines", "a\nb\nc\n", edit("b", ""), "a\nc\n"],
  ["an empty REPLACE deletes a part of a line", "f(a, b)\n", edit(", b", ""), "f(a)\n"],
  ["the last line may be deleted", "a\nb\n", edit("b", ""), "a\n"],
  ["an empty REPLACE of everything leaves an empty file", "a\nb\n", edit("a\nb", ""), ""],
  ["several edits are applied one after the other", "a\nb\n", edit("a", "b2") + edit("b", "c"), "b2\nc\n"],
  ["text around the edits is ignored", "a\n", `Sure:\n\`\`\`\n${edit("a", "b")}\`\`\`\nDone.`, "b\n"],
  ["spaces may differ when nothing fits exactly", "if  x then\n  y()\nend\n", edit("if x then\ny()", "go()"), "go()\nend\n"],
  ["then the replacement gets the indentation of the file", "do\n    a()\n    b()\nend\n", edit("a()\nb()", "c()\n  d()"),
    "do\n    c()\n      d()\nend\n"],
  ["then tabs and spaces are the same", "\tx = 1\n", edit("  x = 1", "  x = 2"), "\tx = 2\n"],
  ["blank lines around SEARCH do not hinder", "a\nb\n", edit("\na\n", "x"), "x\nb\n"],
  ["a file with CR LF keeps it", "a\r\nb\r\n", edit("b", "B\nC"), "a\r\nB\r\nC\r\n"],
  ["an answer with CR LF fits a file without", "a\nb\n", edit("b", "B\nC").replaceAll("\n", "\r\n"), "a\nB\nC\n"],
  ["a file without a last line break keeps that", "a\nb", edit("a", "A"), "A\nb"],
  ["an empty SEARCH fills an empty file", "", edit("", "a\nb"), "a\nb\n"],
  ["an empty SEARCH does not fit a file with content", "a\n", edit("", "b"), { problem: "SEARCH is empty, but the file is not" }],
  ["what is not there does not fit", "a\n", edit("z", "b"), { problem: "SEARCH text not found" }],
  ["an edit without an end does not fit", "a\n", "<<<<<<< SEARCH\na\n=======\nb\n", { problem: "edit 1 is not closed with >>>>>>> REPLACE" }],
  ["an edit without a middle does not fit", "a\n", "<<<<<<< SEARCH\na\n>>>>>>> REPLACE\n", { problem: "edit 1 is not closed with >>>>>>> REPLACE" }],
  ["an answer without edits does not fit", "a\n", "All is well.", { problem: "there is no SEARCH/REPLACE edit" }],
];

/** Lua's long strings drop a first line break; `globals` carries the rows unchanged. */
test("edits are found exactly, then with any white space, and keep the line ends of the file", async (t) => {
  const rows = ROWS.map(([, before, answer]) => ({ before, answer }));
  const seen = await valueOf(`
    local edits = require("compile_loop.edits")
    local out = {}
    for i, row in ipairs(rows) do
      local parsed, problem = edits.parse(row.answer)
      local after
      if parsed then after, problem = edits.apply(row.before, parsed) end
      out[i] = after and {after = after} or {problem = problem}
    end
    return out
  `, { globals: { rows } }) as readonly { after?: string; problem?: string }[];
  for (const [index, [title, , , after]] of ROWS.entries()) {
    await t.test(title, () => assert.deepEqual(seen[index], typeof after === "string" ? { after } : after));
  }
});

test("whatever lines are replaced, the others stay as they are", async () => {
  const line = fc.stringMatching(/^[a-z (){}=;\t]{1,8}$/).filter((text) => text.trim() !== "");
  const texts = fc.array(line, { maxLength: 6 });
  const cases = fc.sample(fc.record({ before: texts, search: fc.array(line, { minLength: 1, maxLength: 3 }), after: texts,
    replace: texts, crlf: fc.boolean() }), 200).map(({ before, search, after, replace, crlf }, i) => {
    const unique = search.map((text, k) => `${text}#${i}.${k}`);
    const end = crlf ? "\r\n" : "\n";
    const whole = (middle: readonly string[]): string => [...before, ...middle, ...after].map((text) => text + end).join("");
    return { before: whole(unique), answer: edit(unique.join("\n"), replace.join("\n")), after: whole(replace) };
  });
  assert.deepEqual(await valueOf(`
    local edits = require("compile_loop.edits")
    local wrong = std.json.array({})
    for i, c in ipairs(cases) do
      local after = edits.apply(c.before, (edits.parse(c.answer)))
      if after ~= c.after then wrong[#wrong + 1] = {case = c, after = after} end
    end
    return wrong
  `, { globals: { cases } }), []);
});

test("in diff mode the edits of an answer are applied to the file", async (t) => {
  const { result, read, messages } = await loop(t, {
    files: { "out.lua": "local a = 1\nprint(a)\n" }, conf: 'edit_mode = "diff"', says: [edit("print(a)", "print('PASS')")],
  });
  assert.deepEqual(result, { ok: true, iters: 1, summary: "PASS in 1 iters", artifact_path: "out.lua" });
  assert.equal(read("out.lua"), "local a = 1\nprint('PASS')\n");
  assert.match(messages(0)[0]?.content ?? "", /<<<<<<< SEARCH/);
  assert.ok(messages(0)[1]?.content.includes("=== Current file content ===\nlocal a = 1\n"));
});

test("all edits of an answer are applied or none", async (t) => {
  const { result, read } = await loop(t, {
    files: { "out.lua": "a\nb\n" }, conf: 'edit_mode = "diff", max_iters = 1', says: [edit("a", "PASS") + edit("z", "y")],
  });
  assert.equal(result.failure_reason, "no_edits_applied");
  assert.match(result.last_error ?? "", /^edit 2 of .*out\.lua: SEARCH text not found$/);
  assert.equal(read("out.lua"), "a\nb\n");
});

test("diff mode without a file falls back to full, and warns", async (t) => {
  const { result, read, end } = await loop(t, { conf: 'edit_mode = "diff"', says: [file("PASS")] });
  assert.equal(result.ok, true);
  assert.equal(read("out.lua"), "PASS\n");
  assert.ok(end.log.some(({ level, msg }) =>
    level === "warn" && msg === "compile_loop: out.lua does not exist yet; edit_mode falls back to full"));
});

test("a whole file that takes the place of one with CR LF gets CR LF", async (t) => {
  const { read } = await loop(t, { files: { "out.lua": "a\r\nb\r\n" }, says: [file("PASS\nx")] });
  assert.equal(read("out.lua"), "PASS\r\nx\r\n");
});
