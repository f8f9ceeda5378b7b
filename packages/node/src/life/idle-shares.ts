/** How much of this process and its machine is free, for the heartbeat (spec: node 5.6). What is not here is not measured. */
import { totalmem } from "node:os";
import { performance } from "node:perf_hooks";
import process from "node:process";

/** Gives the shares since the last call, each 0 to 1. The first call knows nothing of the loop: a start is always busy. */
export function idleShares(): () => readonly number[] {
  let before: ReturnType<typeof performance.eventLoopUtilization> | undefined;
  return () => {
    const now = performance.eventLoopUtilization();
    const loop = before === undefined ? [] : [1 - performance.eventLoopUtilization(now, before).utilization];
    before = now;
    return [...loop, Math.min(1, process.availableMemory() / totalmem())];
  };
}
