/** Block 11, bridge calls, seen from a script: the handler makes many, and one request asks for all of them. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { BlockRun } from "@atoll-run/block";
import type { Bench } from "../tools/bench/bench.ts";
import { createBenchBlock, LUA_CACHE, script } from "./support/blocks.ts";
import { block, sqlite } from "./support/built.ts";
import { type Figures, ratioRow, rounds, takeTurns } from "./support/figures.ts";
import { onOneCore } from "./support/one-core.ts";
import { pingPong } from "./support/workers.ts";

/** Enough for the code to be compiled, as in a block that lives long. */
const CALLS = 1000;
/** About 10 KiB: what an agent gets from a tool. */
const RECORDS = JSON.stringify(Array.from({ length: 90 }, (_, i) => ({
  id: i, name: `record ${i}`, price: i * 1.25, tags: ["alpha", "beta"], open: i % 2 === 0, note: "a plain sentence, neither short nor long",
})));
const SCRIPT = `
bus.on("yield", function(ev) for i = 1, ev.payload do std.task.yield() end end)
bus.on("kv", function(ev) for i = 1, ev.payload do std.kv.get("bench", "hot") end end)
bus.on("json", function(ev)
  local text, decode, encode = ev.payload, std.json.decode, std.json.encode
  for i = 1, ${CALLS} do encode(decode(text)) end
end)
std.kv.set("bench", "hot", {text = "some value", count = 42})
bus.serve()`;

export const bench: Bench = {
  name: "bridge calls", unit: "×",
  question: "What does one call of a bridge cost a script: a yield and a read of a hot key against a round trip between two bare "
    + "workers, JSON of 10 KiB there and back against JSON.parse and JSON.stringify?",
  bars: [{ name: "std.task.yield", atMost: 1 }, { name: "std.kv.get", atMost: 3 }, { name: "std.json, 10 KiB", atMost: 6 }],
  async run({ quick }) {
    onOneCore();
    const folder = mkdtempSync(join(tmpdir(), "atoll-bench-"));
    try {
      const times = await measure(folder, quick);
      return { rows: [
        ratioRow("std.task.yield", times.yield, times.bare), ratioRow("std.kv.get", times.kv, times.bare),
        ratioRow("std.json, 10 KiB", times.json, times.parse),
      ] };
    } finally {
      rmSync(folder, { recursive: true });
    }
  },
};

async function measure(folder: string, quick: boolean): Promise<Record<"bare" | "yield" | "kv" | "json" | "parse", Figures>> {
  await using stores = sqlite.openStores({
    kvPath: join(folder, "kv.sqlite"), tsPath: ":memory:", busyTimeoutMs: 5000, journalMode: "WAL",
  });
  const { module } = block.loadLuaModule({ cacheFile: LUA_CACHE });
  await using bare = pingPong("x");
  await using run = createBenchBlock(block.ownThreads(module), { kv: () => stores.kv }).start(script(SCRIPT));
  await run.ready;
  return await takeTurns({
    bare: () => bare.trip(CALLS), yield: () => calls(run, "yield", CALLS), kv: () => calls(run, "kv", CALLS),
    json: () => calls(run, "json", RECORDS), parse,
  }, rounds(quick));
}

async function calls(run: BlockRun, kind: string, payload: number | string): Promise<number> {
  const begun = performance.now();
  await run.request(kind, payload);
  return (performance.now() - begun) / CALLS;
}

let kept = 0;

function parse(): number {
  const begun = performance.now();
  for (let i = 0; i < CALLS; i++) kept = JSON.stringify(JSON.parse(RECORDS)).length;
  if (kept === 0) throw new Error("nothing was written");
  return (performance.now() - begun) / CALLS;
}
