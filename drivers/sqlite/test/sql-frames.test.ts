/** Frames: whatever is cut anywhere comes out as it went in. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { encodeFrame, FrameReader } from "../src/sql-frames.ts";
import { isBlankSql, parameterNames } from "../src/sql-parameters.ts";

const value = fc.oneof(fc.string({ unit: "grapheme" }), fc.bigInt(), fc.double(), fc.constant(null), fc.array(fc.string()));

test("cutting a byte stream anywhere gives the same frames", () => {
  fc.assert(fc.property(fc.array(value, { maxLength: 8 }), fc.array(fc.integer({ min: 1, max: 40 })), (values, cuts) => {
    const bytes = Buffer.concat(values.map(encodeFrame));
    const reader = new FrameReader();
    const seen: unknown[] = [];
    let at = 0;
    for (let i = 0; at < bytes.length; i++) {
      const length = cuts[i % cuts.length] ?? 7;
      seen.push(...reader.push(bytes.subarray(at, at + length)));
      at += length;
    }
    assert.deepEqual(seen, values);
    assert.equal(reader.pending, 0);
  }));
});

test("a frame larger than the limit is refused before its body is read", () => {
  assert.throws(() => new FrameReader().push(Buffer.from([255, 255, 255, 255])), /the limit is/);
});

const PARAMETERS: readonly (readonly [sql: string, names: readonly (string | undefined)[]])[] = [
  ["SELECT 1", []],
  ["SELECT ?, ?", [undefined, undefined]],
  ["SELECT ?3, ?", [undefined, undefined, undefined, undefined]],
  ["SELECT :a, @b, $c, :a", [":a", "@b", "$c"]],
  ["SELECT '?', \"?\", `?`, [?], -- ?\n /* ? */ ?", [undefined]],
  ["SELECT 'it''s ?' || ?", [undefined]],
  ["SELECT a$1, x:y FROM t", [":y"]],
  ["SELECT '? unclosed", []],
];

for (const [sql, names] of PARAMETERS) {
  test(`parameters of ${JSON.stringify(sql)}`, () => assert.deepEqual(parameterNames(sql), names));
}

test("blank is space, semicolons and comments only", () => {
  for (const sql of ["", " \n;", "-- x", "/* x */;", "/* open", "--\n;\t"]) assert.equal(isBlankSql(sql), true, sql);
  for (const sql of ["x", "-- x\nSELECT", "/* x */ 1", "'"]) assert.equal(isBlankSql(sql), false, sql);
});
