/** `atoll mob`: fleets of members. Each verb is loaded when it is called: most of them need no more than a client. */
import { runVerb, type Verbs } from "../tier/verb.ts";

const VERBS: Verbs = {
  up: async (call) => (await import("../mob/up.ts")).up(call),
};

export function mob(args: readonly string[]): Promise<number> {
  return runVerb("mob", args, VERBS);
}
