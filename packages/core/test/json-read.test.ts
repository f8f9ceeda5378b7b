/**
 * Goal: parseJson is JSON.parse, but exact for 64-bit integers, bounded in depth and with texts of its own.
 * Method: tables for the edges, and a comparison with the engine's parser on valid and on damaged texts.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Bug, parseJson, stringifyJson, type Json } from "@atoll-run/core";
import fc from "fast-check";

function value(text: string, o?: Parameters<typeof parseJson>[1]): Json {
  const read = parseJson(text, o);
  assert.ok(read.ok, read.ok ? "" : read.problem);
  return read.value;
}

const NUMBERS: readonly (readonly [string, Json])[] = [
  ["0", 0], ["-0", -0], ["7", 7], ["7.0", 7], ["7.5", 7.5], ["1e3", 1_000], ["-12E-1", -1.2], ["1e+2", 100],
  ["9007199254740991", 2 ** 53 - 1], ["-9007199254740991", 1 - 2 ** 53],
  ["9007199254740992", 2n ** 53n], ["9007199254740993", 2n ** 53n + 1n],
    ["-9007199254740993", -(2n ** 53n) - 1n],
  ["9223372036854775807", 2n ** 63n - 1n], ["-9223372036854775808", -(2n ** 63n)],
  ["9223372036854775808", 2 ** 63], ["-9223372036854775809", -(2 ** 63)],
    ["123456789012345678901234567890", 1.2345678901234568e29],
  ["9007199254740993.0", 9007199254740992], ["0.12345678901234567890", 0.12345678901234568], ["1e308", 1e308],
    ["1e-400", 0],
  ["1234567890123456e3", 1234567890123456e3],
];

test("with `floats` what is written as a float stays one", () => {
  for (const text of ["42.0", "-0.0", "1e+21", "[1,1.0,2.5,{\"a\":300.0}]", "9007199254740992.0"]) {
    const written = stringifyJson(value(text, { floats: true }));
    assert.equal(written.ok && written.text, text);
  }
  assert.equal(value("2.5", { floats: true }), 2.5);
  assert.equal(value("42", { floats: true }), 42);
});

for (const [text, expected] of NUMBERS) {
  test(`${text} is read as ${typeof expected} ${String(expected)}`, () => {
    assert.deepEqual(value(text), expected);
    assert.deepEqual(value(`{"a":[${text}, "x"]}`), { a: [expected, "x"] });
  });
}

test("without bigint long integers become the nearest number", () => {
  assert.equal(value("9007199254740993", { bigint: false }), 9007199254740992);
});

const WRONG: readonly (readonly [string, string, number])[] = [
  ["", "expected a value, the text ends", 0],
  ["  ", "expected a value, the text ends", 2],
  ["[1,]", "expected a value after the comma, found \"]\"", 3],
  ["[1 2]", "expected ',', found \"2\"", 3],
  ["[1", "expected ',', the text ends", 2],
  ["{\"a\" 1}", "expected ':', found \"1\"", 5],
  ["{a:1}", "expected a key in double quotes, found \"a\"", 1],
  ["{\"a\":1,}", "expected a value after the comma, found \"}\"", 7],
  ["{\"a\":1,2}", "expected a key in double quotes, found \"2\"", 7],
  ["nul", "expected a value, found \"n\"", 0],
  ["NaN", "expected a value, found \"N\"", 0],
  ["01", "expected the end, found \"1\"", 1],
  ["1.", "expected the end, found \".\"", 1],
  [".5", "expected a value, found \".\"", 0],
  ["+1", "expected a value, found \"+\"", 0],
  ["-", "expected a value, found \"-\"", 0],
  ["'a'", "expected a value, found \"'\"", 0],
  ["true false", "expected the end, found \"f\"", 5],
  ["\"a", "a string without an end", 0],
  ["[\"a\nb\"]", "a control character in a string", 3],
  ["\"a\\x41\"", "an unknown escape in a string", 2],
  ["\"\\\\\\u12g4\"", "an unknown escape in a string", 3],
  ["\ufeff1", "expected a value, found \"\ufeff\"", 0],
  ["\u00a01", "expected a value, found \"\u00a0\"", 0],
  ["[1] 😀", "expected the end, found \"😀\"", 4],
];

for (const [text, problem, at] of WRONG) {
  test(`${JSON.stringify(text)} is refused: ${problem}, at ${at}`, () => {
    assert.deepEqual(parseJson(text), { ok: false, kind: "syntax", problem, at });
  });
}

test("numbers beyond the range of a double are refused, not turned into infinity", () => {
  for (const text of ["1e309", "-1e+400", "9".repeat(400), `1${"0".repeat(320)}.5`, "123456789012345e999"]) {
    const read = parseJson(`[${text}]`);
    assert.deepEqual(read, { ok: false, kind: "range", problem: "a number beyond the range of a double",
      at: 1 });
  }
});

test("nesting of 128 is read, of 129 is refused with its place", () => {
  const nested = (depth: number): string => "[".repeat(depth) + "]".repeat(depth);
  assert.ok(parseJson(nested(128)).ok);
  const problem = "JSON nesting too deep (limit: 128)";
  assert.deepEqual(parseJson(nested(129)), { ok: false, kind: "depth", problem, at: 128 });
  assert.equal(parseJson("[".repeat(1e6)).ok, false);
  const objects = `${"{\"a\":".repeat(129)}1${"}".repeat(129)}`;
  assert.deepEqual(parseJson(objects), { ok: false, kind: "depth", problem, at: 128 * 5 });
  assert.ok(parseJson("[[1],[[2]]]", { depthMax: 3 }).ok);
  assert.equal(parseJson("[[1],[[2]]]", { depthMax: 2 }).ok, false);
  assert.ok(parseJson("[\"[[[[\",\"\\\"[[[\"]", { depthMax: 1 }).ok);
  assert.throws(() => parseJson("1", { depthMax: Infinity }), Bug);
});

test("a key called __proto__ is a key like others, in short and in exact texts", () => {
  for (const text of ["{\"__proto__\":{\"x\":1}}", "{\"__proto__\":{\"x\":9007199254740993}}"]) {
    const object = value(text) as Record<string, Json>;
    assert.deepEqual(Object.keys(object), ["__proto__"]);
    assert.equal(Object.getPrototypeOf(object), Object.prototype);
    assert.equal("x" in object, false);
  }
});

test("of duplicate keys the last wins", () => {
  assert.deepEqual(value("{\"a\":1,\"a\":9007199254740993}"), { a: 2n ** 53n + 1n });
});

/** The long exponent forces the exact reader, which must agree with the engine on everything else. */
const exactly = (text: string): Json => (value(`[1e-400,${text}]`,
  { bigint: false }) as readonly Json[])[1] as Json;

