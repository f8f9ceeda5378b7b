/** Mob 13, B5: what a mob costs that has nothing to do. */
import type { Bench } from "../tools/bench/bench.ts";
import { startMob } from "./support/mob-child.ts";
import { scratch } from "./support/mob-fleet.ts";

const MEMBERS = 600;
const MIB = 1_024 * 1_024;

export const bench: Bench = {
  name: "mob idle", unit: "×", issue: "D",
  question: `What does a process with ${MEMBERS} dormant members take that has nothing to do, while a console follows its whole ledger: part of a core, and memory?`,
  bars: [{ name: "of a core", atMost: 1 }, { name: "memory", atMost: 300 }],
  async run({ quick }) {
    using folder = scratch();
    await using mob = await startMob({ dir: folder.dir, members: MEMBERS, profile: "linked", http: true });
    const ended = new AbortController();
    const response = await fetch(`${mob.url}/v1/stream`, { headers: { authorization: `Bearer ${mob.token}` }, signal: ended.signal });
    if (!response.ok) throw new Error(`the stream says ${response.status}`);
    try {
      // Until what its start left behind is done.
      await new Promise((resolve) => setTimeout(resolve, 1_000));
      const before = await mob.cpu();
      const begun = performance.now();
      await new Promise((resolve) => setTimeout(resolve, quick ? 4_000 : 60_000));
      const cpuMs = await mob.cpu() - before;
      const ms = performance.now() - begun;
      return { rows: [
        { name: "of a core", value: cpuMs / ms * 100, unit: "%", note: `${cpuMs.toFixed(1)} ms in ${(ms / 1_000).toFixed(0)} s` },
        { name: "memory", value: await mob.memory() / MIB, unit: "MiB", note: "resident" },
      ] };
    } finally {
      ended.abort();
    }
  },
};
