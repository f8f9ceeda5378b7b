/** A block as what a node runs: it starts with the node, and speaks through it. */
import { type BlockRun, type BlockWorkloadOptions, toWorkload } from "@atoll-run/block";
import type { Mesh } from "@atoll-run/core";
import type { Hosted } from "./local.ts";
import { type RunConfig, startBlock } from "./run-block.ts";

export interface BlockServiceConfig extends Omit<RunConfig, "mesh">, BlockWorkloadOptions {
  /** `manufacturer:name:version`. */
  readonly type: string;
}

/** Each start of the node starts the script anew; `mesh.*` of the script is the node. */
export function blockService({ type, routes, concurrency, ...config }: BlockServiceConfig): Hosted {
  const start = (mesh: Mesh): BlockRun => startBlock({ ...config, mesh });
  return {
    ...toWorkload(start, { ...routes === undefined ? {} : { routes }, ...concurrency === undefined ? {} : { concurrency } }), type,
  };
}
