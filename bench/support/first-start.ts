/**
 * `node first-start.ts block|worker`: prints the milliseconds of the first block, or of the first empty worker, of this
 * process. The packages are loaded; the rewritten Lua is on the disk but not compiled.
 */
import { createBenchBlock, LUA_CACHE, script } from "./blocks.ts";
import { block } from "./built.ts";
import { emptyWorker } from "./workers.ts";

async function firstBlock(): Promise<number> {
  const begun = performance.now();
  const { module } = block.loadLuaModule({ cacheFile: LUA_CACHE });
  await createBenchBlock(block.ownThreads(module)).start(script("")).result;
  return performance.now() - begun;
}

const ms = process.argv[2] === "worker" ? await emptyWorker() : await firstBlock();
process.stdout.write(String(ms));
