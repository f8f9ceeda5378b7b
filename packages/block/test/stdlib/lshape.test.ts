import assert from "node:assert/strict";
import { test } from "node:test";
import { runLua, valueOf } from "../support/run-script.ts";

const HEAD = `
  local lshape = require("lshape")
  local t, check, reflect, luacats = lshape.t, lshape.check, lshape.reflect, lshape.luacats
  local point = t.shape({x = t.number, y = t.number:is_optional()})
`;

/** Schema, value, and why it does not fit; no reason when it does. */
const ROWS: readonly (readonly [schema: string, value: string, why?: string])[] = [
  ["t.string", "'a'"],
  ["t.string", "7", "$: expected string, got number"],
  ["t.number", "7.5"],
  ["t.number", "'7'", "$: expected number, got string"],
  ["t.boolean", "false"],
  ["t.boolean", "nil", "$: expected boolean, got nil"],
  ["t.table", "{}"],
  ["t.table", "print", "$: expected table, got function"],
  ["t.any", "nil"],
  ["t.any", "print"],
  ["t.string:is_optional()", "nil"],
  ["t.string:is_optional()", "1", "$: expected string, got number"],
  ["t.number:describe('how many')", "1"],
  ["t.number:describe('how many')", "'x'", "$: expected number, got string"],
  ["point", "{x = 1, z = 'more'}"],
  ["point", "{y = 1}", "$.x: expected number, got nil"],
  ["point", "{x = 1, y = 'two'}", "$.y: expected number, got string"],
  ["point", "7", "$: expected table, got number"],
  ["t.shape({x = t.number}, {open = false})", "{x = 1}"],
  ["t.shape({x = t.number}, {open = false})", "{x = 1, ['a b'] = 2}", `$["a b"]: unexpected field`],
  ["t.partial(point)", "{}"],
  ["t.partial(point)", "{x = 'a'}", "$.x: expected number, got string"],
  ["t.partial({name = t.string})", "{}"],
  ["t.partial(t.shape({a = t.any}, {open = false}))", "{b = 1}", "$.b: unexpected field"],
  ["t.array_of(t.number)", "{1, 2.5}"],
  ["t.array_of(t.number)", "{}"],
  ["t.array_of(t.number)", "{1, 'b'}", "$[2]: expected number, got string"],
  ["t.array_of(t.number)", "{1, colour = 2}", "$.colour: unexpected key in an array"],
  ["t.array_of(point)", "{{x = 1}, {x = true}}", "$[2].x: expected number, got boolean"],
  ["t.map_of(t.string, t.number)", "{a = 1, b = 2}"],
  ["t.map_of(t.string, t.number)", "{a = 1, b = 'c'}", "$.b: expected number, got string"],
  ["t.map_of(t.string, t.number)", "{[7] = 1}", "$[7] (key): expected string, got number"],
  ["t.one_of({'red', 'green', 3})", "'green'"],
  ["t.one_of({'red', 'green', 3})", "'blue'", `$: expected one of ["red", "green", 3], got "blue"`],
  ["t.literal('on')", "'on'"],
  ["t.literal('on')", "true", `$: expected "on", got true`],
  ["t.literal(true)", "{}", "$: expected true, got table"],
  ["t.pattern('^%d+$')", "'42'"],
  ["t.pattern('^%d+$')", "'4x'", `$: expected a string like "^%d+$", got "4x"`],
  ["t.pattern('^%d+$')", "42", "$: expected string, got number"],
  ["t.any_of({t.string, point})", "{x = 1}"],
  ["t.any_of({t.string, point})", "{}",
    "$: no alternative fits ($: expected string, got table; $.x: expected number, got nil)"],
  ["t.discriminated('kind', {circle = t.shape({r = t.number}), point = point})", "{kind = 'circle', r = 1}"],
  ["t.discriminated('kind', {circle = t.shape({r = t.number}), point = point})", "{kind = 'circle'}",
    "$.r: expected number, got nil"],
  ["t.discriminated('kind', {circle = t.shape({r = t.number}), point = point})", "{kind = 'line'}",
    `$.kind: expected one of ["circle", "point"], got "line"`],
  ["t.discriminated('kind', {circle = t.shape({}), point = point})", "{}",
    `$.kind: expected one of ["circle", "point"], got nil`],
  ["t.ref('nowhere')", "1", "$: unknown schema 'nowhere'"],
];

test("each schema accepts what it says, and names the place and the reason where it does not", async (t) => {
  const cases = ROWS.map(([schema, value]) => `{check.check(${value}, ${schema})}`).join(",\n");
  const seen = await valueOf(`${HEAD} local out = {${cases}}
    for i, r in ipairs(out) do out[i] = {ok = r[1], why = r[2]} end
    return out`) as readonly { ok: boolean; why?: string }[];
  for (const [index, [schema, value, why]] of ROWS.entries()) {
    await t.test(`${schema} of ${value}`, () => {
      assert.deepEqual(seen[index], why === undefined ? { ok: true } : { ok: false, why: `shape violation at ${why}` });
    });
  }
});

