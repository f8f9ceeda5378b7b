/** Goal: a mob that dies loses nothing. Invariant: every accepted turn ends once. Method: SIGKILL at random moments, by a seed. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { seededRandom } from "@atoll-run/testkit";
import { killRounds } from "./kill-rounds.ts";

test("a mob that is killed at random moments and started again ends every accepted turn once, and does nothing twice", async (t) => {
  const dir = mkdtempSync(join(tmpdir(), "atoll-kill-"));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  const seed = Number(process.env["SEED"] ?? Math.floor(Math.random() * 1e9));
  t.diagnostic(`SEED=${seed}`);
  const random = seededRandom(seed);
  assert.deepEqual(await killRounds({ dir, turns: 150, kills: 3, random: () => random() / 2 ** 32 }), [], `SEED=${seed}`);
});
