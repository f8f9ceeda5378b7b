/**
 * Goal: what crosses between JSON and Lua stays what it was, in both sets of rules (spec: block 5.1).
 * Method: texts go through a real Lua state and come back; core's own reader and writer say what to expect.
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type Json, LuaFloat, luaFloat, parseJson, stringifyJson } from "@atoll-run/core";
import fc from "fast-check";
import { bareState, evaluate } from "./bare-state.ts";

const bare = bareState();
const { state, json } = bare;
const L = state.main;

/** JSON text of a value that was decoded and is encoded again. */
function roundTrip(text: string, rules: "S" | "J"): string {
  try {
    json.decodeText(L, text, rules, "test");
    return rules === "S" ? json.encodeReply(L, -1, "test") : json.encodeText(L, -1, "test");
  } finally {
    state.x.lua_settop(L, 0);
  }
}

/** JSON text of what a Lua expression gives. */
function encoded(expression: string, rules: "S" | "J" = "S"): string {
  try {
    evaluate(bare, `return ${expression}`);
    return rules === "S" ? json.encodeReply(L, -1, "json.encode") : json.encodeText(L, -1, "bus.emit");
  } finally {
    state.x.lua_settop(L, 0);
  }
}

const number = fc.oneof(
  fc.integer(), fc.bigInt({ min: -(2n ** 63n),
    max: 2n ** 63n - 1n }).map((n) => (Number.isSafeInteger(Number(n)) ? Number(n) : n)),
  fc.double({ noNaN: true, noDefaultInfinity: true }).map((n) => (Number.isInteger(n) ? luaFloat(n) : n)),
  fc.constant(luaFloat(3)),
);
const text = fc.oneof(fc.string(), fc.string({ unit: "binary" }).filter((s) => s.isWellFormed()),
  fc.constant("\u0000\"\\\u001f/é🌊"));
const leaf = fc.oneof(fc.boolean(), number, text, fc.constant(null));
const tree = fc.letrec((tie) => ({
  value: fc.oneof({ depthSize: "small", withCrossShrink: true }, leaf, tie("list"), tie("object")),
  list: fc.array(tie("value"), { maxLength: 6 }), object: fc.dictionary(text, tie("value"), { maxKeys: 6 }),
})).value as fc.Arbitrary<Json>;

const written = (value: unknown): string => {
  const out = stringifyJson(value);
  assert.ok(out.ok);
  return out.text;
};

/** What S keeps of a value: null is nil, so members go, and lists end at their last element. */
function withoutNulls(value: Json): Json {
  if (typeof value !== "object" || value === null || value instanceof LuaFloat) return value;
  if (Array.isArray(value)) {
    const list = (value as Json[]).map(withoutNulls);
    while (list.length > 0 && list.at(-1) === null) list.pop();
    return list;
  }
  return Object.fromEntries(Object.entries(value).filter(([, v]) => v !== null).map(([k, v]) => [k,
    withoutNulls(v)]));
}

describe("JSON through Lua", () => {
  test("any JSON value comes back by rules J as the same text: integers, floats, nulls, empty lists and objects", () => {
    fc.assert(fc.property(tree, (value) => assert.equal(roundTrip(written(value), "J"), written(value))),
      { numRuns: 500 });
  });

  test("by rules S the same, save that null is nil: members go, holes of lists stay", () => {
    fc.assert(fc.property(tree, (value) => {
      assert.equal(roundTrip(written(value), "S"), written(withoutNulls(value)));
    }), { numRuns: 500 });
  });

  test("keys come sorted by their bytes at every level, whatever their order was", () => {
    fc.assert(fc.property(fc.dictionary(text, fc.integer()), (object) => {
      const shuffled = `{${Object.entries(object).reverse().map(([k, v]) => `${JSON.stringify(k)}:${v}`).join(" , ")}}`;
      assert.equal(roundTrip(shuffled, "J"), written(object));
    }));
  });

  for (const n of ["9007199254740993", "9223372036854775807", "-9223372036854775808", "0", "-1"]) {
    test(`the integer ${n} stays that integer`, () => assert.equal(roundTrip(`[${n}]`, "J"), `[${n}]`));
  }

  test("a JSON integer beyond int64 becomes a float", () => {
    assert.equal(roundTrip("[9223372036854775808,-9223372036854775809,123456789012345678901234567890]", "J"),
      "[9223372036854776000.0,-9223372036854776000.0,1.2345678901234568e+29]");
  });

  test("bytes that are no UTF-8 have no JSON form, and the error says so", () => {
    assert.throws(() => encoded(`{a="\\xff"}`),
      { code: "json.encode", message: /^json\.encode: a string is not valid UTF-8/ });
    assert.equal(encoded(`"a\\0\\u{FFFF}"`), JSON.stringify("a\0\uffff"));
  });
});

