/** Block 11, isles per GiB. Each side fills a fresh process: support/fill-memory.ts. */
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { Bench } from "../tools/bench/bench.ts";

const FILL = fileURLToPath(new URL("./support/fill-memory.ts", import.meta.url));
const PROCESS_MS = 5 * 60_000;
const GIB = 2 ** 30;

export const bench: Bench = {
  name: "isles per GiB", unit: "×",
  question: "How many idle blocks, each with its isle in shared placement, fit where one empty worker does?",
  bars: [{ name: "blocks per worker", atLeast: 8 }],
  async run({ quick }) {
    const bytes = quick ? GIB / 8 : GIB;
    const [blocks, workers] = [await fill("blocks", bytes), await fill("workers", bytes)];
    const perGib = (count: number): string => String(Math.round(count * (GIB / bytes)));
    const note = `${perGib(blocks)} against ${perGib(workers)} per GiB${quick ? ", from 128 MiB" : ""}`;
    return { rows: [{ name: "blocks per worker", value: blocks / workers, note }] };
  },
};

async function fill(what: "blocks" | "workers", bytes: number): Promise<number> {
  const { stdout } = await promisify(execFile)(process.execPath, [FILL, what, String(bytes)], { timeout: PROCESS_MS });
  return Number(stdout);
}
