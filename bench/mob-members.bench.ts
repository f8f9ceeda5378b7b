/** What members cost, awake and asleep, and how fast one wakes (issue D). */
import type { Bench, Row } from "../tools/bench/bench.ts";
import { type Machine, measureMachine, percentile, timeRow } from "./support/machine.ts";
import { startMob } from "./support/mob-child.ts";
import { type PROFILES, scratch } from "./support/mob-fleet.ts";

const LIVE = 2_000;
const DORMANT = 20_000;
/** Woken before anything is measured: their code is compiled, their heap has grown. */
const WARM = 50;
const WAKES = 400;
const AT_ONCE = 16;
const KIB = 1_024;

export const bench: Bench = {
  name: "mob members", unit: "KiB", issue: "D",
  question: `How much resident memory does each of ${DORMANT} members take that sleep, and each of ${LIVE} that are awake, linked ones and scripts in isles; and how `
    + "long from the send of a sleeper's first turn until its first line?",
  bars: [],
  async run({ quick }) {
    using folder = scratch();
    const machine = await measureMachine(folder.dir);
    const part = quick ? 10 : 1;
    return { rows: [
      await asleep(DORMANT / part), ...await awake("linked", { live: LIVE / part, machine, wakes: WAKES }),
      ...await awake("script", { live: LIVE / part, machine, wakes: WAKES / 4 }),
    ] };
  },
};

const NAMES = { linked: "linked member", script: "script" } as const;

async function asleep(members: number): Promise<Row> {
  const few = await memoryOf(0);
  const many = await memoryOf(members);
  return { name: "asleep", value: (many - few) / members / KIB, note: `${members} members` };
}

async function memoryOf(members: number): Promise<number> {
  using folder = scratch();
  // The second start: what is left of making them is not what they are.
  await (await startMob({ dir: folder.dir, members, profile: "linked", http: false }))[Symbol.asyncDispose]();
  await using mob = await startMob({ dir: folder.dir, members, profile: "linked", http: false });
  return await mob.memory();
}

async function awake(profile: keyof typeof PROFILES, o: { readonly live: number; readonly wakes: number; readonly machine: Machine }): Promise<readonly Row[]> {
  using folder = scratch();
  await using mob = await startMob({ dir: folder.dir, members: WARM + o.wakes + o.live, profile, http: false });
  await mob.wake({ from: 0, count: WARM, atOnce: AT_ONCE });
  const waits = await mob.wake({ from: WARM, count: o.wakes, atOnce: 1 });
  const before = await mob.memory();
  await mob.wake({ from: WARM + o.wakes, count: o.live, atOnce: AT_ONCE });
  const after = await mob.memory();
  return [
    { name: `awake, ${NAMES[profile]}`, value: (after - before) / o.live / KIB, note: `${o.live} members` },
    timeRow(`wake of a ${NAMES[profile]}, p99`, percentile(waits, 0.99), o.machine, `goal 20; median ${percentile(waits, 0.5).toFixed(1)} ms; ${waits.length} one after the other`),
  ];
}