test("the exact reader gives what the engine gives", () => {
  fc.assert(fc.property(fc.json({ maxDepth: 6 }), fc.constantFrom(undefined, 1, "\t"), (text, indent) => {
    const spaced = JSON.stringify(JSON.parse(text), undefined, indent);
    assert.deepEqual(exactly(spaced), JSON.parse(spaced));
    assert.deepEqual(value(spaced, { bigint: false }), JSON.parse(spaced));
  }));
});

test("texts that the engine refuses are refused, and no others", () => {
  const damage = fc.record({ at: fc.nat(200),
    with: fc.constantFrom("", "\"", "\\", "[", "}", ",", ":", "1", "e", ".", "-", " ", "\u0000", "n") });
  fc.assert(fc.property(fc.json({ maxDepth: 4 }), fc.array(damage, { maxLength: 3 }), (text, damages) => {
    let bad = text;
    for (const { at, with: put } of damages) bad = bad.slice(0, at) + put + bad.slice(at + 1);
    let expected: Json | undefined;
    try {
      expected = JSON.parse(bad) as Json;
    } catch {
      expected = undefined;
    }
    const read = parseJson(bad, { bigint: false, depthMax: 1_000 });
    if (expected === undefined) {
      assert.equal(read.ok, false, bad);
      if (!read.ok) assert.ok(read.at >= 0 && read.at <= bad.length);
    } else if (!read.ok) assert.equal(read.kind, "range");
    else assert.deepEqual(read.value, expected);
  }), { numRuns: 500 });
});
