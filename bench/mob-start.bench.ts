/** Mob 13, B6: from the start of the process until the mob accepts turns. */
import type { NewEntry } from "@atoll-run/mob";
import type { Bench } from "../tools/bench/bench.ts";
import { sqlite } from "./support/built.ts";
import { toFigures } from "./support/figures.ts";
import { machineRow, measureMachine, timeRow } from "./support/machine.ts";
import { startMob } from "./support/mob-child.ts";
import { fleetOf, memberName, openFleet, scratch } from "./support/mob-fleet.ts";
import { openBenchLedger } from "./support/mob-house.ts";

const MEMBERS = 600;
const ENTRIES = 100_000;
const BATCH = 500;

export const bench: Bench = {
  name: "mob start", unit: "×", issue: "D",
  question: `How long from the start of a process until its mob of ${MEMBERS} lazy members with ${ENTRIES} entries accepts turns, after it was stopped, and `
    + "after it was killed before any of the entries was in a snapshot?",
  bars: [{ name: "after a kill", atMost: 2_000 }, { name: "after a stop", atMost: 2_000 }],
  async run({ quick }) {
    using folder = scratch();
    const machine = await measureMachine(folder.dir);
    await fill(folder.dir);
    const killed: number[] = [];
    const stopped: number[] = [];
    const start = async (): Promise<number> => {
      const begun = performance.now();
      await using _ = await startMob({ dir: folder.dir, members: MEMBERS, profile: "linked", http: false });
      return performance.now() - begun;
    };
    // Its process ends without a word: nothing is written by the end.
    for (let run = 0; run < (quick ? 1 : 5); run++) killed.push(await start());
    await (await openFleet(folder.dir, fleetOf(MEMBERS), () => () => undefined)).close();
    for (let run = 0; run < (quick ? 1 : 5); run++) stopped.push(await start());
    return { rows: [
      timeRow("after a kill", toFigures(killed).median, machine, `${killed.length} starts`),
      timeRow("after a stop", toFigures(stopped).median, machine, `${stopped.length} starts`), machineRow(machine),
    ] };
  },
};

/** Members, then turns of theirs, as a mob that is killed leaves them: all that is older than a snapshot is not read at a start. */
async function fill(dir: string): Promise<void> {
  await (await openFleet(dir, fleetOf(MEMBERS), () => () => undefined)).close();
  await using store = await sqlite.openState({ dir });
  const { ledger, writer } = await openBenchLedger(store);
  const commits: Promise<unknown>[] = [];
  for (let n = 0; n < ENTRIES; n += BATCH) {
    commits.push(ledger.append(writer, Array.from({ length: BATCH }, (_, i) => turnEntry(n + i))));
  }
  await Promise.all(commits);
  await ledger[Symbol.asyncDispose]();
}

function turnEntry(n: number): NewEntry {
  const turn = Math.floor(n / 3);
  const about = { source: "member", member: memberName(turn % MEMBERS), generation: 1, fence: 1, turn_id: `t_${String(turn).padStart(26, "0")}`, principal: "bench" };
  switch (n % 3) {
    case 0: return { ...about, kind: "turn_queued", data: { conversation: "bench", from: "bench", deadline_at_ms: 0, preview: "x".repeat(64) } };
    case 1: return { ...about, kind: "turn_started", data: { attempt: 1 } };
    default: return { ...about, kind: "turn_done", data: { output: { said: "x".repeat(64) } } };
  }
}
