/** How those who wait for the thread of the state file are told. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Batch } from "@atoll-run/core";
import { openState } from "@atoll-run/sqlite";

const BATCHES = 40;
const OPS = 64;

function batchOf(n: number): Batch {
  return {
    scope: "telling", epoch: null, at_ms: 1,
    ops: Array.from({ length: OPS }, (_, i) => ({ op: "append", journal: "j", body: `${n * OPS + i}` })),
  };
}

test("a store that is closed tells first, in their order, of all that it has committed", async () => {
  const store = await openState({ dir: null });
  const told: number[] = [];
  const commits = Array.from({ length: BATCHES }, async (_, n) => {
    const commit = await store.commit(batchOf(n));
    assert.equal(commit.ok && commit.values.length, OPS);
    told.push(n);
  });
  await store[Symbol.asyncDispose]();
  await Promise.all(commits);
  assert.deepEqual(told, Array.from({ length: BATCHES }, (_, n) => n));
});
