/**
 * A block with everything it needs on this machine.
 * takes a config; gives a run, or its result; promises what the block promises; refuses what it refuses;
 * never reads the environment of the process: `env` of the config is the block's whole one.
 */
import {
  type Block, type BlockConfig, type BlockParts, type BlockResult, createBlock, type IslePool,
  ownThreads,
} from "@atoll-run/block";
import { systemClock } from "./clock.ts";
import { systemIds } from "./ids.ts";
import { inherit } from "./inherit.ts";
import { luaModule } from "./lua.ts";
import { homeOf } from "./settings.ts";
import { storeOpeners } from "./stores.ts";

/** Where programs are looked for when the block has no PATH. */
const SEARCH_PATH = "/usr/local/bin:/usr/bin:/bin";

export interface RunConfig extends BlockConfig {
  /** Threads shared with other blocks; without one each isle gets a thread of its own. */
  readonly pool?: IslePool;
  /** Parts to take instead of those of this machine: for tests. */
  readonly parts?: Partial<BlockParts>;
}

/** What `startBlock` gives: a `BlockRun` that also tells whether it serves. */
export type StartedBlock = ReturnType<Block["start"]>;

/**
 * Starts a block; the config is checked first, so a wrong one fails `ready` and `result` with
 * `config.invalid`.
 */
export function startBlock(config: RunConfig): StartedBlock {
  const { pool, parts, ...block } = config;
  const env = block.env ?? {};
  return createBlock({
    clock: systemClock, ids: systemIds(parts?.clock ?? systemClock), inherit,
    stores: storeOpeners(block, block.log),
    placing: parts?.placing ?? pool ?? ownThreads(luaModule(homeOf(env))),
    searchPath: env["PATH"] ?? SEARCH_PATH,
    // Loaded only when it is asked for: a script alone needs nothing of a node.
    relay: async (o) => await (await import("./relay-mesh.ts")).openRelayMesh(o), ...parts,
  }).start(block);
}

/** Runs a block to its end; throws the one fault it failed with. */
export function runBlock(config: RunConfig): Promise<BlockResult> {
  return startBlock(config).result;
}
