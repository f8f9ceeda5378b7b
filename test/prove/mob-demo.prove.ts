/** SIGKILL at random moments of `atoll mob demo`; see mob-demo-round.ts for goal, invariant and method. */
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Proof } from "../../tools/prove/proof.ts";
import { openDemoRounds } from "./mob-demo-round.ts";
import { doRounds } from "./rounds.ts";

const PROGRAM = join(fileURLToPath(new URL("../..", import.meta.url)), "build/node_modules/@atoll-run/atoll/bin/atoll.js");
const KILLS_MAX = 4;

export const proof: Proof = {
  issue: "D",
  title: "a demo that is killed goes on where it was: the same report, nothing lost, nothing done twice, no approval asked again",
  sharePercent: 50,
  full: 200,
  async run(order) {
    using all = await openDemoRounds(PROGRAM);
    return await doRounds(order, ({ round, random }) => all.run({ tag: `r${round}`, kills: 1 + Math.floor(random() * KILLS_MAX), random }));
  },
};
