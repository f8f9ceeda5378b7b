import assert from "node:assert/strict";
import { test } from "node:test";
import { inspect } from "node:util";
import { configErrorText, decide, freezeDeep, readFlag, readNumber, Secret,
  type Setting } from "@atoll-run/core";

const set = (name: string, text: string, file?: string, line?: number): Setting => ({
  where: { name, ...(file === undefined ? {} : { file }), ...(line === undefined ? {} : { line }) }, text,
});

test("a config is decided as a whole: frozen, complete, with its defaults", () => {
  const decided = decide((d) => ({
    bus: { capacity: d.number(set("ATOLL_BUS_CAPACITY", " 8 "), { min: 1 }, 64),
      grace: d.number(undefined, {}, 1_000) },
    format: d.choice(set("--log-format", "json"), ["pretty", "json"], "pretty"),
    raw: d.flag(set("ATOLL_DEBUG_RAW", "ON"), false), home: d.path(set("ATOLL_HOME", "/var/x"), undefined),
  }));
  assert.ok(decided.ok);
  assert.deepEqual(decided.value,
    { bus: { capacity: 8, grace: 1_000 }, format: "json", raw: true, home: "/var/x" });
  assert.ok(Object.isFrozen(decided.value) && Object.isFrozen(decided.value.bus));
  assert.deepEqual(decided.warnings, []);
});

test("all problems come at once, each with its place", () => {
  const decided = decide((d) => {
    d.number(set("bus.capacity", "0", "atoll.toml", 3), { min: 1 }, 64);
    d.number(set("--timeout", "soon"), { fraction: true }, 0);
    d.choice(set("--log-format", "xml"), ["pretty", "json"], "pretty");
    d.flag(set("ATOLL_DEBUG_RAW", "maybe"), false);
    d.path(set("ATOLL_HOME", ""), "");
    d.oneOf(set("--prompt", "a"), undefined, set("--prompt-file", "b"));
    d.refuse({ name: "HOME" }, "HOME env var not set", "set ATOLL_HOME");
    return {};
  });
  assert.equal(decided.ok, false);
  assert.equal(configErrorText(decided.problems), [
    "config error: 7 problems",
    "  atoll.toml:3: bus.capacity: 0 is not in 1..",
    "  --timeout: 'soon' is not a number",
    "  --log-format: 'xml' is not one of pretty, json",
    "  ATOLL_DEBUG_RAW: 'maybe' is neither true nor false",
    "  ATOLL_HOME: the path is empty",
    "  --prompt-file: cannot be used with --prompt",
    "  HOME: HOME env var not set (set ATOLL_HOME)",
  ].join("\n"));
  assert.equal(configErrorText(decided.problems.slice(0, 1)),
    "config error: atoll.toml:3: bus.capacity: 0 is not in 1..");
});

test("a setting that may be nonsense warns and gives its default, but a number out of range is refused",
  () => {
  const lenient = decide((d) => d.numberOrWarn(set("ATOLL_BUS_CAPACITY", "many"), { min: 1 }, 64));
  assert.partialDeepStrictEqual(lenient,
    { ok: true, value: 64, warnings: [{ problem: "'many' is not a whole number; the default 64 is used" }] });
  const zero = decide((d) => d.numberOrWarn(set("ATOLL_BUS_CAPACITY", "0"), { min: 1 }, 64));
  assert.partialDeepStrictEqual(zero,
    { ok: false, problems: [{ where: { name: "ATOLL_BUS_CAPACITY" }, problem: "0 is not in 1.." }] });
});

const NUMBERS: readonly (readonly [string, Parameters<typeof readNumber>[1], number | string])[] = [
  ["7", {}, 7], ["-7", {}, -7], ["+7", {}, 7], ["007", {}, 7], ["1.5", { fraction: true }, 1.5],
    [".5", { fraction: true }, 0.5],
  ["2e3", { fraction: true }, 2_000], ["1.5", {}, "'1.5' is not a whole number"],
    ["", {}, "'' is not a whole number"],
  ["0x10", {}, "'0x10' is not a whole number"], ["1_000", {}, "'1_000' is not a whole number"],
  ["Infinity", { fraction: true }, "'Infinity' is not a number"],
    ["1e999", { fraction: true }, "'1e999' is not a number"],
  ["99999999999999999999", {}, "99999999999999999999 is too large"], ["0", { min: 1 }, "0 is not in 1.."],
  ["11", { min: 1, max: 10 }, "11 is not in 1..=10"], ["11", { max: 10 }, "11 is not in ..=10"],
];

for (const [text, rule, expected] of NUMBERS) {
  test(`'${text}' with ${JSON.stringify(rule)} is ${expected}`, () => {
    const reading = readNumber(text, rule);
    assert.equal(reading.ok ? reading.value : reading.problem, expected);
  });
}

test("no setting is read from the prototype of a table", () => {
  assert.equal(readFlag("constructor").ok, false);
});

test("freezing leaves instances of classes as they are", () => {
  class Part { state = 1; }
  const value = freezeDeep({ list: [{ a: 1 }], part: new Part(), fn: () => 1 });
  assert.ok(Object.isFrozen(value.list[0]));
  value.part.state = 2;
  assert.equal(value.part.state, 2);
});

test("a secret prints as *** in every way, and is read in one", () => {
  const secret = new Secret("hush-hush");
  const shown = [
    String(secret), `${secret}`, JSON.stringify({ secret }), inspect(secret),
      inspect({ deep: [secret] }, { showHidden: true }),
    "" + (secret as unknown as string), JSON.stringify(structuredClone(secret)),
      Object.entries(secret).join(""), // eslint-disable-line prefer-template
  ];
  for (const text of shown) assert.ok(!text.includes("hush"), text);
  assert.equal(inspect({ secret }), "{ secret: *** }");
  assert.equal(secret.reveal(), "hush-hush");
});
