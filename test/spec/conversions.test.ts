// Block 5.1: the two ways between Lua values and JSON, row by row. All rows of a table run in one script.
import assert from "node:assert/strict";
import { test } from "node:test";
import { createLocalMesh } from "@atoll-run/atoll/block";
import { serving, stopped, valueOf } from "./support.ts";

const once = <T>(make: () => Promise<T>): (() => Promise<T>) => {
  let made: Promise<T> | undefined;
  return () => made ??= make();
};

/** Each expression as text; errors begin with `!`. */
function shown(expressions: readonly string[]): Promise<string[]> {
  return valueOf(`local J, null, decode, encode = std.json, std.sql.null, std.json.decode, std.json.encode
    local function show(f) local ok, v = pcall(f) return ok and tostring(v) or "!" .. tostring(v) end
    return {${expressions.map((code) => `show(function() return ${code} end)`).join(",\n")}}`) as Promise<string[]>;
}

const S: readonly (readonly [title: string, code: string, text: string])[] = [
  ["null is nil", `decode("null")`, "nil"],
  ["null in an array is a hole", `decode("[1,null,3]")[2]`, "nil"],
  ["a hole at the end of an array stays its length when it is encoded again", `encode(decode("[1,null,3]"))`, "[1,null,3]"],
  ["nil is null", `encode(nil)`, "null"],
  ["the sentinel is null", `encode({null, a = null})`, `{"1":null,"a":null}`],
  ["{} is an object", `encode({})`, "{}"],
  ["a decoded [] stays []", `encode(decode("[]"))`, "[]"],
  ["a decoded {} stays {}", `encode(decode("{}"))`, "{}"],
  ["std.json.array marks an array", `encode(J.array())`, "[]"],
  ["std.json.array marks the table it is given", `encode(J.array({1}))`, "[1]"],
  ["1..n is an array", `encode({1, "a", true})`, `[1,"a",true]`],
  ["1..n and other keys are an object, keys as strings", `encode({1, 2, colour = "red"})`, `{"1":1,"2":2,"colour":"red"}`],
  ["keys are sorted by bytes at every level", `encode({b = {z = 1, a = 2, ["é"] = 3, Z = 4}, a = 1})`, `{"a":1,"b":{"Z":4,"a":2,"z":1,"é":3}}`],
  ["an integer is an integer", `encode(42) .. math.type(decode("42"))`, "42integer"],
  ["a float keeps .0", `encode(42.0) .. math.type(decode("42.0"))`, "42.0float"],
  ["an exponent is a float", `math.type(decode("1e2"))`, "float"],
  ["integers of 64 bits are exact", `encode({math.maxinteger, math.mininteger})`, "[9223372036854775807,-9223372036854775808]"],
  ["a JSON integer beyond int64 is a float", `math.type(decode("9223372036854775808"))`, "float"],
  ["NaN has no JSON form", `encode(0/0)`, "!json.encode: cannot convert NaN to JSON number"],
  ["infinity has no JSON form", `encode(1/0)`, "!json.encode: cannot convert inf to JSON number"],
  ["text is compact", `encode({a = {1, 2}, b = "x"})`, `{"a":[1,2],"b":"x"}`],
  ["pretty text has 2 spaces", `J.encode_pretty({a = {1}})`, `{\n  "a": [\n    1\n  ]\n}`],
  ["a function has no JSON form", `encode(print)`, "!json.encode: unsupported type for JSON conversion"],
  ["a coroutine has no JSON form", `encode({coroutine.create(print)})`, "!json.encode: unsupported type for JSON conversion"],
  ["a boolean key has no JSON form", `encode({[true] = 1})`, "!json.encode: unsupported table key type for JSON: boolean"],
  ["128 levels are encoded", `(function() local t = {} for i = 1, 127 do t = {t} end return #encode(t) end)()`, "256"],
  ["129 levels are not encoded", `(function() local t = {} for i = 1, 128 do t = {t} end return encode(t) end)()`, "!json.encode: Lua table nesting too deep for JSON (limit: 128)"],
  ["128 levels are decoded", `type(decode(("["):rep(128) .. ("]"):rep(128)))`, "table"],
  ["129 levels are not decoded", `decode(("["):rep(129) .. ("]"):rep(129))`, "!json.decode: JSON nesting too deep (limit: 128)"],
];
const shownS = once(() => shown(S.map(([, code]) => code)));
for (const [index, [title, , text]] of S.entries()) {
  test(`std.json: ${title}`, async () => assert.equal((await shownS())[index], text));
}

