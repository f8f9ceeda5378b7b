/** `atoll mob`: fleets of members. Each verb is loaded when it is called: most of them need no more than a client. */
import { runVerb, type Verbs } from "../tier/verb.ts";

const asking = async () => await import("../mob/verbs.ts");

const VERBS: Verbs = {
  demo: async (call) => (await import("../mob/demo.ts")).demo(call),
  up: async (call) => (await import("../mob/up.ts")).up(call),
  down: async (call) => (await asking()).down(call),
  status: async (call) => (await asking()).status(call),
  send: async (call) => (await asking()).send(call),
  tail: async (call) => (await import("../mob/tail.ts")).tail(call),
  approve: async (call) => (await asking()).approve(call),
  flow: async (call) => (await asking()).flow(call),
  diff: async (call) => (await asking()).diff(call),
  reload: async (call) => (await asking()).reload(call),
  reconcile: async (call) => (await asking()).reconcile(call),
  verify: async (call) => (await import("../mob/verify.ts")).verify(call),
  call: async (call) => (await asking()).method(call),
};

export function mob(args: readonly string[]): Promise<number> {
  return runVerb("mob", args, VERBS);
}
