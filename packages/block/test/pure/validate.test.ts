import assert from "node:assert/strict";
import { test } from "node:test";
import { Marked, plainView } from "./plain-view.ts";
import { checkData } from "../../src/pure/validate.ts";

const check = (data: unknown, schema: unknown): readonly string[] => checkData(data, schema, plainView);
const fn = new Marked("function", "function: 0x1");
const eight = new Marked("number", "8.0", 8);

const ROWS: readonly (readonly [title: string, data: unknown, schema: unknown, messages: readonly string[]])[] = [
  ["data that fits has no message", { a: "x", n: 1 }, { a: "string", n: { type: "number", required: true } }, []],
  ["a key the schema does not name is not looked at", { z: 1 }, {}, []],
  ["a missing required field", {}, { k: { type: "string", required: true } }, ["k: required"]],
  ["a missing field that is not required", {}, { k: { type: "string" }, l: "number" }, []],
  ["required may be false", {}, { k: { required: false } }, []],
  ["a wrong type by its name", { k: true }, { k: "string" }, ["k: expected string, got boolean"]],
  ["a wrong type by a table", { k: "1" }, { k: { type: "number" } }, ["k: expected number, got string"]],
  ["an integer is a number", { k: 3 }, { k: "number" }, []],
  ["a number need not be an integer", { k: 3.5 }, { k: "integer" }, ["k: expected integer, got number"]],
  ["a big integer is an integer", { k: 2n ** 60n }, { k: "integer" }, []],
  ["a table is a table", { k: [1], l: { a: 1 } }, { k: "table", l: "table" }, []],
  ["a function is a function", { k: fn, l: (): void => {} }, { k: "function", l: "function" }, []],
  ["a function is no table", { k: fn }, { k: "table" }, ["k: expected table, got function"]],
  ["any takes everything", { k: fn, l: 1, m: "" }, { k: "any", l: { type: "any" }, m: "any" }, []],
  ["an unknown type fits nothing", { k: 1 }, { k: "text" }, ["k: expected text, got integer"]],
  ["min", { k: 4 }, { k: { type: "number", min: 5 } }, ["k: must be >= 5, got 4"]],
  ["max", { k: 6.5 }, { k: { type: "number", max: 6 } }, ["k: must be <= 6, got 6.5"]],
  ["bounds are inclusive", { k: 5 }, { k: { min: 5, max: 5 } }, []],
  ["min without a type", { k: 1 }, { k: { min: 2 } }, ["k: must be >= 2, got 1"]],
  ["bounds of numbers say nothing of strings", { k: "1" }, { k: { min: 2 } }, []],
  ["big integers are compared exactly", { k: 2n ** 60n }, { k: { min: 2n ** 60n + 1n } },
    ["k: must be >= 1152921504606846977, got 1152921504606846976"]],
  ["NaN fits no bound", { k: Number.NaN }, { k: { min: 0 } }, ["k: must be >= 0, got NaN"]],
  ["min_len of a string, in bytes", { k: "é" }, { k: { min_len: 3 } }, ["k: length must be >= 3, got 2"]],
  ["max_len of a table", { k: [1, 2, 3] }, { k: { max_len: 2 } }, ["k: length must be <= 2, got 3"]],
  ["one_of", { k: "blue" }, { k: { one_of: ["red", "green"] } }, ["k: must be one of [red, green], got blue"]],
  ["one_of compares raw values", { k: "1" }, { k: { one_of: [1, 2] } }, ["k: must be one of [1, 2], got 1"]],
  ["a float is shown as the script has it", { k: eight }, { k: { max: 7 } }, ["k: must be <= 7, got 8.0"]],
  ["a whole float is no integer", { k: eight }, { k: "integer" }, ["k: expected integer, got number"]],
  ["one_of finds a float by its number", { k: eight }, { k: { one_of: [8] } }, []],
  ["keys may be numbers", new Map([[7, "x"]]), new Map<number, unknown>([[7, "number"], [8, { required: true }]]),
    ["7: expected number, got string", "8: required"]],
  ["one_of finds a number", { k: 2n }, { k: { one_of: [1, 2] } }, []],
  ["a wrong type hides what follows from it", { k: "x" }, { k: { type: "number", min: 5, one_of: [1] } },
    ["k: expected number, got string"]],
  ["several things wrong with one field", { k: "abc" }, { k: { max_len: 2, one_of: ["x"] } },
    ["k: length must be <= 2, got 3", "k: must be one of [x], got abc"]],
  ["messages are sorted by key", { b: 1, a: 1 },
    { c: { required: true }, b: "string", a: "string", B: { required: true } },
    ["B: required", "a: expected string, got integer", "b: expected string, got integer", "c: required"]],
];

for (const [title, data, schema, messages] of ROWS) {
  test(`std.validate.check: ${title}`, () => assert.deepEqual(check(data, schema), messages));
}

test("std.validate.check: a schema field is a type name or a table", () => {
  assert.throws(() => check({}, { k: 5 }),
    { message: "validate.check: a schema field must be a type name or a table, got integer" });
});
