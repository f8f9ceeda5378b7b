/** What `npm test` runs in place of the source: the built code of it, and nothing else. */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { builtOf } from "../testing/built-code.ts";

const path = (file: string): string => fileURLToPath(new URL(`../../${file}`, import.meta.url));
const skip = existsSync(path("build/stamp")) ? false : "nothing is built";

for (const [source, built] of [
  ["packages/block/src/isle/thread/entry.ts", "build/node_modules/@atoll-run/block/dist/isle/thread/entry.js"],
  ["drivers/sqlite/src/sql-child.ts", "build/node_modules/@atoll-run/sqlite/dist/sql-child.js"],
] as const) {
  test(`${source} is run as it was built`, { skip }, () => assert.equal(builtOf(path(source)), path(built)));
}

for (const other of [
  "packages/block/src/isle/thread/no-such.ts", "packages/block/test/isle/bare-state.ts", "tools/child.ts", "packages/atoll/bin/main.ts",
]) {
  test(`${other} is run as it is`, () => assert.equal(builtOf(path(other)), undefined));
}

test("files elsewhere are run as they are", () => assert.equal(builtOf("/elsewhere/packages/block/src/isle/thread/entry.ts"), undefined));