for (const bad of ["", "{", "[1,]", "{a:1}", "'a'", "01", "1 2", "tru", "\u0001"]) {
  test(`std.json: ${JSON.stringify(bad)} is no JSON: json.decode: …`, async () => {
    assert.match((await shown([`decode(${JSON.stringify(bad).replace("\\u0001", "\\1")})`]))[0] as string, /^!json\.decode: /);
  });
}

const J: readonly (readonly [title: string, code: string, text: string])[] = [
  ["null is the sentinel, and == works", `back({a = null}).a == null`, "true"],
  ["the sentinel is a light userdata", `type(back({null})[1])`, "userdata"],
  ["a nil inside an array is null", `back({1, nil, 3})[2] == null`, "true"],
  ["{} is an object, and a decoded [] stays []", `encode(back({a = {}, b = decode("[]")}))`, `{"a":{},"b":[]}`],
  ["a table with array part and other keys is refused", `back({1, 2, colour = "red"})`, "mixed table: array part and key 'colour'"],
  ["it is refused inside too", `back({deep = {{1, x = 2}}})`, "mixed table: array part and key 'x'"],
  ["a key n equal to #t is ignored", `encode(back({1, 2, n = 2}))`, "[1,2]"],
  ["a key n other than #t is not", `back({1, 2, n = 3})`, "mixed table: array part and key 'n'"],
  ["numbers keep their type and value", `math.type(back({42, 42.0, math.maxinteger})[2]) .. back({math.maxinteger})[1]`, "float9223372036854775807"],
  ["NaN is refused", `back({0/0})`, "cannot convert NaN to JSON number"],
  ["a function is refused with its type", `back({print})`, "unsupported type for JSON conversion: function"],
  ["a boolean key is refused with its type", `back({[true] = 1})`, "unsupported table key type for JSON: boolean"],
  ["129 levels are refused", `(function() local t = {} for i = 1, 128 do t = {t} end return back(t) end)()`, "Lua table nesting too deep for JSON (limit: 128)"],
];
const shownJ = once(() => shown(J.map(([, code]) => `(function() local function back(v) std.kv.set("n", "k", v) return std.kv.get("n", "k") end return ${code} end)()`)));
for (const [index, [title, , text]] of J.entries()) {
  test(`bridge JSON: ${title}`, async () => {
    const got = (await shownJ())[index] as string;
    if (got.startsWith("!")) assert.ok(got.endsWith(text), got);
    else assert.equal(got, text);
  });
}

const WAYS: readonly (readonly [way: string, code: string])[] = [
  ["bus.emit", `bus.emit("x", V)`], ["mesh.request", `mesh.request("peer", V)`], ["mesh.send", `mesh.send("peer", V)`], ["std.kv.set", `std.kv.set("n", "k", V)`],
  ["std.ts.append", `std.ts.append("s", V)`], ["tool.call of a host tool", `tool.call("host", V)`],
];
const refusals = once(async () => {
  const mesh = createLocalMesh();
  mesh.join("peer").serve((_, payload) => Promise.resolve(payload));
  return await valueOf(`local V = {1, 2, colour = "red"} local out = {}
    for i, f in ipairs{${WAYS.map(([, code]) => `function() ${code} end`).join(", ")}} do out[i] = tostring(select(2, pcall(f))) end return out`,
  { mesh: mesh.join("a"), hostTools: [{ name: "host", description: "", input_schema: {}, handler: () => 1 }] }) as string[];
});
for (const [index, [way]] of WAYS.entries()) {
  test(`${way} refuses a mixed table by name`, async () => assert.match((await refusals())[index] as string, /mixed table: array part and key 'colour'$/));
}

test("a mixed table that a script returns has no JSON form", async () => {
  assert.equal(await valueOf("return {1, a = 2}"), null);
});

test("globals arrive by J: null is the sentinel", async () => {
  assert.deepEqual(await valueOf("return {G.a == std.sql.null, math.type(G.b)}", { globals: { G: { a: null, b: 2n ** 62n } } }), [true, "integer"]);
});

test("an event's payload is decoded by S: null is nil; what a handler returns is encoded by S", async () => {
  const s = await serving(`bus.on("x", function(ev) if ev.payload == nil then return nil end return {ev.payload.a == nil, 1, x = 2} end) bus.serve()`);
  assert.equal(await s.run.request("x", null), null);
  assert.deepEqual(await s.run.request("x", { a: null }), { 1: true, 2: 1, x: 2 });
  await stopped(s);
});