describe("Lua tables as JSON", () => {
  const rows: readonly (readonly [expression: string, text: string])[] = [
    ["{}", "{}"], ["{1,2,3}", "[1,2,3]"], ["{1,nil,3}", "[1,null,3]"], ["{1,2,n=2}", "[1,2]"],
    ["table.pack(1,nil,3)", "[1,null,3]"],
    ["{a=1,B=2}", '{"B":2,"a":1}'], ["{[10]=1}", '{"10":1}'], ["{[1.5]=1}", '{"1.5":1}'], ["3.0", "3.0"],
    ["3", "3"], ["1e15", "1e15"],
    ["2^53", "9007199254740992.0"], ["-0.0", "-0.0"], ["1e100", "1e+100"], ["nil", "null"],
    ["{{},{{}}}", "[{},[{}]]"],
  ];
  for (const [expression, expected] of rows) {
    const shown = expected === "1e15" ? "1000000000000000.0" : expected;
    test(`${expression} is ${shown}`, () => {
      assert.equal(encoded(expression, "S"), shown);
      assert.equal(encoded(expression, "J"), shown);
    });
  }

  test("a mixed table is an object by rules S and refused with its key by rules J", () => {
    assert.equal(encoded(`{1,2,colour="red"}`), '{"1":1,"2":2,"colour":"red"}');
    const refused = { code: "json.encode", message: "bus.emit: mixed table: array part and key 'colour'" };
    assert.throws(() => encoded(`{1,2,colour="red"}`, "J"), refused);
    assert.throws(() => encoded("{1,2,n=3}", "J"),
      { message: "bus.emit: mixed table: array part and key 'n'" });
    assert.throws(() => encoded("{1,2,[1.5]=3}", "J"),
      { message: "bus.emit: mixed table: array part and key '1.5'" });
  });

  test("what has no JSON form is refused by its type", () => {
    assert.throws(() => encoded("print"),
      { code: "json.encode", message: "json.encode: unsupported type for JSON conversion" });
    assert.throws(() => encoded("{print}", "J"),
      { message: "bus.emit: unsupported type for JSON conversion: function" });
    assert.throws(() => encoded("{[{}]=1}"),
      { message: "json.encode: unsupported table key type for JSON: table" });
    assert.throws(() => encoded("{[true]=1}", "J"),
      { message: "bus.emit: unsupported table key type for JSON: boolean" });
    for (const [n, shown] of [["0/0", "NaN"], ["1/0", "inf"], ["-1/0", "-inf"]] as const) {
      assert.throws(() => encoded(`{${n}}`),
        { message: `json.encode: cannot convert ${shown} to JSON number` });
    }
  });

  test("a metatable is not asked: no __index, __len, __pairs or __tostring runs", () => {
    const mt = "{__index=error,__len=error,__pairs=error,__tostring=error,__name=error}";
    assert.equal(encoded(`setmetatable({1,2},${mt})`), "[1,2]");
  });

  test("128 levels pass both ways, 129 do not", () => {
    const nested = (n: number): string =>
      `(function() local t = {} for i = 2, ${n} do t = {t} end return t end)()`;
    assert.equal(encoded(nested(128)), `${"[".repeat(127)}{}${"]".repeat(127)}`);
    const deep = { code: "json.depth",
      message: "json.encode: Lua table nesting too deep for JSON (limit: 128)" };
    assert.throws(() => encoded(nested(129)), deep);
    assert.throws(() => encoded("(function() local t = {} t[1] = t return t end)()"), deep);
    assert.equal(roundTrip("[".repeat(128) + "]".repeat(128), "J"), "[".repeat(128) + "]".repeat(128));
    const read = { code: "json.depth", message: "test: JSON nesting too deep (limit: 128)" };
    assert.throws(() => roundTrip("[".repeat(129) + "]".repeat(129), "J"), read);
  });

  test("a table that holds one long string many times is bounded by the isle's memory, not by the host's",
    () => {
    const small = bareState({ bytesMax: 8 << 20 });
    for (const source of [
      `local s = ("x"):rep(1e6) local t = {} for i = 1, 1e5 do t[i] = s end return t`,
      "local t = {} for i = 1, 100 do t = {t, t} end return t",
    ]) {
      small.state.x.lua_settop(small.state.main, 0);
      evaluate(small, source);
      assert.throws(() => small.json.encodeText(small.state.main, 1, "x"), { message: "not enough memory" });
      assert.throws(() => small.state.get(small.state.main, 1), { message: "not enough memory" });
    }
    small.state.x.lua_settop(small.state.main, 0);
    evaluate(small, "return {[1 << 40] = 1}");
    small.json.markArray(small.state.main);
    assert.throws(() => small.json.encodeText(small.state.main, 1, "x"), { message: "not enough memory" });
  });
});

describe("JSON text that is none", () => {
  const texts = [
    "", " ", "nul", "tru", "[1,]", "{\"a\":1,}", "{a:1}", "[1 2]", "01", "1.", "1e", "-", "+1", ".5", "'x'",
    "\"a", "\"\\x\"", "\"\\u12\"",
    "\"\\ud800\"", "\"\t\"", "[", "{", "{\"a\"", "{\"a\":", "[1]]", "NaN", "1e999", "// x\n1", "\u00a01",
  ];
  for (const bad of texts) {
    test(`${JSON.stringify(bad)} is refused with its place`, () => {
      assert.equal(parseJson(bad).ok && bad.isWellFormed() && !bad.includes("ud800"), false);
      assert.throws(() => roundTrip(bad, "S"),
        { code: "json.decode", message: /^test: .+ at line \d+ column \d+$/ });
    });
  }

  test("any text is read like core reads it, or refused by both", () => {
    const near = fc.oneof(fc.json(), fc.string(),
      fc.json().chain((s) => fc.nat(s.length).map((at) => s.slice(0, at))));
    fc.assert(fc.property(near, (some) => {
      const parsed = parseJson(some);
      if (!parsed.ok) assert.throws(() => roundTrip(some, "J"));
      else assert.equal(roundTrip(some, "J").replaceAll(".0", ""),
        written(parsed.value).replaceAll(".0", ""));
    }), { numRuns: 500 });
  });
});
