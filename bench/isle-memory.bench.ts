/** Issue A: an isle takes at most 250 KiB, and 120 KiB with every bridge is the goal. */
import type { Bench } from "../tools/bench/bench.ts";
import { LUA_CACHE } from "./support/blocks.ts";
import { block } from "./support/built.ts";
import { type Handle, openIsle, realSetup } from "./support/isles.ts";

const KIB = 1024;
/** The thread's own first growth is not an isle's. */
const WARM_UP = 50;

export const bench: Bench = {
  name: "isle memory", unit: "KiB",
  question: "By how much does the process grow (RSS) for one more idle isle with every bridge in a warm worker?",
  bars: [{ name: "idle isle", atMost: 250 }],
  async run({ quick }) {
    const { module } = block.loadLuaModule({ cacheFile: LUA_CACHE });
    await using pool = block.createIslePool(module);
    const { thread } = pool.place();
    const setup = await realSetup();
    const isles: Handle[] = [];
    const fill = async (count: number): Promise<void> => {
      while (isles.length < count) isles.push(await openIsle(thread, setup));
    };
    await fill(WARM_UP);
    const count = quick ? 300 : 2000;
    const before = process.memoryUsage.rss();
    await fill(WARM_UP + count);
    const grown = process.memoryUsage.rss() - before;
    await Promise.all(isles.map((isle) => isle.close()));
    return { rows: [{ name: "idle isle", value: grown / count / KIB, note: `${count} isles; goal 120 KiB` }] };
  },
};
