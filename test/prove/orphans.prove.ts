/**
 * Goal: no process outlives a program that is killed with SIGKILL. Method: scripts start children in several
 * ways, the program is killed at a random moment, and then no process with the round's name may be left.
 */
import type { Proof } from "../../tools/prove/proof.ts";
import { doRounds } from "./rounds.ts";
import { killRound } from "./orphan-round.ts";

export const proof: Proof = {
  issue: "A",
  title: "an `atoll run` that is killed leaves no orphan",
  full: 200,
  run: (order) => doRounds(order, ({ seed }) => killRound(seed)),
};
