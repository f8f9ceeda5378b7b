/**
 * SIGKILL at random moments of nodes in a process of their own, a TypeScript service and a Lua block, while clients in
 * this process call, tell and stream over WebSockets, and ask again under the same id when an answer is lost. Rounds of
 * their own for what a node may be at when it dies; see node-kill-round.ts.
 */
import { roundSeed, type Proof } from "../../tools/prove/proof.ts";
import { openRounds, type Moment } from "./node-kill-round.ts";

const FAILURES_MAX = 10;
const KILLS = 5;
/** In turn. Blocks are there in every other round. */
const LINUX = process.platform === "linux";
const MOMENTS: readonly Moment[] = ["work", LINUX ? "fsync" : "work", "drain", "full", "checkpoint", "redrive", "work", "start", "work"];

export const proof: Proof = {
  issue: "C",
  title: "nodes that are killed lose no accepted message, do nothing twice, keep the order of a sender, and leave no row behind",
  sharePercent: 18,
  full: 400,
  async run({ seed, from, count, deadlineAtMs, onRound, signal }) {
    const failures: string[] = [];
    let rounds = 0;
    await using all = await openRounds();
    while (rounds < count && Date.now() < deadlineAtMs && !signal.aborted && failures.length < FAILURES_MAX) {
      const round = from + rounds;
      const moment = MOMENTS[round % MOMENTS.length] ?? "work";
      const order = {
        moment, kills: KILLS, random: randomOf(roundSeed(seed, round)), tag: String(round),
        nodes: round % 2 === 0 ? ["ledger", "book"] as const : ["ledger"] as const, byType: round % 3 === 1,
      };
      const wrong = await all.run(order).catch((error: unknown) => [String(error)]);
      if (wrong.length > 0) failures.push(`round ${round} (${moment}): ${wrong.slice(0, 5).join("; ")}`);
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
