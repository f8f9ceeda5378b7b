/** Goal: a member never has more than its profile. Method: a table of what is within, and what is not. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { widerGrants } from "@atoll-run/mob/internal";

const WITHIN: readonly (readonly [grant: string, profile: string])[] = [
  ["fs.write:out", "fs.write:out"], ["fs.write:out", "fs.write"], ["fs.write:out/a", "fs.write:out"], ["fs.write:out/./a", "fs.write:out/"],
  ["fs.read:src/**", "fs.read:src"], ["fs.read:src/*.ts", "fs.read:src/**"], ["fs.read:a", "fs.read:."], ["net:a.example.com", "net:*.example.com"],
  ["net:h:443", "net:h"], ["net:h", "net:*"], ["env:APP_KEY", "env:APP_*"], ["mcp:files/read", "mcp:files/*"], ["mob:send", "mob"], ["run:git", "run"],
];
const WIDER: readonly (readonly [grant: string, profile: string])[] = [
  ["fs.write", "fs.write:out"], ["fs.write:out", "fs.read:out"], ["fs.write:output", "fs.write:out"], ["fs.write:out/../x", "fs.write:out"], ["fs.write:..", "fs.write:."],
  ["fs.write:/out", "fs.write:."], ["fs.read:src/x", "fs.read:src/*"], ["net:example.com", "net:*.example.com"], ["net:h", "net:h:443"],
  ["net:h:80", "net:h:443"], ["net:evilexample.com", "net:*.example.com"], ["env:APP_", "env:APP_*"], ["env:*", "env:APP_*"], ["run:git", "run:gi*"], ["run:sh", "run:git"],
  ["mcp:other/read", "mcp:files/*"], ["memory:write", "memory:read"], ["run:*", "run:git"],
];

test("grants that lie within those of a profile are no wider", () => {
  for (const [grant, profile] of WITHIN) assert.deepEqual(widerGrants([grant], [profile]), [], `${grant} in ${profile}`);
});

test("grants that allow more than those of a profile are wider, and so is all that is not surely within", () => {
  for (const [grant, profile] of WIDER) assert.deepEqual(widerGrants([grant], [profile]), [grant], `${grant} in ${profile}`);
});
