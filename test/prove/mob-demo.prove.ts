/** SIGKILL at random moments of `atoll mob demo`; see mob-demo-round.ts for goal, invariant and method. */
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { roundSeed, type Proof } from "../../tools/prove/proof.ts";
import { openDemoRounds } from "./mob-demo-round.ts";

const PROGRAM = join(fileURLToPath(new URL("../..", import.meta.url)), "build/node_modules/@atoll-run/atoll/bin/atoll.js");
const FAILURES_MAX = 10;
const KILLS_MAX = 4;

export const proof: Proof = {
  issue: "D",
  title: "a demo that is killed goes on where it was: the same report, nothing lost, nothing done twice, no approval asked again",
  sharePercent: 50,
  full: 200,
  async run({ seed, from, count, deadlineAtMs, onRound, signal }) {
    const failures: string[] = [];
    let rounds = 0;
    using all = await openDemoRounds(PROGRAM);
    while (rounds < count && Date.now() < deadlineAtMs && !signal.aborted && failures.length < FAILURES_MAX) {
      const round = from + rounds;
      const random = randomOf(roundSeed(seed, round));
      const wrong = await all.run({ tag: `r${round}`, kills: 1 + Math.floor(random() * KILLS_MAX), random });
      if (wrong.length > 0) failures.push(`round ${round}: ${wrong.slice(0, 5).join("; ")}`);
      rounds += 1;
      onRound();
    }
    return { rounds, failures };
  },
};

/** Numbers from 0 to below 1, the same for the same seed. */
function randomOf(seed: number): () => number {
  let draw = 0;
  return () => roundSeed(seed, draw++) / 2 ** 32;
}
