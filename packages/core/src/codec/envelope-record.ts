/** An envelope as programs see it (spec: wire 1, 2, 3.1); `envelope.ts` turns it into bytes and back. */
import type { WireError } from "./error-record.ts";

/** `accept` is ours: sent only to a peer that asked for it. */
export type Direction = "request" | "response" | "tell" | "accept";

export interface MetadataEntry {
  readonly key: string;
  readonly value: string;
}

/** What became of a message before it was handled. */
export interface Accept {
  readonly state: "accepted" | "duplicate" | "refused";
  readonly queue_len?: number;
  /** Why it was refused. */
  readonly error?: WireError;
}

export interface Envelope {
  /** 1–256 bytes. */
  readonly route_key: string;
  /** 1–128 bytes. */
  readonly request_id: string;
  readonly direction: Direction;
  /** Budget of a request; says nothing elsewhere. Read as it was sent: `requestProblem` judges it. */
  readonly timeout_ms: number;
  /** When read, a view of the bytes that were given. */
  readonly payload?: Uint8Array;
  readonly error?: WireError;
  /** W3C, passed on unchanged. */
  readonly traceparent?: string;
  readonly tracestate?: string;
  /** At most 64 entries and 16 KiB. */
  readonly metadata: readonly MetadataEntry[];

  // Ours, from here on: no legacy peer sends or gets them.
  /** What is left of the budget; of a tell: how long it may wait, without it for ever. */
  readonly remaining_ms?: number;
  readonly want_accept?: boolean;
  readonly accept?: Accept;
  /** Id of the outermost request, 16 bytes. */
  readonly chain_id?: Uint8Array;
  /** Hops since then. */
  readonly depth?: number;
  /** Type of the payload when it is not the route's own. */
  readonly content_type?: string;
  readonly order_key?: string;
}
