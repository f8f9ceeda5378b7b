/**
 * SIGKILL at random moments of an agent run with a session; see agent-round.ts for goal, invariant and
 * method.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Proof } from "../../tools/prove/proof.ts";
import { doRounds } from "./rounds.ts";
import { openRounds } from "./agent-round.ts";


export const proof: Proof = {
  issue: "B",
  title: "after kill -9 in an agent run the next one goes on from the last stored message and asks for no stored result again",
  sharePercent: 20,
  full: 200,
  async run(order) {
    const folder = mkdtempSync(join(tmpdir(), "atoll-agent-session-"));
    try {
      await using all = await openRounds(folder);
      return await doRounds(order, ({ round, random }) => all.run(round, random));
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
};
