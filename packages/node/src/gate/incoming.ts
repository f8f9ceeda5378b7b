/** A message on its way to the inbox, from a peer or from this node. */
import type { Principal, StateOp } from "@atoll-run/core";
import type { Envelope, Lane } from "@atoll-run/core/internal";
import type { Arrival, Cancellation } from "../mailbox/inbox.ts";

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

export class Incoming implements Arrival, Cancellation {
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
  #cancel: AbortController | undefined;
  cancelled = false;
  #hearer: ((reason: unknown) => void) | undefined;
  #reason: unknown;

  constructor(init: IncomingInit) {
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

  get cancellation(): Cancellation {
    return this;
  }

  /** Made at the first look: most messages are never cancelled, and a signal is dear. */
  get signal(): AbortSignal {
    if (this.#cancel === undefined) {
      this.#cancel = new AbortController();
      if (this.cancelled) this.#cancel.abort(this.#reason);
    }
    return this.#cancel.signal;
  }

  hear(then: (reason: unknown) => void): void {
    if (this.cancelled) then(this.#reason);
    else this.#hearer = then;
  }

  cancel(reason: unknown): void {
    if (this.cancelled) return;
    this.cancelled = true;
    this.#reason = reason;
    const hearer = this.#hearer;
    this.#hearer = undefined;
    hearer?.(reason);
    this.#cancel?.abort(reason);
  }

  [Symbol.dispose](): void {
    this.#hearer = undefined;
  }
}
