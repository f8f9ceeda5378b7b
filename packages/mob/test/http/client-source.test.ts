import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { clientSource } from "../../src/http/client-source.ts";

test("the types of the client are those of the method table (npm run api writes them)", () => {
  assert.equal(readFileSync(new URL("../../../client/src/generated/methods.ts", import.meta.url), "utf8"), clientSource());
});
