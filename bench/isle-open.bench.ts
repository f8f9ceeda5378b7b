/** Issue A: an isle in a warm worker costs at most 1 ms, and 0.5 ms is the goal. */
import type { Bench } from "../tools/bench/bench.ts";
import { LUA_CACHE } from "./support/blocks.ts";
import { block } from "./support/built.ts";
import { medianRow, rounds, takeTurns } from "./support/figures.ts";
import { openIsle, realSetup } from "./support/isles.ts";

/** Opened one after the other in each run; the worker is warm after a few hundred. */
const ISLES = 20;

export const bench: Bench = {
  name: "isle open", unit: "ms",
  question: "How long until one more isle with every bridge stands in a warm worker, with the messages there and back?",
  bars: [{ name: "main isle", atMost: 1 }, { name: "handler isle", atMost: 1 }],
  async run({ quick }) {
    const { module } = block.loadLuaModule({ cacheFile: LUA_CACHE });
    await using pool = block.createIslePool(module);
    const { thread } = pool.place();
    const main = await realSetup();
    const open = async (role: "main" | "handler"): Promise<number> => {
      let ms = 0;
      for (let i = 0; i < ISLES; i++) {
        const begun = performance.now();
        const isle = await openIsle(thread, { ...main, role });
        ms += performance.now() - begun;
        await isle.close();
      }
      return ms / ISLES;
    };
    const times = await takeTurns({ main: () => open("main"), handler: () => open("handler") }, rounds(quick));
    return { rows: [medianRow("main isle", times.main), medianRow("handler isle", times.handler)] };
  },
};
