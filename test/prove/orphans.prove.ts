/**
 * Goal: no process outlives a program that is killed with SIGKILL. Method: scripts start children in several
 * ways, the program is killed at a random moment, and then no process with the round's name may be left.
 */
import { type Proof, roundSeed } from "../../tools/prove/proof.ts";
import { killRound } from "./orphan-round.ts";

export const proof: Proof = {
  issue: "A",
  title: "an `atoll run` that is killed leaves no orphan",
  full: 200,
  async run({ seed, from, count, deadlineAtMs, onRound, signal }) {
    const failures: string[] = [];
    let rounds = 0;
    while (rounds < count && Date.now() < deadlineAtMs && !signal.aborted && failures.length < 10) {
      const round = from + rounds;
      const wrong = await killRound(roundSeed(seed, round));
      if (wrong !== undefined) failures.push(`round ${round}: ${wrong}`);
      rounds += 1;
      onRound();
    }
    return { rounds, failures };
  },
};
