/**
 * `node fill-memory.ts blocks|workers BYTES`: starts idle blocks, or empty workers, until this process has grown by so many
 * bytes (RSS), and prints how many that were.
 */
import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { createBenchBlock, LUA_CACHE, script } from "./blocks.ts";
import { block } from "./built.ts";

/** What the first ones need for all is not theirs. */
const WARM_UP = 5;

async function countUntil(bytes: number, add: () => Promise<void>): Promise<number> {
  for (let i = 0; i < WARM_UP; i++) await add();
  const full = process.memoryUsage.rss() + bytes;
  let count = 0;
  for (; process.memoryUsage.rss() < full; count++) await add();
  return count;
}

function blocks(): () => Promise<void> {
  const { module } = block.loadLuaModule({ cacheFile: LUA_CACHE });
  const made = createBenchBlock(block.createIslePool(module));
  return async () => {
    const run = made.start({ ...script("bus.serve()"), hostHandlers: { ping: () => null } });
    // answered once the script serves
    await run.request("ping", null);
  };
}

async function worker(): Promise<void> {
  await once(new Worker("setInterval(() => undefined, 1e9)", { eval: true }), "online");
}

const [what, bytes] = process.argv.slice(2);
const count = await countUntil(Number(bytes), what === "blocks" ? blocks() : worker);
process.stdout.write(String(count), () => process.exit());
