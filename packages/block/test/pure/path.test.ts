import assert from "node:assert/strict";
import { test } from "node:test";
import type { Value } from "../../src/bridges/op.ts";
import { pureFns } from "../../src/pure/fns.ts";
import { joinArgumentText } from "../../src/pure/path.ts";

function call(name: string, ...args: Value[]): Value {
  return pureFns[`std.path.${name}`]?.(args) as Value;
}

const JOINS: readonly (readonly [parts: readonly Value[], result: Value])[] = [
  [["a", "b", "c"], "a/b/c"], [["a/", "b"], "a/b"], [["a", "/b", "c"], "/b/c"], [["/", "a"], "/a"], [["a"], "a"], [[], ""],
  [["", "a"], "a"], [["a", ""], "a/"], [["a", "..", "b"], "a/../b"], [["a//", "b"], "a//b"],
  [["a", Uint8Array.of(0xff)], Uint8Array.of(0x61, 0x2f, 0xff)],
];

for (const [parts, result] of JOINS) {
  test(`std.path.join of ${JSON.stringify(parts)} is ${JSON.stringify(result)}`, () => {
    assert.deepEqual(call("join", ...parts), result);
  });
}

/** path, parent, filename, stem, ext */
const PARTS: readonly (readonly [string, ...(string | undefined)[]])[] = [
  ["/a/b.txt", "/a", "b.txt", "b", "txt"],
  ["a/b/", "a", "b", "b", undefined],
  ["a//b", "a", "b", "b", undefined],
  ["a//b//c.d", "a//b", "c.d", "c", "d"],
  [".bashrc", "", ".bashrc", ".bashrc", undefined],
  [".a.b", "", ".a.b", ".a", "b"],
  ["x.tar.gz", "", "x.tar.gz", "x.tar", "gz"],
  ["x.", "", "x.", "x", ""],
  ["..a", "", "..a", ".", "a"],
  ["/", undefined, undefined, undefined, undefined],
  ["//", undefined, undefined, undefined, undefined],
  ["", undefined, undefined, undefined, undefined],
  [".", "", undefined, undefined, undefined],
  ["..", "", undefined, undefined, undefined],
  ["a/..", "a", undefined, undefined, undefined],
  ["a/.", "", "a", "a", undefined],
  ["./a", ".", "a", "a", undefined],
  ["/.", undefined, undefined, undefined, undefined],
  ["/a", "/", "a", "a", undefined],
  ["///a", "/", "a", "a", undefined],
  ["/a/./b", "/a", "b", "b", undefined],
  ["a b/c d.e f", "a b", "c d.e f", "c d", "e f"],
];

for (const [path, ...parts] of PARTS) {
  for (const [index, name] of ["parent", "filename", "stem", "ext"].entries()) {
    test(`std.path.${name} of "${path}" is ${JSON.stringify(parts[index]) ?? "nil"}`, () => {
      assert.equal(call(name, path), parts[index]);
    });
  }
}

test("std.path takes names that are not UTF-8", () => {
  assert.deepEqual(call("filename", Uint8Array.of(0x61, 0x2f, 0xff, 0x2f)), Uint8Array.of(0xff));
  assert.equal(call("parent", Uint8Array.of(0x61, 0x2f, 0xff)), "a");
});

test("std.path.is_absolute looks for a slash in front", () => {
  const found = ["/a", "a", "", "./a", "//"].map((path) => call("is_absolute", path));
  assert.deepEqual(found, [true, false, false, false, true]);
});

test("path.join: argument N must be a string, got …", () => {
  assert.throws(() => call("join", "a", 5), { message: "path.join: argument 2 must be a string, got number" });
  assert.throws(() => call("join", undefined), { message: "path.join: argument 1 must be a string, got nil" });
  assert.equal(joinArgumentText(3, "function"), "path.join: argument 3 must be a string, got function");
});
