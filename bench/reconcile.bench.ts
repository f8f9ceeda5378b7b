/** Mob 13, B8: what a pass of reconcile takes. */
import type { MemberSpec, MobDefinition, MobRooms } from "@atoll-run/mob";
import type { Bench } from "../tools/bench/bench.ts";
import { type Machine, machineRow, measureMachine, timeRow } from "./support/machine.ts";
import { fleetOf, memberName, openFleet, scratch } from "./support/mob-fleet.ts";

const MEMBERS = 10_000;
const EDGES = 20_000;
const CHANGES = 100;
const PRINCIPAL = { principal: "bench" };

export const bench: Bench = {
  name: "reconcile", unit: "×", issue: "D",
  question: `How long does a pass of reconcile take over ${MEMBERS} members and ${EDGES} edges: from an empty mob, all lazy; with ${CHANGES} members `
    + "whose labels are others; with nothing to do?",
  bars: [{ name: "from empty", atMost: 15_000 }, { name: "100 changes", atMost: 2_000 }, { name: "no change", atMost: 1_000 }],
  async run({ quick }) {
    using folder = scratch();
    const machine = await measureMachine(folder.dir);
    const edges = Array.from({ length: EDGES }, (_, n): [string, string] => {
      const a = n % MEMBERS;
      return [memberName(a), memberName((a + 1 + Math.floor(n / MEMBERS)) % MEMBERS)];
    });
    const empty = fleetOf(0);
    const full: MobDefinition = fleetOf(MEMBERS, { edges });
    // What is defined may change while the mob runs.
    const definition = { ...empty };
    await using mob = await openFleet(folder.dir, definition, () => () => undefined);
    Object.assign(definition, { members: full.members, edges: full.edges });
    const rows = [await pass(mob, machine, "from empty", { members: { spawned: MEMBERS }, edges: { wired_edges: EDGES } })];
    for (let run = 0; run < (quick ? 1 : 5); run++) {
      Object.assign(definition, { members: full.members.map((spec, n) => changed(spec, n, run)) });
      rows[1] = slower(rows[1], await pass(mob, machine, "100 changes", { members: { updated: CHANGES }, edges: { retained_edges: EDGES } }));
      rows[2] = slower(rows[2], await pass(mob, machine, "no change", { members: { retained: MEMBERS }, edges: { retained_edges: EDGES } }));
    }
    return { rows: [...rows, machineRow(machine)] };
  },
};

type Counts = Readonly<Record<string, number>>;
type Measured = ReturnType<typeof timeRow>;

async function pass(mob: MobRooms, machine: Machine, name: string, wanted: { readonly members: Counts; readonly edges: Counts }): Promise<Measured> {
  const begun = performance.now();
  const report = await mob.reconciler.reconcile(PRINCIPAL);
  const ms = performance.now() - begun;
  for (const part of ["members", "edges"] as const) {
    for (const [bucket, count] of Object.entries(wanted[part])) {
      const { length } = (report[part] as unknown as Readonly<Record<string, readonly unknown[]>>)[bucket] ?? [];
      if (length !== count) throw new Error(`${name}: ${length} ${bucket}, not ${count}`);
    }
  }
  return timeRow(name, ms, machine);
}

/** The slowest of all counts. */
function slower(known: Measured | undefined, row: Measured): Measured {
  return known === undefined || row.value > known.value ? row : known;
}

function changed(spec: MemberSpec, n: number, run: number): MemberSpec {
  return n % (MEMBERS / CHANGES) === 0 ? { ...spec, labels: { run: String(run) } } : spec;
}
