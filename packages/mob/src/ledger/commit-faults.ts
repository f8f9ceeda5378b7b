/** What is thrown when entries were not written: refused by the store, or not known to be done. */
import type { Commit, Fault } from "@atoll-run/core";
import { mobError, type MobError } from "../errors.ts";
import type { Writer } from "./ledger.ts";

export function refused(commit: Commit & { ok: false }, { scope, epoch }: Writer): MobError {
  const { refusal } = commit;
  if (refusal.why === "stale_epoch") {
    return mobError("mob.stale_fence", `a newer incarnation writes as ${scope} now`, {
      facts: { scope, fence: epoch, present: refusal.epoch }, hint: "This one is over; nothing of it counts any more.",
    });
  }
  return mobError("mob.conflict", `the entry could not be written: ${refusal.why}`, { facts: { what: refusal.why } });
}

export function degraded(error: Pick<Fault, "code" | "message" | "uncertain">): MobError {
  return mobError("mob.storage_degraded", `the ledger cannot be written: ${error.message}`, {
    facts: { cause: error.code }, cause: error, hint: "Look at the disk; what was accepted is kept.",
    ...error.uncertain === undefined ? {} : { uncertain: error.uncertain },
  });
}
