/** Chunks to and from legacy peers, as they are (spec: node 2 `PlainStreams`). */
import { nodeError } from "@atoll-run/core";
import { writeChunk } from "@atoll-run/core/internal";
import type { OutboundParts } from "../gate/outbound-parts.ts";
import { toTarget } from "../gate/targets.ts";
import { NODE_LIMITS } from "../limits.ts";
import { dataLane } from "./carrier.ts";
import type { HearPlain, PlainChunk } from "./plain-streams.ts";
import type { StreamTable } from "./stream-table.ts";

export interface PlainSpeaker {
  /** Hears chunks of legacy peers under that id, one at a time; those of the last two seconds too. */
  register(id: string, hear: HearPlain): Disposable;
  /** One chunk to a node, without a stream around it. Throws when no lane took it. */
  send(to: string, chunk: PlainChunk, mode: "reliable" | "latency_first"): Promise<void>;
}

export function plainSpeaker(parts: OutboundParts, table: StreamTable): PlainSpeaker {
  return {
    register: (id, hear) => table.plain.register(id, hear),
    send: async (to, chunk, mode) => {
      const target = toTarget(to, parts);
      if (target.is !== "node") throw nodeError("node.invalid_argument", "a chunk goes to a node: give its id");
      const body = writeChunk({ ...chunk, metadata: [] }, { extensions: false });
      await parts.peers().send(target.id, dataLane(mode), body, { deadlineMs: NODE_LIMITS.streams.chunkMsMax });
    },
  };
}
