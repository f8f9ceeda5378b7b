/** Writes that belong to no message: what hooks and stream readers record. */
import { nodeError, type Write } from "@atoll-run/core";
import { writeOps } from "./completion.ts";
import type { NodeInbox } from "./node-inbox.ts";

/** Bytes that a write counts for beside its value. */
const WRITE_BYTES = 64;

export function apply(inbox: NodeInbox, writes: readonly Write[]): Promise<void> {
  const { commits, now, parts } = inbox;
  return new Promise((resolve, reject) => {
    commits.add({
      prepare: () => writeOps(writes, { nowMs: now(), ids: parts.ids, traceparent: undefined }),
      alone: writes.some(({ write }) => write === "check"),
      bytes: writes.reduce((sum, write) => sum + WRITE_BYTES + (write.write === "set" ? write.value.length : 0), 0),
      done: () => {
        resolve();
        if (writes.some(({ write }) => write === "tell")) parts.outboxChanged?.();
      },
      refused: ({ why }) => reject(nodeError("node.internal", `what was recorded could not be done: ${why}`)),
      // Without a fault another unit of the batch was at fault.
      failed: (fault) => fault === undefined ? void apply(inbox, writes).then(resolve, reject) : reject(fault),
    });
  });
}
