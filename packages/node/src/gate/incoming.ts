/** A message on its way to the inbox, from a peer or from this node. */
import { LateAbort, type Principal, type StateOp, type Stop } from "@atoll-run/core";
import type { Envelope, Lane } from "@atoll-run/core/internal";
import type { Arrival } from "../mailbox/inbox.ts";

export interface IncomingInit {
  readonly kind: "call" | "tell";
  readonly sender: Principal;
  readonly envelope: Envelope;
  readonly lane: Lane;
  readonly in_process: boolean;
  /** Bytes of the envelope, or what makes them: in this process they are seldom needed. */
  readonly bytes: Uint8Array | (() => Uint8Array);
  readonly reachable: () => boolean;
  /** The caller has chosen the request id. Absent: not known. */
  readonly named?: boolean;
  /** Done in the commit that accepts it. */
  readonly also?: readonly StateOp[] | undefined;
}

/** Aborted when the caller has given it up. */
export class Incoming extends LateAbort implements Arrival {
  readonly kind: "call" | "tell";
  readonly sender: Principal;
  readonly envelope: Envelope;
  readonly lane: Lane;
  readonly in_process: boolean;
  declare readonly named?: boolean;
  declare readonly also?: readonly StateOp[];
  readonly reachable: () => boolean;
  /** The next one of the same request id that is answered now. */
  next: Incoming | undefined;
  #bytes: Uint8Array | (() => Uint8Array);

  constructor(init: IncomingInit) {
    super();
    this.kind = init.kind;
    this.sender = init.sender;
    this.envelope = init.envelope;
    this.lane = init.lane;
    this.in_process = init.in_process;
    this.reachable = init.reachable;
    this.#bytes = init.bytes;
    if (init.named !== undefined) this.named = init.named;
    if (init.also !== undefined) this.also = init.also;
  }

  get bytes(): Uint8Array {
    if (typeof this.#bytes === "function") this.#bytes = this.#bytes();
    return this.#bytes;
  }

  get stop(): Stop {
    return this;
  }
}
