/**
 * Goal: a killed program leaves nothing behind. Method: scripts start children and grandchildren in several ways, the
 * program gets SIGKILL at a random moment, and every process that carries this round's name must end.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { place } from "../support/cli.ts";
import { killRound } from "../support/orphans.ts";

const ROUNDS = 10;

test("a CLI killed with SIGKILL leaves no orphan: children, their children, and those that left their group", async (t) => {
  const failures: string[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const wrong = await killRound({ at: place(t), seed: round * 7_919 + process.pid });
    if (wrong !== undefined) failures.push(`round ${round}: ${wrong}`);
  }
  assert.deepEqual(failures, []);
});
