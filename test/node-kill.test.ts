import assert from "node:assert/strict";
import { test } from "node:test";
import { buildProgram, openRounds } from "./prove/node-kill-round.ts";

test("a node that is killed five times loses no accepted message and does nothing twice", async () => {
  await using all = await openRounds(await buildProgram());
  assert.deepEqual(await all.run({
    moment: "work", kills: 5, answersMax: 20, nodes: ["ledger"], random: Math.random, tag: "test",
  }), []);
});
