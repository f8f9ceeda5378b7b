/** `atoll mob verify`: whether the state of a mob is what its ledger says; of one that runs, or of a folder. */
import { isFault } from "@atoll-run/core";
import { verifyState } from "../../src/compose/verify-state.ts";
import { EXIT } from "../exit.ts";
import { answer, columns, noWords, type VerbCall } from "../tier/verb.ts";
import { findRunning } from "./running.ts";

export async function verify(call: VerbCall): Promise<number> {
  noWords(call);
  const findings = await findingsOf(call);
  const rows = findings.map(({ severity, code, path, hint }) => [severity, code, path, hint]);
  await answer(call, { findings }, rows.length === 0 ? "all is as the ledger says" : columns(["severity", "code", "what", "hint"], rows));
  return findings.some(({ severity }) => severity === "error") ? EXIT.failed : EXIT.ok;
}

async function findingsOf(call: VerbCall): ReturnType<typeof verifyState> {
  const dir = call.either("state", "STATE_DIR")?.text;
  try {
    const { mob } = await findRunning(call);
    return (await mob.verify({}, { signal: call.signal })).findings;
  } catch (error) {
    // Nobody has it: it is looked at where it lies.
    if (dir === undefined || !isFault(error) || error.code !== "client.unreachable") throw error;
    return await verifyState(dir, call.signal);
  }
}
