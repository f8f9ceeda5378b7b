/** Mob 13, B4: from a send to the start of its turn. */
import type { MobRooms } from "@atoll-run/atoll/mob";
import type { Bench } from "../tools/bench/bench.ts";
import { toFigures } from "./support/figures.ts";
import { machineRow, measureMachine, percentile, timeRow } from "./support/machine.ts";
import { ask, fleetOf, memberName, openFleet, scratch } from "./support/mob-fleet.ts";

const MEMBERS = 100;
/** A second, evenly: the load that the wait is measured under. */
const RATE = 1_500;
const TURNS = 2_000;
/** By then V8 has compiled with all optimizations what turns go through: 0.7 s of its threads, beside ours, once in a process. */
const COMPILED_AFTER = 14_000;
const COLD = 6_000;

export const bench: Bench = {
  name: "turn start", unit: "×", issue: "D",
  question: `How long from \`send\` to the first line of a linked member's turn, ${RATE} turns a second sent evenly to ${MEMBERS} members, each accepted on `
    + "the disk, once V8 has compiled the code and before; and how many a second run when each member gets its next turn as soon as the one before has ended?",
  bars: [{ name: "p99 at 1,500 a second", atMost: 15 }, { name: "turns a second", atLeast: 1.5 }],
  async run({ quick }) {
    using folder = scratch();
    const machine = await measureMachine(folder.dir);
    const begun: number[] = [];
    await using mob = await openFleet(folder.dir, fleetOf(MEMBERS), () => ({ content }) => {
      begun[content as number] = performance.now();
    });
    const load = new Load(mob, begun);
    // All awake; then all code warm.
    await load.closed(COMPILED_AFTER - COLD);
    const cold = await load.opened(COLD);
    const rates: number[] = [];
    for (let run = 0; run < (quick ? 3 : 9); run++) rates.push(await load.closed(TURNS));
    const waits = await load.opened(TURNS * (quick ? 2 : 9));
    return { rows: [
      timeRow("p99 at 1,500 a second", percentile(waits, 0.99), machine, `median ${percentile(waits, 0.5).toFixed(1)} ms; ${waits.length} turns`),
      timeRow("p99 before, while V8 compiles", percentile(cold, 0.99), machine, `once in a process, in its first ${COMPILED_AFTER} turns: the last ${COLD} of them`),
      { name: "turns a second", value: toFigures(rates).median, unit: "k/s", note: `${MEMBERS} at a time; ${rates.length} runs of ${TURNS}` },
      machineRow(machine),
    ] };
  },
};

class Load {
  readonly #mob: MobRooms;
  readonly #begun: number[];
  #next = 0;

  constructor(mob: MobRooms, begun: number[]) {
    this.#mob = mob;
    this.#begun = begun;
  }

  /** Each member has one turn at a time. Thousands a second. */
  async closed(turns: number): Promise<number> {
    const from = performance.now();
    await Promise.all(Array.from({ length: MEMBERS }, async (_, n) => {
      for (let i = 0; i < turns / MEMBERS; i++) await this.#turn(memberName(n));
    }));
    return turns / (performance.now() - from);
  }

  async opened(turns: number): Promise<readonly number[]> {
    const waits: number[] = [];
    for (let left = turns; left > 0; left -= TURNS) waits.push(...await this.#open(Math.min(TURNS, left)));
    return waits;
  }

  /** Evenly, whatever has become of those before. Milliseconds of each. */
  async #open(turns: number): Promise<readonly number[]> {
    const first = this.#next;
    const sent: number[] = [];
    const over: Promise<void>[] = [];
    const from = performance.now();
    while (over.length < turns) {
      const due = Math.min(turns, Math.floor((performance.now() - from) * RATE / 1_000));
      for (let n = over.length; n < due; n++) {
        // When it was due: a loop that is late makes whoever sends wait too.
        sent.push(from + n * 1_000 / RATE);
        over.push(this.#turn(memberName(n % MEMBERS)));
      }
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    await Promise.all(over);
    return sent.map((at, n) => (this.#begun[first + n] as number) - at);
  }

  async #turn(to: string): Promise<void> {
    const { turn_id } = await this.#mob.send(ask(to, this.#next++));
    await this.#mob.members.wait(turn_id, { waitMs: 30_000 });
  }
}
