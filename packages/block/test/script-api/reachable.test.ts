import assert from "node:assert/strict";
import { test } from "node:test";
import { CATALOGUE } from "../../src/script-api/catalogue.ts";
import { LUA_LIBRARIES } from "../../src/script-api/modules/globals.ts";
import { readField, readSignature } from "../../src/script-api/signature.ts";
import { bridgeArgs } from "../../src/script-api/write-calls.ts";
import { pureArgs } from "../../src/pure/fns.ts";
import { EMBEDDED_BLOCKS } from "../../src/stdlib/embedded.ts";
import { startLua, valueOf } from "../support/run-script.ts";

/** Lua: every value that a script can reach by names, as `path:type`, but for what is inside of `_G` and `package.loaded`. */
const REACH = String.raw`
local found, seen = {}, {}
local function reach(t, path)
  if seen[t] then return end
  seen[t] = true
  for key, v in next, t do
    if type(key) == "string" then
      local name = path == "" and key or path .. "." .. key
      if type(v) == "table" and (path == "" or not name:find("^package%.") and not name:find("^_G")) then reach(v, name) end
      found[#found + 1] = name .. ":" .. type(v)
    end
  end
end
`;
const GIVEN = `_PROMPT _CONTEXT`.split(" ");

const functions = CATALOGUE.flatMap((m) => m.functions.map((f) => ({ m, f, name: readSignature(f.signature).name })));
const values = CATALOGUE.flatMap((m) => m.values.map((v) => readField(v.signature).name));
const lua = Object.entries(LUA_LIBRARIES).flatMap(([library, names]) =>
  names.split(" ").map((name) => (library === "_G" ? name : `${library}.${name}`)));
const tables = new Set([...functions.map(({ name }) => name), ...lua, ...values].flatMap((name) => {
  const path = name.split(".");
  return path.slice(0, -1).map((_, i) => path.slice(0, i + 1).join("."));
}));

function known(found: string): boolean {
  const name = found.slice(0, found.lastIndexOf(":"));
  return lua.includes(name) || values.includes(name) || tables.has(name) || functions.some((f) => f.name === name);
}

test("every value that a fresh isle offers is declared", async () => {
  const found = await valueOf(`${REACH} reach(_G, "") return found`, { prompt: "p", context: "c" }) as string[];
  assert.deepEqual(found.filter((one) => !known(one) && !/^(arg|_TOOL_REGISTRY)\./.test(one)), []);
  const names = found.map((one) => one.slice(0, one.lastIndexOf(":")));
  const missing = [...functions.filter(({ m }) => !m.required).map(({ name }) => name), ...lua, ...GIVEN];
  assert.deepEqual(missing.filter((name) => !names.includes(name)), []);
});

test("every value that the handler isle offers is declared, and what only the script has is not there", async () => {
  const script = startLua(`bus.on("reach", function() ${REACH} reach(_G, "") return found end) bus.serve()`);
  const found = await script.run.request("reach", null) as string[];
  await script.run.stop();
  assert.deepEqual(found.filter((one) => !known(one) && !/^(arg|_TOOL_REGISTRY)\./.test(one)), []);
  for (const { f, name } of functions.filter((one) => !one.m.required)) {
    assert.equal(found.includes(`${name}:function`), !f.mainOnly, name);
  }
});

test("every standard block is declared, with every public function", async () => {
  const blocks = Object.keys(EMBEDDED_BLOCKS).filter((name) => !name.includes("."));
  assert.deepEqual(blocks.sort(), CATALOGUE.filter((m) => m.required).map((m) => m.name).sort());
  for (const name of blocks) {
    const found = await valueOf(`${REACH} reach(require("${name}"), "${name}") return found`) as string[];
    const open = found.filter((one) => !one.split(".").some((part) => part.startsWith("_")));
    assert.deepEqual(open.filter((one) => !known(one) && !/:(?:table|string|number|boolean)$/.test(one)), [], name);
  }
});

test("functions that need nothing but their arguments declare the arguments they check", () => {
  const declared = new Map(functions.map(({ f, name }) => [name, bridgeArgs(f)]));
  for (const [name, args] of Object.entries(pureArgs)) {
    // path.join checks its arguments itself, with a text of its own
    if (name === "std.path.join") continue;
    assert.deepEqual(declared.get(name), args, name);
  }
});
