import assert from "node:assert/strict";
import { test } from "node:test";
import { toGlob } from "../../src/pure/glob.ts";

const ROWS: readonly (readonly [pattern: string, hits: readonly string[], misses: readonly string[]])[] = [
  ["*.lua", ["a.lua", ".lua", ".x.lua"], ["a.luac", "d/a.lua", "/a.lua", ""]],
  ["d/*.lua", ["d/a.lua", "d//a.lua", "./d/a.lua"], ["a.lua", "d/e/a.lua"]],
  ["**/*.lua", ["a.lua", "d/a.lua", "d/e/f/a.lua"], ["a.txt", "d/lua"]],
  ["d/**", ["d/a", "d/e/f"], ["d", "e/a"]],
  ["**", ["a", "a/b"], [""]],
  ["d/**/x", ["d/x", "d/a/x", "d/a/b/x", "d/x/x"], ["x", "d/x/y"]],
  ["**/a/**/b", ["a/b", "x/a/y/z/b", "a/a/b/b"], ["b/a", "a"]],
  ["a?c", ["abc", "aéc", "a😀c"], ["ac", "abbc", "a/c"]],
  ["[a-c]x", ["ax", "cx"], ["dx", "x", "a-x"]],
  ["[!a-c]x", ["dx", "éx"], ["ax"]],
  ["[^a]x", ["bx"], ["ax"]],
  ["[]a]x", ["]x", "ax"], ["bx"]],
  ["[a-]x", ["ax", "-x"], ["bx"]],
  ["[!]]x", ["ax"], ["]x"]],
  ["*a*b*", ["ab", "xaybz", "aab"], ["ba", "a"]],
  ["a**b", ["ab", "axxb"], ["a/b"]],
  ["/e/*", ["/e/a"], ["e/a", "/e/a/b"]],
  ["a.c", ["a.c"], ["abc"]],
];

for (const [pattern, hits, misses] of ROWS) {
  test(`the glob ${pattern} means what it says`, () => {
    const glob = toGlob(pattern);
    for (const path of hits) assert.equal(glob.matches(path), true, `should match ${path}`);
    for (const path of misses) assert.equal(glob.matches(path), false, `should not match ${path}`);
  });
}

test("a walk starts at the deepest directory without a wildcard", () => {
  const patterns = ["*.lua", "d/*.lua", "d/e/f", "**/x", "/a/b/?", "/*", "a*/b/c", "./d/[ab]"];
  assert.deepEqual(patterns.map((pattern) => toGlob(pattern).base), ["", "d", "d/e", "", "/a/b", "/", "", "d"]);
});

test("a walk goes only into directories that may hold a hit", () => {
  const glob = toGlob("d/*/x/**/*.lua");
  for (const dir of ["", "d", "d/a", "d/a/x", "d/a/x/deep/er"]) assert.equal(glob.mayHold(dir), true, dir);
  for (const dir of ["e", "d/a/y", "/d"]) assert.equal(glob.mayHold(dir), false, dir);
  assert.equal(toGlob("*.lua").mayHold("d"), false);
  assert.equal(toGlob("d/**").mayHold("d/e/f"), true);
});

test("a class without an end is refused", () => {
  const refused = { message: "fs.glob: invalid pattern 'a[b': '[' without ']'", code: "script.argument" };
  assert.throws(() => toGlob("a[b"), refused);
});

test("a pattern of many stars ends in time that does not explode", () => {
  assert.equal(toGlob(`${"*a".repeat(200)}b`).matches("a".repeat(2000)), false);
  assert.equal(toGlob(`${"**/a/".repeat(60)}b`).matches("a/".repeat(500)), false);
});
