/** Block 11, Lua speed. Both sides run support/speed.lua; stock Lua is asked by a line, the isle by an event. */
import { type ChildProcessByStdio, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import type { Readable, Writable } from "node:stream";
import type { Bench } from "../tools/bench/bench.ts";
import { createBenchBlock, LUA_CACHE, script } from "./support/blocks.ts";
import { block } from "./support/built.ts";
import { ratioRow, rounds, takeTurns } from "./support/figures.ts";

const SOURCE = readFileSync(new URL("./support/speed.lua", import.meta.url), "utf8");
const WORK = ["loop", "sort", "sort with a comparator", "strings"] as const;
type Work = (typeof WORK)[number];

const stock = ["lua5.4", "lua"].find((name) => spawnSync(name, ["-v"], { encoding: "utf8" }).stdout?.startsWith("Lua 5.4") === true);

export const bench: Bench = {
  name: "Lua speed", unit: "×",
  question: "How long does plain Lua code take in an isle, metering on, against stock Lua 5.4 on the same core?",
  bars: stock === undefined ? [] : [{ name: "loop", atMost: 3 }, { name: "sort", atMost: 3 }, { name: "sort with a comparator", atMost: 3 }],
  async run({ quick }) {
    if (stock === undefined) {
      return { rows: [{ name: "skipped", value: 0, note: "no stock Lua 5.4 on this machine: `apt-get install lua5.4`" }] };
    }
    using bare = startStock(stock);
    const { module } = block.loadLuaModule({ cacheFile: LUA_CACHE });
    await using run = createBenchBlock(block.ownThreads(module)).start(script(`
      ${SOURCE}
      bus.on_any(function(ev) work[ev.kind]() end, {isle = "main"})
      bus.serve()`));
    await run.ready;
    const isle = async (work: Work): Promise<number> => {
      const begun = performance.now();
      await run.request(work, null);
      return performance.now() - begun;
    };
    const rows = [];
    for (const work of WORK) {
      const times = await takeTurns({ bare: () => bare.run(work), isle: () => isle(work) }, rounds(quick));
      rows.push(ratioRow(work, times.isle, times.bare));
    }
    return { rows };
  },
};

interface Stock extends Disposable {
  run(work: Work): Promise<number>;
}

/** A process that runs what each line names and answers with a line. */
function startStock(name: string): Stock {
  // a first line of its own: an argument of -e may not begin with a dash
  const code = `\n${SOURCE}\nio.stdout:setvbuf("line")\nfor line in io.lines() do work[line]() print("done") end`;
  const child: ChildProcessByStdio<Writable, Readable, null> = spawn(name, ["-e", code], { stdio: ["pipe", "pipe", "inherit"] });
  const lines = createInterface(child.stdout);
  const ended = once(child, "close").then(() => Promise.reject(new Error(`${name} ended`)));
  ended.catch(() => undefined);
  return {
    run: async (work) => {
      const begun = performance.now();
      child.stdin.write(`${work}\n`);
      await Promise.race([once(lines, "line"), ended]);
      return performance.now() - begun;
    },
    [Symbol.dispose]: () => void child.kill(),
  };
}
