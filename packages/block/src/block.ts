/**
 * The block: one agent script in isolated VMs with every capability it was granted.
 * takes parts and a config; gives a run; promises a result or one typed fault; refuses a config with every problem at once;
 * never reads the environment of the process.
 */
import type { BlockConfig, BlockResult, BlockRun } from "./config.ts";
import { Run, type RunParts } from "./run/block-run.ts";

export type BlockParts = RunParts;

export interface Block {
  start(config: BlockConfig): Run;
  run(config: BlockConfig): Promise<BlockResult>;
}

/** A maker of runs; nothing is opened until one starts. */
export function createBlock(parts: BlockParts): Block {
  return {
    start: (config) => new Run(parts, config),
    run: (config) => new Run(parts, config).result,
  };
}

export type { BlockRun };
