import assert from "node:assert/strict";
import { test } from "node:test";
import { readGrants } from "../../bin/config/file.ts";

const where = { name: "--grants", file: "g.toml" };

function texts(text: string): readonly string[] | string {
  const reading = readGrants(text, where);
  return reading.ok ? reading.grants.map((grant) => grant.text)
    : reading.problems.map(({ problem }) => problem).join("; ");
}

test("a list may stand alone or as `grants`, in TOML and in JSON, with comments where TOML has them", () => {
  for (const text of [
    '["net", "run:git"]', '{"grants": ["net", "run:git"]}', "grants = ['net', 'run:git']",
    "[\n  'net', # web\n  'run:git',\n]\n",
    "# first\n# second\n['net', 'run:git']", '\n\n  [ "net" ,\n "run:git" ]',
  ]) assert.deepEqual(texts(text), ["net", "run:git"], text);
  for (const text of ["[]", "grants = []", "[ ]", "[\n# nothing\n]"]) assert.deepEqual(texts(text), [], text);
});

test("each grant knows its line", () => {
  const reading = readGrants("[\n  'net',\n\n  'run:git',\n]", where);
  assert.ok(reading.ok);
  assert.deepEqual(reading.grants.map((grant) => grant.where.line), [2, 4]);
});

test("what is no list of texts is refused in words", () => {
  assert.match(String(texts("")), /there is no list of grants/);
  assert.match(String(texts("grants = 'net'")), /there is no list of grants/);
  assert.match(String(texts("[1, true]")), /1 is not text; true is not text/);
  assert.match(String(texts("[profile]\nname = 'x'")), /"profile" is not a key of a grants file/);
  assert.match(String(texts("grants = [")), /neither TOML nor JSON/);
  assert.match(String(texts("\u0000")), /neither TOML nor JSON/);
});

test("a problem of the text has its line, but none when the text was a variable", () => {
  const file = readGrants("grants = [\n 'a'\n 'b'\n]", where);
  assert.ok(!file.ok);
  assert.equal(file.problems[0]?.where.line, 3);
  const variable = readGrants("['a' 'b']", { name: "ATOLL_GRANTS" });
  assert.ok(!variable.ok);
  assert.deepEqual(variable.problems[0]?.where, { name: "ATOLL_GRANTS" });
});