test("a schema by name is looked up when it is needed, so that data may be recursive", async () => {
  assert.deepEqual(await valueOf(`${HEAD}
    check.default_registry.tree = t.shape({value = t.number, left = t.ref("tree"):is_optional()})
    local own = {tree = t.string}
    local cycle = {value = 1}
    cycle.left = cycle
    return {
      {check.check({value = 1, left = {value = 2}}, t.ref("tree"))},
      {check.check({value = 1, left = {value = "x"}}, t.ref("tree"))},
      {check.check("leaf", t.ref("tree"), {registry = own})},
      select(2, check.check(cycle, t.ref("tree"))):match("nesting too deep %(limit: 128%)$"),
      check.default_registry() == check.default_registry,
    }`), [
    [true], [false, "shape violation at $.left.value: expected number, got string"], [true],
    "nesting too deep (limit: 128)", true,
  ]);
});

test("assert gives the value or raises where it was called, with the hint in front", async () => {
  const { stdout } = await runLua(`${HEAD.trim().replaceAll("\n", " ")}
print(check.assert(5, t.number), check.assert_dev(5, t.string))
print(select(2, pcall(function() check.assert("a", t.number, "age") end)))
print(select(2, pcall(check.check, 1, {})), check.dev_env_var, check.is_dev_mode())`);
  assert.equal(stdout, [
    "5\t5", "test.lua:3: age: shape violation at $: expected number, got string",
    "lshape: check: argument #2 must be a schema, got table\tLSHAPE_CHECK\tfalse", "",
  ].join("\n"));
});

test("assert_dev checks only where LSHAPE_CHECK is set, and neither empty nor 0", async (t) => {
  for (const [value, on] of [["1", true], ["yes", true], ["0", false], ["", false]] as const) {
    await t.test(`LSHAPE_CHECK=${value}`, async () => {
      assert.deepEqual(await valueOf(`${HEAD} return {check.is_dev_mode(), (pcall(check.assert_dev, 1, t.string))}`,
        { env: { LSHAPE_CHECK: value } }), [on, !on]);
    });
  }
});

test("wrong arguments of a schema are told when it is made", async () => {
  assert.deepEqual(await valueOf(`${HEAD}
    local function why(fn, ...) return select(2, pcall(fn, ...)) end
    return {why(t.array_of, "number"), why(t.shape, {x = 1}), why(t.shape, {t.string}), why(t.one_of, {}),
      why(t.literal, {}), why(t.pattern, "["), why(t.partial, t.string), why(t.ref, 1), why(t.any_of, {1})}`), [
    "lshape: t.array_of: the item must be a schema, got string",
    "lshape: t.shape: field 'x' must be a schema, got number",
    "lshape: t.shape: names must be strings, got number",
    "lshape: t.one_of: needs at least one value",
    "lshape: t.literal: the value must be a string, number or boolean, got table",
    "lshape: t.pattern: malformed pattern (missing ']')",
    "lshape: t.partial: only a shape can be partial, got string",
    "lshape: t.ref: the name must be a string, got number",
    "lshape: t.any_of: #1 must be a schema, got number",
  ]);
});

test("fields lists what a shape holds, walk visits all that is within", async () => {
  assert.deepEqual(await valueOf(`${HEAD}
    local user = t.shape({
      name = t.string:describe("how to greet"), age = t.number:is_optional(), at = t.array_of(point),
    })
    local fields, paths = {}, {}
    for i, f in ipairs(reflect.fields(user)) do
      fields[i] = f.name .. " " .. f.kind .. " " .. tostring(f.optional) .. " " .. tostring(f.doc)
    end
    reflect.walk(user, function(schema, path)
      paths[#paths + 1] = path .. " " .. schema.kind
      return schema.kind ~= "described"
    end)
    return {fields, paths, t.is_schema(user), t.is_schema({})}`), [
    ["age number true nil", "at array_of false nil", "name string false how to greet"],
    [
      "$ shape", "$.age optional", "$.age number", "$.at array_of", "$.at[] shape", "$.at[].x number",
      "$.at[].y optional", "$.at[].y number", "$.name described",
    ],
    true, false,
  ]);
});

test("schemas are written down as annotations that editors read", async () => {
  assert.equal(await valueOf(`${HEAD}
    return luacats.gen({
      Point = point,
      User = t.shape({
        name = t.string:describe("how to greet"), age = t.number:is_optional(), at = t.array_of(t.ref("Point")),
        mood = t.one_of({"good", "bad"}), tags = t.array_of(t.any_of({t.string, t.number})),
        extra = t.map_of(t.string, t.any), box = point,
      }):describe("Who writes."),
      Id = t.any_of({t.pattern("^u"), t.literal(0)}),
    })`), `---@meta

---@alias Id string|0

---@class Point
---@field x number
---@field y? number

---Who writes.
---@class User
---@field age? number
---@field at Point[]
---@field box { x: number, y?: number }
---@field extra table<string, any>
---@field mood "good"|"bad"
---@field name string how to greet
---@field tags (string|number)[]
`);
});
