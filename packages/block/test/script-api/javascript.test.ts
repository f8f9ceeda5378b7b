import assert from "node:assert/strict";
import { test } from "node:test";
import { CATALOGUE } from "../../src/script-api/catalogue.ts";
import { readSignature } from "../../src/script-api/signature.ts";
import { toCamel } from "../../src/script-api/write-typescript.ts";
import { valueOf } from "../support/run-script.ts";

/** What JavaScript has beside what is declared for both languages; written out in write-typescript.ts. */
const ONLY_JS = ["BlockError", "block.exit", "bus.onModule"];

const REACH = `
import * as api from "@atoll-run/atoll/script";
const found = [];
const reach = (table, path) => {
  for (const key of Object.getOwnPropertyNames(table)) {
    const name = path === "" ? key : path + "." + key;
    if (typeof table[key] === "function") found.push(name);
    else if (typeof table[key] === "object" && table[key] !== null && name !== "block.signal") reach(table[key], name);
  }
};
reach(api, "");
export default found;
`;

test("a JavaScript isle offers the functions that its types declare, and no other", async () => {
  const found = await valueOf(REACH, { name: "reach.mjs" }) as string[];
  const declared = CATALOGUE.filter((m) => m.name !== "_G").flatMap((m) => m.functions.filter((f) => f.js !== "").map((f) => {
    const { name } = readSignature(f.signature);
    return `${m.name}.${toCamel(name.slice(m.name.length + 1))}`;
  }));
  assert.deepEqual(found.toSorted(), [...declared, ...ONLY_JS].toSorted());
});

test("in JavaScript what waits gives a promise, and what does not gives its value", async () => {
  const kinds = await valueOf(`
    import { std, tool, sh } from "@atoll-run/atoll/script";
    const kind = (v) => v instanceof Promise ? "promise" : typeof v;
    export default [kind(std.env.home()), kind(sh.exec("true")), kind(std.string.trim("x")), kind(tool.list()), kind(std.time.millis()),
      kind(std.path.absolute(".")), kind(std.path.parent("/")), kind(await std.env.get("NONE"))];
  `, { name: "kinds.mjs" });
  assert.deepEqual(kinds, ["promise", "promise", "string", "object", "number", "promise", "undefined", "undefined"]);
});
