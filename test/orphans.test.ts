import assert from "node:assert/strict";
import { test } from "node:test";
import { killRound } from "./prove/orphan-round.ts";

const ROUNDS = 10;

test("a CLI killed with SIGKILL leaves no orphan: children, their children, those that left their group", {
  skip: process.platform === "linux" ? false : "looks for processes in /proc",
}, async () => {
  const failures: string[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const wrong = await killRound(round * 7_919 + process.pid);
    if (wrong !== undefined) failures.push(`round ${round}: ${wrong}`);
  }
  assert.deepEqual(failures, []);
});
