/** Blocks for benches: the clock and ids of this machine, no output, stores only where a bench brings them. */
import { randomUUID } from "node:crypto";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Block, IslePlacing, StoreOpeners } from "@atoll-run/block";
import { block } from "./built.ts";

/** Where the rewritten Lua is kept from one process to the next, as in the home of a user. */
export const LUA_CACHE = join(tmpdir(), "atoll-bench", "lua.wasm");

export const clock = {
  now: () => Date.now(), monotonic: () => performance.now(),
  after: (ms: number, then: () => void): Disposable => {
    const timer = setTimeout(then, ms);
    return { [Symbol.dispose]: () => clearTimeout(timer) };
  },
};

const missing = (): never => {
  throw new Error("this bench opened no stores");
};

export function createBenchBlock(placing: IslePlacing, stores: Partial<StoreOpeners> = {}): Block {
  return block.createBlock({
    clock, ids: { uuid4: randomUUID, uuid7: randomUUID }, placing, searchPath: "/usr/bin:/bin", inherit: () => undefined,
    stores: { sql: missing, kv: missing, series: missing, ...stores },
  });
}

/** What a script of a bench is started with. */
export function script(source: string): { script: { source: string; name: string }; stdout: "ignore" } {
  return { script: { source, name: "bench.lua" }, stdout: "ignore" };
}
