import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { JsonText } from "../../src/bridges/op.ts";
import { pureFns } from "../../src/pure/fns.ts";
import { extractJson } from "../../src/pure/llm-text.ts";

const F = "```";

const FOUND: readonly (readonly [title: string, text: string, json: string])[] = [
  ["a value in a fence", `Here:\n${F}json\n{"a": 1}\n${F}\nbye`, '{"a":1}'],
  ["a fence without a language", `${F}\n[1, 2]\n${F}`, "[1,2]"],
  ["a fence on one line", `${F}json {"a":1} ${F}`, '{"a":1}'],
  ["a scalar in a fence", `${F}json\n42\n${F}`, "42"],
  ["the fence wins over prose before it", `see {"x": 0}:\n${F}\n{"a":1}\n${F}`, '{"a":1}'],
  ["the first fence that holds JSON", `${F}py\nprint({'a': 1})\n${F}\nand\n${F}json\n{"b": 2}\n${F}`, '{"b":2}'],
  ["a fence nobody closed", `${F}json\n{"a": 1}`, '{"a":1}'],
  ["a string that holds a fence", `${F}json\n{"code": "${F}lua\\nx\\n${F}"}\n${F}`, `{"code":"${F}lua\\nx\\n${F}"}`],
  ["the first balanced object", 'The answer is {"a": {"b": [1]}} and {"c": 2}.', '{"a":{"b":[1]}}'],
  ["the first balanced array", "list: [1, 2] or {}", "[1,2]"],
  ["prose in brackets is passed over", 'note [see below] {like this} {"a": 1}', '{"a":1}'],
  ["a bracket nobody closed is passed over", 'a { b {"a": 1}', '{"a":1}'],
  ["trailing commas", '{"a": [1, 2, ], }', '{"a":[1,2]}'],
  ["single quotes", "{'a': 'it\\'s \"x\"'}", '{"a":"it\'s \\"x\\""}'],
  ["bare keys", "{a: 1, b_2: {größe: 2}, x-y: 3}", '{"a":1,"b_2":{"größe":2},"x-y":3}'],
  ["line breaks in strings", '{"a": "x\n\ty"}', '{"a":"x\\n\\ty"}'],
  ["an apostrophe in a text", '{"a": "it\'s"}', '{"a":"it\'s"}'],
  ["numbers stay as they are written", '[9007199254740993, 1.0, -0.5e+10, 0]', "[9007199254740993,1.0,-0.5e+10,0]"],
  ["words", "[true, false, null]", "[true,false,null]"],
  ["escapes stay as they are written", '["\\u00e9\\n\\\\"]', '["\\u00e9\\n\\\\"]'],
  ["an empty object", "nothing: {}", "{}"],
];

for (const [title, text, json] of FOUND) {
  test(`llm.extract_json finds ${title}`, () => assert.equal(extractJson(text), json));
}

const NONE: readonly string[] = [
  "", "no braces", "42", "{not json}", '{"a": 1', '{"a": b}', "[01]", '{"a" 1}', "[1 2]", "{,}", '{"a": "\\x"}',
  '{"a": {"b": 1}, broken}',
];

for (const text of NONE) {
  test(`llm.extract_json raises no JSON found for ${JSON.stringify(text)}`, () => {
    assert.throws(() => extractJson(text), { message: /^no JSON found/, code: "json.decode" });
  });
}

test("llm.extract_json gives JSON text, so that integers stay exact", () => {
  const found = pureFns["llm.extract_json"]?.(["x {n: 9223372036854775807} y"]);
  assert.ok(found instanceof JsonText);
  assert.equal(found.text, '{"n":9223372036854775807}');
});

test("llm.extract_json refuses nesting beyond 128", () => {
  assert.equal(extractJson("[".repeat(128) + "]".repeat(128)).length, 256);
  const tooDeep = { message: "JSON nesting too deep (limit: 128)", code: "json.depth" };
  assert.throws(() => extractJson("[".repeat(100_000)), tooDeep);
});

test("llm.extract_json gives back any JSON value put in a fence or, if it is an object or array, in prose", () => {
  fc.assert(fc.property(fc.jsonValue({ maxDepth: 4 }), (value) => {
    const text = JSON.stringify(value, null, 2);
    const same = JSON.stringify(value);
    assert.equal(extractJson(`x\n${F}json\n${text}\n${F}\n`), same);
    if (typeof value === "object" && value !== null) assert.equal(extractJson(`It is ${text}, I think.`), same);
  }));
});

test("llm.extract_json never gives what is no JSON", () => {
  const unit = fc.constantFrom("{", "}", "[", "]", '"', "'", "a", ":", ",", "1", "\\", " ", F);
  fc.assert(fc.property(fc.string({ unit }), (text) => {
    try {
      JSON.parse(extractJson(text));
    } catch (error) {
      assert.match((error as Error).message, /^no JSON found/);
    }
  }), { numRuns: 500 });
});

test("llm.extract_json of many opening brackets takes time that does not explode", () => {
  assert.throws(() => extractJson("{x [y ".repeat(50_000)), { code: "json.decode" });
});

const STRIPPED: readonly (readonly [text: string, inside: string])[] = [
  [`${F}lua\nprint(1)\n${F}`, "print(1)"],
  [`Sure:\n${F}\na\n\nb\n${F}\nDone.`, "a\n\nb"],
  [`${F}json\n{"a": 1}`, '{"a": 1}'],
  [`  ${F}\r\nx\r\n${F}  \n`, "x"],
  ["no fence", "no fence"],
  [" keep\n", " keep\n"],
  [`${F}x = 1${F}`, "x = 1"],
  [`${F}${F}`, ""],
  [`\`${F}md\n${F}lua\nx\n${F}\n\`${F}`, `${F}lua\nx\n${F}`],
  [`${F}lua\n${F}`, ""],
];

for (const [text, inside] of STRIPPED) {
  test(`llm.strip_fences of ${JSON.stringify(text)} is ${JSON.stringify(inside)}`, () => {
    assert.equal(pureFns["llm.strip_fences"]?.([text]), inside);
  });
}
