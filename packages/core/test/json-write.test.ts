import assert from "node:assert/strict";
import { test } from "node:test";
import {
  compareBytes, LuaFloat, luaFloat, parseJson, Secret, stringifyJson, type Json,
} from "@atoll-run/core";
import fc from "fast-check";

function text(value: unknown): string {
  const written = stringifyJson(value);
  assert.ok(written.ok, written.ok ? "" : written.problem);
  return written.text;
}

const FORMS: readonly (readonly [string, unknown, string])[] = [
  ["null", null, "null"], ["undefined", undefined, "null"], ["a boolean", true, "true"],
    ["an integer", -7, "-7"],
  ["minus zero", -0, "0"], ["a fraction", 7.5, "7.5"], ["a bigint", 2n ** 63n - 1n, "9223372036854775807"],
  ["a number that is larger than integers are exact", 2 ** 53, "9007199254740992.0"],
    ["a huge number", 1e21, "1e+21"],
  ["a Lua float", luaFloat(8), "8.0"], ["a Lua float of minus zero", luaFloat(-0), "-0.0"],
  ["a Lua float with a fraction", luaFloat(0.1), "0.1"], ["a huge Lua float", luaFloat(1e300), "1e+300"],
  ["text", "a\"b\\c\n\u0001é😀\u2028", "\"a\\\"b\\\\c\\n\\u0001é😀\u2028\""],
    ["half a surrogate pair", "\ud800", "\"\\ud800\""],
  ["an object", { b: 1, a: [1, { d: null, c: "" }], "": 0 },
    "{\"\":0,\"a\":[1,{\"c\":\"\",\"d\":null}],\"b\":1}"],
  ["holes and undefined", { a: undefined, b: [undefined] }, "{\"b\":[null]}"],
  ["an object without a prototype", Object.assign(Object.create(null), { a: 1 }), "{\"a\":1}"],
  ["what knows its own form", { at: new Date(0), key: new Secret("hush") },
    "{\"at\":\"1970-01-01T00:00:00.000Z\",\"key\":\"***\"}"],
];

for (const [what, value, expected] of FORMS) {
  test(`${what} is written as ${expected}`, () => assert.equal(text(value), expected));
}

const REFUSED: readonly (readonly [unknown, string, string, string])[] = [
  [Number.NaN, "number", "cannot convert NaN to JSON number", "$"],
  [{ a: [1, -Infinity] }, "number", "cannot convert -Infinity to JSON number", "$.a[1]"],
  [luaFloat(Infinity), "number", "cannot convert Infinity to JSON number", "$"],
  [{ "odd key": { f: () => 1 } }, "type", "unsupported type for JSON conversion: function",
    "$[\"odd key\"].f"],
  [[Symbol("s")], "type", "unsupported type for JSON conversion: symbol", "$[0]"],
  [new Map(), "type", "unsupported type for JSON conversion: Map", "$"],
  [{ bytes: new Uint8Array(2) }, "type", "unsupported type for JSON conversion: Uint8Array", "$.bytes"],
];

for (const [value, kind, problem, at] of REFUSED) {
  test(`${problem} at ${at}`, () => assert.deepEqual(stringifyJson(value), { ok: false, kind, problem, at }));
}

test("a cycle and what is deeper than 128 are refused", () => {
  const cycle: Record<string, unknown> = {};
  cycle.me = cycle;
  assert.partialDeepStrictEqual(stringifyJson(cycle),
    { ok: false, kind: "depth", problem: "JSON nesting too deep (limit: 128)" });
  const nested = (depth: number): unknown => (depth === 0 ? 1 : [nested(depth - 1)]);
  assert.ok(stringifyJson(nested(128)).ok);
  assert.equal(stringifyJson(nested(129)).ok, false);
  assert.equal(stringifyJson([[1]], { depthMax: 1 }).ok, false);
});

const bytes = (s: string): Buffer => Buffer.from(s);
const anyText = fc.string({ unit: "binary", maxLength: 8 });

test("keys are sorted by their UTF-8 bytes, also where the order of UTF-16 differs", () => {
  assert.deepEqual(Object.keys(JSON.parse(text({ "\u{1f600}": 1, "\uff5e": 2, z: 3, é: 4 })) as object),
    ["z", "é", "\uff5e", "\u{1f600}"]);
  fc.assert(fc.property(anyText, anyText, (a, b) => {
    assert.equal(Math.sign(compareBytes(a, b)), Buffer.compare(bytes(a), bytes(b)));
  }), { numRuns: 500 });
  fc.assert(fc.property(fc.uniqueArray(anyText.filter((key) => !/^\d+$/.test(key)), { maxLength: 20 }),
    (keys) => {
    const written = Object.keys(JSON.parse(text(Object.fromEntries(keys.map((key) => [key, 1])))) as object);
    assert.deepEqual(written, keys.toSorted((a, b) => Buffer.compare(bytes(a), bytes(b))));
  }));
});

const json: fc.Arbitrary<Json> = fc.letrec<{ json: Json }>((tie) => ({
  json: fc.oneof(
    { maxDepth: 5, withCrossShrink: true },
    fc.constant(null), fc.boolean(), fc.integer(), fc.maxSafeInteger(), anyText,
    fc.double({ noNaN: true, noDefaultInfinity: true }).map((n) => (Object.is(n, -0) ? 0 : n)),
    fc.bigInt({ min: 2n ** 53n, max: 2n ** 63n - 1n }), fc.bigInt({ min: -(2n ** 63n), max: -(2n ** 53n) }),
    fc.array(tie("json"), { maxLength: 5 }),
      fc.dictionary(anyText, tie("json"), { maxKeys: 5, noNullPrototype: true }),
  ),
})).json;

test("what is written is read back the same, 64-bit integers included", () => {
  fc.assert(fc.property(json, (value) => {
    const read = parseJson(text(value));
    assert.ok(read.ok);
    assert.deepEqual(read.value, value);
  }), { numRuns: 500 });
});

test("equal values give equal bytes, in whatever order they were made", () => {
  fc.assert(fc.property(fc.dictionary(anyText, json, { noNullPrototype: true }), (object) => {
    assert.equal(text(Object.fromEntries(Object.entries(object).toReversed())), text(object));
  }));
});

test("a Lua float is its number where a number is wanted", () => {
  assert.equal(+luaFloat(2.5), 2.5);
  assert.equal(JSON.stringify({ a: new LuaFloat(8) }), "{\"a\":8}");
});
