/**
 * SIGKILL at random moments of an agent run with a session; see agent-round.ts for goal, invariant and
 * method.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { roundSeed, type Proof } from "../../tools/prove/proof.ts";
import { openRounds } from "./agent-round.ts";

const FAILURES_MAX = 10;

export const proof: Proof = {
  issue: "B",
  title: "after kill -9 in an agent run the next one goes on from the last stored message and asks for no stored result again",
  sharePercent: 20,
  full: 200,
  async run({ seed, from, count, deadlineAtMs, onRound, signal }) {
    const folder = mkdtempSync(join(tmpdir(), "atoll-agent-session-"));
    const failures: string[] = [];
    let rounds = 0;
    await using all = await openRounds(folder);
    try {
      while (rounds < count && Date.now() < deadlineAtMs && !signal.aborted && failures.length < FAILURES_MAX) {
        const round = from + rounds;
        const wrong = await all.run(round, randomOf(roundSeed(seed, round)));
        if (wrong !== undefined) failures.push(`round ${round}: ${wrong}`);
        rounds += 1;
        onRound();
      }
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
    return { rounds, failures };
  },
};

/** Numbers from 0 to below 1, the same for the same seed. */
function randomOf(seed: number): () => number {
  let draw = 0;
  return () => roundSeed(seed, draw++) / 2 ** 32;
}
