import assert from "node:assert/strict";
import { test } from "node:test";
import { runLua, valueOf } from "../support/run-script.ts";

const ROWS: readonly (readonly [data: string, schema: string, problems: readonly string[]])[] = [
  [`{name = "x", age = 3}`, `{name = "string", age = "number"}`, []],
  [`{name = "x", age = 3}`, `{age = "integer", extra = "any"}`, []],
  [`{}`, `{b = {required = true}, a = {required = true}, c = "string"}`, ["a: required", "b: required"]],
  [`{a = 1, b = "x", c = print}`, `{a = "string", b = "number", c = "table"}`,
    ["a: expected string, got integer", "b: expected number, got string", "c: expected table, got function"]],
  [`{n = 1.5}`, `{n = "integer"}`, ["n: expected integer, got number"]],
  [
    `{n = 5, m = 1}`, `{n = {max = 4}, m = {min = 2.5}}`,
    ["m: must be >= 2.5, got 1", "n: must be <= 4, got 5"],
  ],
  [
    `{n = math.maxinteger}`, `{n = {max = math.maxinteger - 1}}`,
    ["n: must be <= 9223372036854775806, got 9223372036854775807"],
  ],
  [`{s = "ab", t = {1, 2, 3}}`, `{s = {min_len = 3}, t = {max_len = 2}}`,
    ["s: length must be >= 3, got 2", "t: length must be <= 2, got 3"]],
  [`{c = "red"}`, `{c = {one_of = {"blue", "green"}}}`, ["c: must be one of [blue, green], got red"]],
  [`{c = 1.0, d = "1"}`, `{c = {one_of = {1}}, d = {one_of = {1}}}`, ["d: must be one of [1], got 1"]],
  [`{"first", [2.5] = true}`, `{[1] = "number", [2.5] = {type = "string"}}`,
    ["1: expected number, got string", "2.5: expected string, got boolean"]],
  [`{b = "\\255"}`, `{b = {type = "string", max_len = 0}}`, ["b: length must be <= 0, got 1"]],
  [`{f = io.stdout, n = std.sql.null}`, `{f = "string", n = "nil"}`,
    ["f: expected string, got userdata", "n: expected nil, got userdata"]],
];

for (const [data, schema, problems] of ROWS) {
  const said = problems.length === 0 ? "no problem" : problems.join("; ");
  test(`${data} against ${schema} gives ${said}`, async () => {
    const value = await valueOf(`
      local ok, problems = std.validate.check(${data}, ${schema})
      return {ok, table.unpack(problems or {})}
    `);
    assert.deepEqual(value, [problems.length === 0, ...problems]);
  });
}

test("keys of every type name a field", async () => {
  assert.deepEqual(await valueOf(`
    local t, f = {}, print
    local ok, problems = std.validate.check({[t] = 1, [2.5] = {}, [io.stdout] = {1}},
      {[t] = {type = "string"}, [f] = {required = true}, [2.5] = {min_len = 1}, [io.stdout] = {max_len = 0},
        [true] = {required = true}})
    for i, text in ipairs(problems) do problems[i] = text:gsub("0x%x+", "") end
    return problems
  `), [
    "2.5: length must be >= 1, got 0", "function: : required", "table: : expected string, got integer",
    "true: required", "userdata: : length must be <= 0, got 1",
  ]);
});

test("a table within the choices is equal only to itself", async () => {
  assert.deepEqual(await valueOf(`
    local t = {}
    local function fits(choice) return (std.validate.check({a = t}, {a = {one_of = {choice}}})) end
    return {fits(t), fits({})}
  `), [true, false]);
});

test("check leaves data and schema as they are, also large ones", async () => {
  assert.deepEqual(await valueOf(`
    local data, schema = {}, {}
    for i = 1, 20000 do data["k" .. i] = {i} end
    for i = 1, 2000 do schema["k" .. i] = {type = "table", min_len = 1, one_of = {data["k" .. i]}} end
    local ok = std.validate.check(data, schema)
    return {ok, data.k7[1], schema.k7.type}
  `), [true, 7, "table"]);
});

test("a schema field must be a type name or a table, an argument a table", async () => {
  assert.deepEqual(await valueOf(`
    local function why(...) local ok, e = pcall(...) return tostring(e) end
    return {why(std.validate.check, {}, {a = 1}), why(std.validate.check, 1, {}), why(std.validate.check, {})}
  `), [
    "validate.check: a schema field must be a type name or a table, got integer",
    "validate.check: argument #1 must be a table, got number",
    "validate.check: argument #2 must be a table, got nil",
  ]);
});

for (const [what, data, schema] of [
  ["data", "big", "{a = 'string'}"], ["a schema", "{}", "big"], ["a list of choices", "{a = 1}", "{a = {one_of = big}}"],
] as const) {
  test(`a check with ${what} of a million entries ends when its isle does`, async () => {
    const { stdout, error } = await runLua(`
      local big = {}
      for i = 1, 1e6 do
        big[i] = "any"
        if i % 1e5 == 0 then std.task.yield() end
      end
      print("in")
      pcall(std.validate.check, ${data}, ${schema})
      print("out")`, { limits: { sliceMsMax: 100 } });
    assert.deepEqual([stdout, error?.code], ["in\n", "isle.timeout"]);
    assert.match(error?.message ?? "", /^limit error: 100 ms of CPU without giving way/);
  });
}
