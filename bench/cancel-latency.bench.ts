/** Block 11, cancel latency. */
import type { Bench, Row } from "../tools/bench/bench.ts";
import { createBenchBlock, LUA_CACHE, script } from "./support/blocks.ts";
import { block } from "./support/built.ts";
import { type Figures, formatTime, rounds, takeTurns } from "./support/figures.ts";

const BUSY = `
print("go")
local function forever() while true do end end
coroutine.wrap(function()
  while true do pcall(coroutine.wrap(function() pcall(pcall, forever) end)) end
end)()`;
const ABORT_AFTER_MS = 5;

export const bench: Bench = {
  name: "cancel latency", unit: "ms",
  question: "How long from an abort until a run is settled whose script is in an empty loop in nested pcall and coroutines (p95)?",
  bars: [{ name: "own threads", atMost: 50 }, { name: "pooled", atMost: 50 }],
  async run({ quick }) {
    const { module } = block.loadLuaModule({ cacheFile: LUA_CACHE });
    await using pool = block.createIslePool(module, { warm: 2 });
    const own = createBenchBlock(block.ownThreads(module));
    const pooled = createBenchBlock(pool);
    const times = await takeTurns({ own: () => cancelled(own), pooled: () => cancelled(pooled) }, rounds(quick));
    return { rows: [p95Row("own threads", times.own), p95Row("pooled", times.pooled)] };
  },
};

async function cancelled(made: ReturnType<typeof createBenchBlock>): Promise<number> {
  const abort = new AbortController();
  const going = Promise.withResolvers<void>();
  const run = made.start({ ...script(BUSY), signal: abort.signal, stdout: () => going.resolve() });
  await going.promise;
  await new Promise((resolve) => setTimeout(resolve, ABORT_AFTER_MS));
  const begun = performance.now();
  abort.abort();
  const fault = await run.result.then(() => undefined, (error: unknown) => error as { code?: string });
  if (fault?.code !== "run.cancelled") throw new Error(`the run ended with ${fault?.code}`);
  return performance.now() - begun;
}

function p95Row(name: string, { median, p95, runs }: Figures): Row {
  return { name, value: p95, note: `median ${formatTime(median)}; ${runs} runs` };
}
