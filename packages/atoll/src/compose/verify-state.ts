/** What is wrong with the state of a mob that does not run: its ledger folded anew, and compared with what stands beside it. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { isFault } from "@atoll-run/core";
import { MOB_LIMITS, mobError } from "@atoll-run/mob";
import { createBlobs, createIds, keysSince, openLedger, verifyMob, viewAt, type Finding } from "@atoll-run/mob/internal";
import { openState } from "@atoll-run/sqlite";
import { BLOBS_DIR, openBlobFolder } from "./blob-folder.ts";
import { systemClock } from "./clock.ts";
import { randomOf } from "./random.ts";

const FILE = "state.sqlite";

/** Changes nothing of it. Throws `mob.not_found` without a state, `mob.already_running` while a mob has the folder, the reason of the signal. */
export async function verifyState(dir: string, signal: AbortSignal): Promise<readonly Finding[]> {
  const path = join(dir, FILE);
  if (!existsSync(path)) throw mobError("mob.not_found", `there is no state in ${dir}`, { facts: { what: "state", id: dir }, hint: "Name the folder with --state." });
  try {
    await using store = await openState({ dir });
    await using blobStore = await openBlobFolder(join(dir, BLOBS_DIR), { drops: false });
    const blobs = createBlobs({ store: blobStore, limits: MOB_LIMITS });
    const ids = createIds({ clock: systemClock, bytes: randomOf });
    await using ledger = await openLedger({ store, clock: systemClock, newId: ids, log: { write: () => undefined } }, { mob: "", limits: MOB_LIMITS });
    const view = await viewAt(ledger, ledger.head, { signal });
    return await verifyMob({ ledger, view, blobs, keysSinceMs: keysSince(systemClock.now(), MOB_LIMITS) }, signal);
  } catch (error) {
    if (!isFault(error)) throw error;
    if (error.code === "state.locked") throw mobError("mob.already_running", `a mob runs with ${dir}: ${error.message}`, { cause: error, facts: error.facts });
    return [{ severity: "error", code: error.code, path, hint: `${error.message}. Put back a copy of the folder, or begin anew in another one.` }];
  }
}
