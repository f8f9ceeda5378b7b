/** Block 11, isle start. `first-start.ts` is one fresh process of the row "first in a process". */
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { Bench } from "../tools/bench/bench.ts";
import { createBenchBlock, LUA_CACHE, script } from "./support/blocks.ts";
import { block } from "./support/built.ts";
import { ratioRow, rounds, takeTurns } from "./support/figures.ts";
import { emptyWorker } from "./support/workers.ts";

const FIRST = fileURLToPath(new URL("./support/first-start.ts", import.meta.url));
const PROCESS_MS = 30_000;

export const bench: Bench = {
  name: "isle start", unit: "×",
  question: "What does a block with an empty script cost, from startBlock until it is settled, against the start and exit of an "
    + "empty worker thread?",
  bars: [
    { name: "cold, Lua compiled", atMost: 2 }, { name: "first in a process", atMost: 3.5 }, { name: "pooled", atMost: 0.15 },
  ],
  async run({ quick }) {
    const { module } = block.loadLuaModule({ cacheFile: LUA_CACHE });
    await using pool = block.createIslePool(module, { warm: 2 });
    const cold = createBenchBlock(block.ownThreads(module));
    const pooled = createBenchBlock(pool);
    const warm = await takeTurns({
      worker: emptyWorker, cold: () => emptyRun(cold), pooled: () => emptyRun(pooled),
    }, rounds(quick));
    const first = await takeTurns({ worker: () => inProcess("worker"), block: () => inProcess("block") },
      quick ? { runs: 5, warmUps: 1 } : rounds(quick));
    return { rows: [
      ratioRow("cold, Lua compiled", warm.cold, warm.worker),
      ratioRow("first in a process", first.block, first.worker),
      ratioRow("pooled", warm.pooled, warm.worker),
    ] };
  },
};

async function emptyRun(made: ReturnType<typeof createBenchBlock>): Promise<number> {
  const begun = performance.now();
  await made.start(script("")).result;
  return performance.now() - begun;
}

async function inProcess(what: "worker" | "block"): Promise<number> {
  const { stdout } = await promisify(execFile)(process.execPath, [FIRST, what], { timeout: PROCESS_MS });
  return Number(stdout);
}
