/**
 * The powers to reach others: the same for a host program, a handler, a hook and a stream reader.
 * takes a receiver, a route and bytes; gives the answer; promises to end by the deadline; refuses with a `NodeError`;
 * never looks into a payload.
 */
import type { MetadataEntry } from "../codec/envelope.ts";
import type { Principal } from "../protocol/rules.ts";
import type { StateOp } from "./state.ts";

export interface Ask {
  /** Text of a node id, a type (`maker:name:version`), `self`, or a name of this process. */
  readonly to: string;
  readonly route: string;
  readonly payload: Uint8Array;
  readonly content_type?: string;
  /** Milliseconds, a positive whole number; never more than what is left of the budget around it. */
  readonly deadlineMs?: number;
  /** The idempotency key, 1-128 bytes. */
  readonly requestId?: string;
  /** May be sent to another node although the first may have run it. */
  readonly idempotent?: boolean;
  /** Of asks to a type: those with the same text go to the same node, while it is there and answers; 1-128 bytes. */
  readonly sticky?: string;
  readonly priority?: "normal" | "signal";
  readonly orderKey?: string;
  readonly metadata?: readonly MetadataEntry[];
  readonly retry?: "auto" | "none";
  readonly traceparent?: string;
  readonly tracestate?: string;
  readonly signal?: AbortSignal | undefined;
}

export interface TellAsk extends Ask {
  /** How long it may wait at the receiver, milliseconds; absent = for ever. */
  readonly ttlMs?: number;
  /**
   * Done in the one commit that accepts it, or not at all; then it runs only when it is accepted. For a host that tells its own
   * node: all others are refused with `node.invalid_argument`. A refused `remember` makes it a duplicate; no other op may be refused.
   */
  readonly also?: readonly StateOp[];
}

export interface Told {
  /** `accepted`: committed by the receiver. `sent`: a legacy peer's lane took it. */
  readonly level: "accepted" | "sent";
  readonly duplicate: boolean;
}

export interface CallReply {
  readonly payload: Uint8Array;
  readonly content_type?: string;
}

export interface Candidate {
  /** Text of the node id. */
  readonly id: string;
  /** Absent where the realm is legacy. */
  readonly availability?: "full" | "degraded" | "overloaded" | "unavailable";
  readonly power_reserve?: number;
  readonly mailbox_backlog?: number;
}

export interface DiscoverAsk {
  readonly limit?: number;
  readonly deadlineMs?: number;
  readonly signal?: AbortSignal | undefined;
}

export interface StreamAsk {
  readonly mode?: "reliable" | "latency_first";
  readonly headers?: readonly MetadataEntry[];
  readonly content_type?: string;
  readonly deadlineMs?: number;
  readonly signal?: AbortSignal | undefined;
}

export interface Speaker {
  /** Throws `node.business` with the fact `error` for a business error. */
  call(ask: Ask): Promise<CallReply>;
  tell(ask: TellAsk): Promise<Told>;
  discover(type: string, o?: DiscoverAsk): Promise<readonly Candidate[]>;
  openStream(to: string, name: string, o?: StreamAsk): Promise<OutStream>;
}

/** The writing end. Dispose = end if all went well, else reset. */
export interface OutStream extends AsyncDisposable {
  readonly id: string;
  readonly name: string;
  /** Resolves when credit and buffer allow the next. Throws when the stream was reset. */
  write(item: Uint8Array, o?: { readonly signal?: AbortSignal }): Promise<void>;
  /** Resolves when the reader has everything. */
  end(o?: { readonly signal?: AbortSignal }): Promise<void>;
  /** Gives it up; the reader's loop throws `node.cancelled` with that text. */
  reset(text?: string): void;
  readonly signal: AbortSignal;
}

/** The reading end: `for await` gives the items in order. Leaving the loop early resets the stream. */
export interface InStream extends AsyncIterable<Uint8Array> {
  readonly id: string;
  readonly name: string;
  readonly peer: Principal;
  readonly mode: "reliable" | "latency_first";
  readonly headers: readonly MetadataEntry[];
  readonly content_type?: string;
  /** Items of a `latency_first` stream that were lost or not read in time. */
  readonly dropped: number;
}
