// The story of nodes, as `npm run example:node` tells it: real processes, a realm that is killed, a dead letter redriven.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

test("a realm, a service and a block in processes of their own tell the whole story", () => {
  const run = spawnSync(process.execPath, [fileURLToPath(new URL("./run.ts", import.meta.url))], { encoding: "utf8", timeout: 150_000 });
  assert.equal(run.status, 0, run.stdout + run.stderr);
  for (const line of [
    "found", "the total is still 3", "hello ada, you seem cheerful", "the bank notes what the teller tells", "the block has it", "the block has read all letters", "the bank has read all lines",
    "charged without a realm: the total is 7", "the nodes are back in the new realm", "handler_failed", "redriven: 1",
    "after the fix the bank has handled it", "and no dead letter is left", "that was all: done",
  ]) assert.ok(run.stdout.includes(line), `${line} is missing in:\n${run.stdout}\n${run.stderr}`);
});
