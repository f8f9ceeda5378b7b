/**
 * SIGKILL at random moments of nodes in a process of their own, a TypeScript service and a Lua block, while clients in
 * this process call, tell and stream over WebSockets, and ask again under the same id when an answer is lost. Rounds of
 * their own for what a node may be at when it dies; see node-kill-round.ts.
 */
import type { Proof } from "../../tools/prove/proof.ts";
import { Rounds, type Round } from "./rounds.ts";
import { buildProgram, openRounds, type Moment, type RoundOrder } from "./node-kill-round.ts";

const KILLS = 5;
/** Side by side, each with a realm of its own: a round keeps one core busy, mostly with starts. */
const LANES = 2;
/** In turn. Blocks are there in every other round. */
const LINUX = process.platform === "linux";
const MOMENTS: readonly Moment[] = ["work", LINUX ? "fsync" : "work", "drain", "full", "checkpoint", "redrive", "work", "start", "work"];

export const proof: Proof = {
  issue: "C",
  title: "nodes that are killed lose no accepted message, do nothing twice, keep the order of a sender, and leave no row behind",
  sharePercent: 18,
  full: 400,
  async run(order) {
    const rounds = new Rounds(order);
    const program = await buildProgram();
    await Promise.all(Array.from({ length: LANES }, async () => {
      await using all = await openRounds(program);
      await rounds.work(async (round) => {
        const wanted = orderOf(round);
        return (await all.run(wanted)).map((text) => `(${wanted.moment}) ${text}`);
      });
    }));
    return rounds.result();
  },
};

function orderOf({ round, random }: Round): RoundOrder {
  return {
    moment: momentOf(round), kills: KILLS, random, tag: String(round),
    nodes: round % 2 === 0 ? ["ledger", "book"] : ["ledger"], byType: round % 3 === 1,
  };
}

function momentOf(round: number): Moment {
  return MOMENTS[round % MOMENTS.length] ?? "work";
}
