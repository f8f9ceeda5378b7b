import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { renderNodeLimits } from "./node-limits-page.ts";

test("docs/node-limits.md says what holds", () => {
  const page = readFileSync(new URL("../../../../docs/node-limits.md", import.meta.url), "utf8");
  assert.equal(page, renderNodeLimits(), "write it again: node packages/atoll/test/docs/write-docs.ts");
});
