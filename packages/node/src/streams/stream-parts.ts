/** What the streams of a node are made of. */
import type { Clock, Fault, Lane, Link, Log } from "@atoll-run/core";
import type { Report } from "../hooks/report.ts";
import type { LimitsOf } from "../limits.ts";
import type { Peers } from "../transport/peers.ts";
import type { ReadingStream } from "./reading-stream.ts";
import type { WritingStream } from "./writing-stream.ts";

/** What came with the open of a stream. */
export interface StreamScope {
  /** Milliseconds; `Infinity` = none. */
  readonly leftMs: number;
  readonly traceparent?: string;
  readonly tracestate?: string;
  /** Aborts when the stream is reset, lost or late. */
  readonly signal: AbortSignal;
}

export interface StreamTableParts {
  readonly clock: Clock;
  readonly log: Log;
  readonly peers: () => Peers;
  readonly report: Report;
  /** Whether the rules let the peer of that link open it. */
  readonly allows: (link: Link, name: string) => boolean;
  /** Resolves true when the node takes work; a chunk that opens a stream waits for it. */
  readonly ready: () => Promise<boolean> | true;
  /** The workload reads it; undefined: it has no stream of that name. */
  readonly read: (stream: ReadingStream, scope: StreamScope) => Promise<void> | undefined;
  /** A chunk that is none. */
  readonly unreadable: (link: Link, lane: Lane, body: Uint8Array, fault: Fault) => void;
  readonly limits: LimitsOf<"streams">;
}

export interface StreamStats {
  streams_open: number;
  streams_refused: number;
  streams_foreign: number;
  stream_dropped: number;
}

/** Streams with one peer. */
export class PeerStreams {
  readonly writing = new Map<string, WritingStream>();
  readonly reading = new Map<string, ReadingStream>();

  get size(): number {
    return this.writing.size + this.reading.size;
  }
}
