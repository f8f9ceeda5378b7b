/** What chunks of one peer travel on: a link, or the short way to this node itself. */
import type { Lane, Link, Principal } from "@atoll-run/core";
import { writeChunk, type Chunk, type StreamControl } from "@atoll-run/core/internal";
import { idText } from "../identity/id-text.ts";
import type { Peers } from "../transport/peers.ts";

export interface Carrier {
  /** Text of the peer's id; empty = this node. */
  readonly peer: string;
  readonly principal: Principal;
  /** It knows how to open, grant, acknowledge, end and reset. */
  readonly aware: boolean;
  readonly link: Link | undefined;
  /** In the order of the calls. Throws when the chunk was not taken. */
  send(lane: Lane, chunk: Chunk): Promise<void>;
}

export function linkCarrier(link: Link, o: { readonly peers: () => Peers; readonly chunkMsMax: number }): Carrier {
  const { id, proof, features } = link.peer;
  const extensions = features.has("stream1");
  return {
    peer: idText(id), principal: { kind: "peer", id, proof }, aware: extensions, link,
    send: async (lane, chunk) => {
      await o.peers().send(id, lane, writeChunk(chunk, { extensions }), { deadlineMs: o.chunkMsMax, via: link });
    },
  };
}

/** `give` gets each chunk in a later turn, in order. */
export function selfCarrier(give: (chunk: Chunk, lane: Lane) => void): Carrier {
  return {
    peer: "", principal: { kind: "local" }, aware: true, link: undefined,
    send: async (lane, chunk) => {
      await Promise.resolve();
      give(chunk, lane);
    },
  };
}

const NOTHING = new Uint8Array();

export function dataChunk(stream_id: string, sequence: number, payload: Uint8Array): Chunk {
  return { stream_id, sequence: BigInt(sequence), payload, metadata: [] };
}

export function controlChunk(stream_id: string, control: StreamControl): Chunk {
  return { stream_id, sequence: 0n, payload: NOTHING, metadata: [], control };
}

/** The lane of a stream's data, of its open and its end. */
export function dataLane(mode: "reliable" | "latency_first"): Lane {
  return mode === "reliable" ? "stream_reliable" : "stream_latency_first";
}

/** Credit, acknowledgements and resets are never lost. */
export const CONTROL_LANE: Lane = "stream_reliable";
