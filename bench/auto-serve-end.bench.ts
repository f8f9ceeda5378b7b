/** Block 11, auto-serve end. */
import type { Bench } from "../tools/bench/bench.ts";
import { createBenchBlock, LUA_CACHE, script } from "./support/blocks.ts";
import { block } from "./support/built.ts";
import { formatTime, rounds, takeTurns } from "./support/figures.ts";

export const bench: Bench = {
  name: "auto-serve end", unit: "ms",
  question: "How much longer is a run that hands one event to a host handler by autoServe than the same run without it?",
  bars: [{ name: "longer by", atMost: 20 }],
  async run({ quick }) {
    const { module } = block.loadLuaModule({ cacheFile: LUA_CACHE });
    await using pool = block.createIslePool(module, { warm: 2 });
    const made = createBenchBlock(pool);
    const run = (autoServe: boolean) => async (): Promise<number> => {
      const begun = performance.now();
      const { bus } = await made.start({ ...script('bus.emit("greet", {name = "Ada"})'), autoServe, hostHandlers: { greet: () => "hello" } }).result;
      if (bus.handled !== Number(autoServe)) throw new Error(`handled ${bus.handled} events`);
      return performance.now() - begun;
    };
    const { served, alone } = await takeTurns({ served: run(true), alone: run(false) }, rounds(quick));
    const note = `${formatTime(served.median)} (p95 ${formatTime(served.p95)}) against ${formatTime(alone.median)}; ${served.runs} runs`;
    return { rows: [{ name: "longer by", value: served.median - alone.median, note }] };
  },
};
