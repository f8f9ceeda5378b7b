import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { MOB_LIMITS } from "@atoll-run/mob";
import { renderMobLimits } from "./mob-limits-page.ts";

test("docs/mob/limits.md says what holds, and why each limit is there", () => {
  const page = readFileSync(new URL("../../../../docs/mob/limits.md", import.meta.url), "utf8");
  assert.equal(page, renderMobLimits(), "write it again: node packages/atoll/test/docs/write-docs.ts");
  for (const name of Object.keys(MOB_LIMITS)) assert.match(page, new RegExp(`\\| \`${name}\` \\| \\S[^|]* \\| \\S`), name);
});
