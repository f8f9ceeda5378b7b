/** Mob 13, B10: what a flow adds to the work of its members. */
import type { Bench } from "../tools/bench/bench.ts";
import { toFigures } from "./support/figures.ts";
import { machineRow, measureMachine, timeRow } from "./support/machine.ts";
import { fleetOf, openFleet, scratch } from "./support/mob-fleet.ts";

const MEMBERS = 10;
const ITEMS = 1_000;
/** What a member does with an item: it waits for somebody else. */
const WORK_MS = 5;

export const bench: Bench = {
  name: "flow share", unit: "×", issue: "D",
  question: `A step that shares ${ITEMS} items among ${MEMBERS} linked members, each item ${WORK_MS} ms of waiting: how much longer does an item take than the `
    + "waiting of its member alone?",
  bars: [{ name: "overhead an item", atMost: 2 }],
  async run({ quick }) {
    using folder = scratch();
    const machine = await measureMachine(folder.dir);
    const definition = fleetOf(MEMBERS, { flows: { sweep: { steps: {
      all: { role: "worker", dispatch: "share", items: "params.items", message: "{{ item }}" },
    } } } });
    await using mob = await openFleet(folder.dir, definition, () => async ({ content }) => {
      await new Promise((resolve) => setTimeout(resolve, WORK_MS));
      return content;
    });
    const signal = AbortSignal.timeout(240_000);
    const run = async (items: number): Promise<number> => {
      const begun = performance.now();
      const { run_id } = await mob.flows.run({ flow: "sweep", params: { items: Array.from({ length: items }, (_, n) => n) }, principal: "bench" });
      const { state, error } = await mob.flows.wait(run_id, signal);
      if (state !== "completed") throw new Error(`the run is ${state}: ${error?.text ?? ""}`);
      return performance.now() - begun;
    };
    // All awake, all code warm.
    await run(MEMBERS * 10);
    const times: number[] = [];
    for (let i = 0; i < (quick ? 1 : 5); i++) times.push(await run(ITEMS));
    const waiting = ITEMS / MEMBERS * WORK_MS;
    const { median } = toFigures(times);
    return { rows: [
      timeRow("overhead an item", (median - waiting) / ITEMS, machine, `${median.toFixed(0)} ms in all, ${waiting} of them waiting; ${times.length} runs`),
      machineRow(machine),
    ] };
  },
};
