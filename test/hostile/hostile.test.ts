// Goal: no script harms its host. Invariants: each attack ends in one of the ways its row names, in its time, and an isle
// beside it still answers. Method: a table of attacks, two at a time, on threads of their own.
import assert from "node:assert/strict";
import { test } from "node:test";
import { attacks } from "./attacks.ts";
import { HOSTILE } from "./scripts.ts";

const LEAST = 80;

test(`there are at least ${LEAST} hostile scripts, each with a name of its own`, () => {
  assert.equal(new Set(HOSTILE.map(({ name }) => name)).size, HOSTILE.length);
  assert.ok(HOSTILE.length >= LEAST);
});

attacks("on threads of their own", (all) => all, () => undefined);
