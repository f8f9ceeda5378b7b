/** Block 11, bus round trip. The bar is for threads on one core; the same is reported as the system places them. */
import type { BlockRun } from "@atoll-run/block";
import type { Bench, Row } from "../tools/bench/bench.ts";
import { createBenchBlock, LUA_CACHE, script } from "./support/blocks.ts";
import { block } from "./support/built.ts";
import { ratioRow, rounds, takeTurns } from "./support/figures.ts";
import { onAllCores, onOneCore } from "./support/one-core.ts";
import { pingPong } from "./support/workers.ts";

/** Enough for the code to be compiled, as in a block that lives long. */
const TRIPS = 1000;
const KIB = "x".repeat(1024);
const ECHOES = `
bus.on("handler isle", function(ev) return ev.payload end)
bus.on("main isle", function(ev) return ev.payload end, {isle = "main"})
bus.serve()`;

export const bench: Bench = {
  name: "bus round trip", unit: "×",
  question: "What does BlockRun.request to a Lua echo cost with 1 KiB, against two bare workers that send each other 1 KiB?",
  bars: [{ name: "handler isle", atMost: 3 }, { name: "main isle", atMost: 3 }],
  async run({ quick }) {
    const alone = onOneCore();
    const rows = await measure(quick, alone ? "" : ", cores not chosen");
    if (!alone) return { rows: rows.map((row) => ({ ...row, name: row.name.replace(", cores not chosen", "") })) };
    onAllCores();
    return { rows: [...rows, ...await measure(quick, ", cores not chosen")] };
  },
};

async function measure(quick: boolean, how: string): Promise<Row[]> {
  const { module } = block.loadLuaModule({ cacheFile: LUA_CACHE });
  await using bare = pingPong(KIB);
  await using run = createBenchBlock(block.ownThreads(module)).start(script(ECHOES));
  await run.ready;
  const times = await takeTurns({
    bare: () => bare.trip(TRIPS), moved: () => echo(run, "handler isle"), stays: () => echo(run, "main isle"),
  }, rounds(quick));
  return [ratioRow(`handler isle${how}`, times.moved, times.bare), ratioRow(`main isle${how}`, times.stays, times.bare)];
}

/** Milliseconds of one request, the mean of some. The first one waits until the script serves. */
async function echo(run: BlockRun, kind: string): Promise<number> {
  const begun = performance.now();
  for (let trip = 0; trip < TRIPS; trip++) await run.request(kind, KIB);
  return (performance.now() - begun) / TRIPS;
}
