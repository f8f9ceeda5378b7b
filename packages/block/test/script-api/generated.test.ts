import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { generateAll } from "../../src/script-api/generate.ts";
import { readSignature } from "../../src/script-api/signature.ts";
import { valueOf } from "../support/run-script.ts";

const ROOT = fileURLToPath(new URL("../../../../", import.meta.url));

for (const [path, text] of Object.entries(generateAll())) {
  test(`${path} is what the declaration of the script API gives`, () => {
    assert.equal(readFileSync(`${ROOT}${path}`, "utf8"), text, `${path} is old: run npm run api`);
  });
}

test("every stub is Lua that compiles", async () => {
  const stubs = Object.fromEntries(Object.entries(generateAll()).filter(([path]) => path.includes("/stubs/")));
  const problems = await valueOf(`
    local problems = {}
    for path, text in pairs(stubs) do
      local ok, problem = load(text, "@" .. path)
      if not ok then problems[#problems + 1] = problem end
    end
    return #problems .. table.concat(problems, "; ")
  `, { globals: { stubs } });
  assert.equal(problems, "0");
});

test("no stub is left of a module that is gone", () => {
  const made = Object.keys(generateAll()).filter((path) => path.includes("/stubs/"));
  assert.deepEqual(globSync("packages/atoll/stubs/*", { cwd: ROOT }).sort(), made.sort());
});

test("a signature that cannot be read is refused with its place", () => {
  for (const wrong of ["f", "f(", "f(a)", "f(a: )", "f() -> ", "f() x"]) {
    assert.throws(() => readSignature(wrong), /expected|more than one/, wrong);
  }
});
