/**
 * Goal: what the reference says of a function is true. Invariant: every declared function can be called as its
 * example does, and gives what it declares. Method: each example runs in a block of its own, with the function
 * watched; the shape of its results is compared with the declaration.
 */
import assert from "node:assert/strict";
import { after, test } from "node:test";
import type { Json } from "@atoll-run/core";
import { CATALOGUE } from "../../src/script-api/catalogue.ts";
import type { ApiFunction, ApiModule } from "../../src/script-api/declare.ts";
import { readSignature } from "../../src/script-api/signature.ts";
import { Checker, DESCRIBE, type Seen } from "./seen-values.ts";
import { openWorld } from "./world.ts";

const checker = new Checker(CATALOGUE.flatMap((m) => m.shapes));

interface Watched {
  readonly problem?: string;
  readonly calls: readonly (readonly Seen[])[];
}

/** Lua: `watch(name, key, holder, before, example)`. */
const WATCH = `${DESCRIBE}
local seen = {}
local function watch(name, key, holder, before, example)
  local calls, real, at = {}, nil, nil
  local function keep(...)
    calls[#calls + 1] = described(...)
    return ...
  end
  local ok, problem = pcall(function()
    at = holder()
    before()
    real = at[key]
    at[key] = function(...) return keep(real(...)) end
    example()
  end)
  if real then at[key] = real end
  seen[name] = {calls = calls, problem = not ok and tostring(problem) or nil}
end
`;

const world = await openWorld();
after(() => world[Symbol.asyncDispose]());

for (const m of CATALOGUE) {
  const functions = m.functions.filter((f) => !f.mainOnly);
  let seen: Promise<Json> | undefined;
  const all = (): Promise<Json> => seen ??= world.value(
    `${WATCH}${functions.map((f) => watched(m, f)).join("")}return seen`);
  for (const f of m.functions) {
    const { name, results } = readSignature(f.signature);
    test(`${name} can be called as declared`, async () => {
      const told = f.mainOnly
        ? await world.value(`${WATCH}${watched(m, f)}return seen`, { serves: true }) : await all();
      const { problem, calls } = (told as unknown as Record<string, Watched>)[name] as Watched;
      assert.equal(problem, undefined);
      assert.ok(calls.length > 0, "the example does not call it");
      for (const call of calls) assert.equal(checker.results(Array.from(call), results), undefined);
    });
  }
  for (const s of m.shapes) {
    for (const f of s.methods) {
      const { name, results } = readSignature(f.signature);
      test(`${s.name}:${name} can be called as declared`, async () => {
        assert.match(f.example, new RegExp(`:${name}\\(`), "the example does not call it");
        const source = `${DESCRIBE}\nlocal function example()\n${f.example}\nend\nreturn described(example())`;
        const results_ = await world.value(source) as unknown as Seen[];
        assert.equal(checker.results(Array.from(results_), results), undefined);
      });
    }
  }
}

test("every parameter is described, and no other", () => {
  const functions = CATALOGUE.flatMap((m) => [...m.functions, ...m.shapes.flatMap((s) => s.methods)]);
  for (const f of functions) {
    const { name, params } = readSignature(f.signature);
    assert.deepEqual(Object.keys(f.params), params.map((p) => p.name), name);
  }
});

/** Lua that adds to `seen` the results of each call of `f` that its example makes, or why there are none. */
function watched(m: ApiModule, f: ApiFunction): string {
  const { name } = readSignature(f.signature);
  const path = name.split(".");
  // one server for all examples: to start one takes longer than all that is asked of it
  const before = m.name === "mcp" && name !== "mcp.call" ? "" : f.before;
  const inside = path.slice(0, -1).slice(1).map((part) => `.${part}`).join("");
  const holder = path.length === 1 ? "_G" : m.required ? `require("${m.name}")${inside}` : path.slice(0, -1).join(".");
  return `watch("${name}", "${path.at(-1)}", function() return ${holder} end,\n`
    + `function()\n${before}\nend, function()\n${f.example}\nend)\n`;
}
