/**
 * The way in, behind the gate (spec: node 4). Types only: the seam between gate and mailbox.
 *
 * takes arrivals whose sender is proved and allowed; gives the verdict, and the answer when there is one; promises that
 * what it calls accepted is handled or becomes a dead letter; refuses what is late, doubled, of no known route, or too
 * much; never sends anything itself.
 */
import type { Fault, Principal, StateOp, Stop } from "@atoll-run/core";
import type { Envelope, Lane, WireError } from "@atoll-run/core/internal";

export interface Arrival {
  readonly kind: "call" | "tell";
  readonly sender: Principal;
  readonly envelope: Envelope;
  /** The envelope as bytes, with our fields; what is stored. */
  readonly bytes: Uint8Array;
  readonly lane: Lane;
  /** Both ends die together: calls get no row (spec: node 4.7). */
  readonly in_process: boolean;
  /**
   * Whether the caller has chosen the request id, so that it may ask again under it. Absent: a UUID of version 7 that
   * comes from this process was made for this one request, any other id was chosen.
   */
  readonly named?: boolean;
  /** Done in the commit that accepts it; it does not run before. */
  readonly also?: readonly StateOp[];
  /** Whether a reply could leave now on the way it came. Without one it goes into the outbox. */
  reachable(): boolean;
  /** The caller has given it up. */
  readonly stop?: Stop | undefined;
}

/** The answer to a request, the same bytes for every duplicate. */
export type Settled =
  | { readonly is: "reply"; readonly payload: Uint8Array; readonly content_type?: string }
  | { readonly is: "error"; readonly error: WireError };

export type Admission =
  /** `settled` ends when the message is finished (a tell: with an empty reply), also when it waits in the outbox. */
  | { readonly is: "accepted"; readonly queue_len: number; readonly settled: Promise<Settled> }
  /** Answered, or running or waiting: then it joins. */
  | { readonly is: "duplicate"; readonly settled: Promise<Settled> }
  | { readonly is: "refused"; readonly fault: Fault };

export interface Inbox {
  /**
   * Resolves when it is committed, joined or refused; never rejects but for our own bugs. What needs no store is told at once,
   * without a promise.
   */
  admit(arrival: Arrival): Admission | Promise<Admission>;
  /** A frame or envelope that could not be read; kept among the letters of unaccepted frames, rate limited. */
  unreadable(o: {
    readonly reason: "frame_undecodable" | "envelope_invalid"; readonly sender: string; readonly bytes: Uint8Array;
    readonly text: string; readonly lane: string;
  }): void;
  /** Rows queued and running. */
  readonly depth: number;
}
