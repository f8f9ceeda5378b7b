/**
 * The reading end of a stream (spec: node 6.9, 6.10).
 *
 * takes chunks of one writer; gives their items in order, each to one reader; promises no gap and no repeat in a
 * reliable stream, and that what a lossy one lost is counted; refuses what is beyond the credit by a reset; never holds
 * more than the window.
 */
import {
  assert, nodeError, type Fault, type InStream, type MetadataEntry, type Principal,
} from "@atoll-run/core";
import { fromWireError, toWireError, type StreamControl } from "@atoll-run/core/internal";
import type { LimitsOf } from "../limits.ts";
import { CONTROL_LANE, controlChunk, type Carrier } from "./carrier.ts";

export interface ReadingParts {
  readonly id: string;
  readonly name: string;
  readonly mode: "reliable" | "latency_first";
  readonly headers: readonly MetadataEntry[];
  readonly content_type?: string | undefined;
  readonly carrier: Carrier;
  readonly nowMs: () => number;
  readonly over: (stream: ReadingStream, lost: number) => void;
  readonly limits: LimitsOf<"streams">;
}

/** As good as no limit, and still a number of the wire. */
const PLENTY = 2 ** 52;

export class ReadingStream implements InStream {
  readonly id: string;
  readonly name: string;
  readonly mode: "reliable" | "latency_first";
  readonly headers: readonly MetadataEntry[];
  declare readonly content_type?: string;
  readonly #parts: ReadingParts;
  readonly #abort = new AbortController();
  #carrier: Carrier;
  #queue: Uint8Array[] = [];
  #queuedBytes = 0;
  #received = 0;
  #receivedBytes = 0;
  #handled = 0;
  #handledBytes = 0;
  /** Size of the item that the reader has in hand. */
  #inHand = -1;
  #grantedAtChunks = 0;
  #grantedAtBytes = 0;
  #dropped = 0;
  #final: number | undefined;
  #fault: Fault | undefined;
  #over = false;
  #accepted = false;
  #waiting: PromiseWithResolvers<IteratorResult<Uint8Array, undefined>> | undefined;
  touchedAtMs: number;
  lostAtMs = Infinity;
  deadlineAtMs = Infinity;

  constructor(parts: ReadingParts) {
    this.#parts = parts;
    this.id = parts.id;
    this.name = parts.name;
    this.mode = parts.mode;
    this.headers = parts.headers;
    if (parts.content_type !== undefined) this.content_type = parts.content_type;
    this.#carrier = parts.carrier;
    this.touchedAtMs = parts.nowMs();
  }

  get peer(): Principal {
    return this.#carrier.principal;
  }

  get dropped(): number {
    return this.#dropped;
  }

  get carrier(): Carrier {
    return this.#carrier;
  }

  get isOver(): boolean {
    return this.#over;
  }

  /** Aborts when it is reset or lost. */
  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  /** Last sequence, once it is known and everything was handled. */
  get finished(): number | undefined {
    return this.#over && this.#fault === undefined ? this.#final : undefined;
  }

  /** Lets the writer begin; its reader does so too when it asks for the first item. */
  accept(): void {
    if (this.#accepted || this.#over) return;
    this.#accepted = true;
    this.#grant();
  }

  get accepted(): boolean {
    return this.#accepted || this.#over;
  }

  /** The writer is back on another link. */
  resumeOn(carrier: Carrier): void {
    this.#carrier = carrier;
    this.lostAtMs = Infinity;
    this.#touch();
    if (!this.#accepted) return;
    this.#grant();
    this.#sendAck();
  }

  push(sequence: number, item: Uint8Array): void {
    if (this.#over) return;
    this.#touch();
    if (this.mode === "latency_first") return this.#pushLossy(sequence, item);
    if (this.#carrier.aware) {
      if (sequence <= this.#received) return;
      if (sequence !== this.#received + 1) return this.fail(gap(this.#received + 1, sequence), true);
    }
    this.#received++;
    this.#receivedBytes += item.length;
    const { windowChunks, windowBytes } = this.#parts.limits;
    const isOver = this.#received > this.#grantedAtChunks + windowChunks
      || this.#receivedBytes > this.#grantedAtBytes + windowBytes;
    if (isOver) return this.fail(beyond(this.#carrier.aware), true);
    this.#give(item);
  }

  /** Nothing comes after that one. */
  end(finalSequence: number): void {
    if (this.#over) return;
    this.#touch();
    if (this.mode === "latency_first") this.#dropped += Math.max(0, finalSequence - this.#received);
    else if (finalSequence !== this.#received) return this.fail(gap(this.#received + 1, finalSequence + 1), true);
    this.#final = finalSequence;
    if (this.#waiting !== undefined) this.#finish();
  }

  wasReset(control: Extract<StreamControl, { readonly reset: unknown }>): void {
    this.fail(fromWireError(control.reset.error), false);
  }

  /** Ends it with a fault: the reader's loop throws it, at once. */
  fail(fault: Fault, tell: boolean): void {
    if (this.#over) return;
    this.#fault = fault;
    this.#close();
    this.#abort.abort(fault);
    this.#waiting?.reject(fault);
    this.#waiting = undefined;
    if (!tell || !this.#carrier.aware) return;
    this.#carrier.send(CONTROL_LANE, controlChunk(this.id, { reset: { error: toWireError(fault) } }))
      .catch(() => undefined);
  }

  /** A legacy writer has gone silent: that is its only way to end. */
  ranOut(): void {
    if (this.#final === undefined) this.#final = this.#received;
    if (this.#waiting !== undefined) this.#finish();
  }

  [Symbol.asyncIterator](): AsyncIterator<Uint8Array, undefined> {
    return {
      next: () => this.#next(),
      return: async () => {
        if (this.#final !== undefined && this.#queue.length === 0) this.#finish();
        // A loop that is left by an error ends its reader in this turn: then the error is what the writer hears.
        else setImmediate(() => this.fail(nodeError("node.cancelled", "the reader has enough"), true));
        return { done: true, value: undefined };
      },
    };
  }

  #next(): Promise<IteratorResult<Uint8Array, undefined>> {
    if (this.#fault !== undefined) return Promise.reject(this.#fault);
    assert(this.#waiting === undefined, "a stream has one reader");
    this.accept();
    this.#handle();
    const item = this.#queue.shift();
    if (item !== undefined) {
      this.#queuedBytes -= item.length;
      this.#inHand = item.length;
      return Promise.resolve({ done: false, value: item });
    }
    if (this.#final !== undefined) {
      this.#finish();
      return Promise.resolve({ done: true, value: undefined });
    }
    this.#waiting = Promise.withResolvers();
    return this.#waiting.promise;
  }

  /** The item that the reader had was handled: it asks for the next. */
  #handle(): void {
    if (this.#inHand < 0) return;
    this.#handled++;
    this.#handledBytes += this.#inHand;
    this.#inHand = -1;
    this.#touch();
    if (this.mode === "latency_first" || !this.#carrier.aware) {
      // Nothing is granted: what a legacy writer sends is bounded by what was not handled.
      this.#grantedAtChunks = this.#handled;
      this.#grantedAtBytes = this.#handledBytes;
      return;
    }
    const { grantChunks, grantBytes, queueMax } = this.#parts.limits;
    const much = this.#handled - this.#grantedAtChunks >= grantChunks
      || this.#handledBytes - this.#grantedAtBytes >= grantBytes;
    if (!much || this.#queue.length > queueMax) return;
    this.#grant();
    this.#sendAck();
  }

  #pushLossy(sequence: number, item: Uint8Array): void {
    // Late ones are counted already, when a later one came.
    if (sequence <= this.#received && this.#carrier.aware) return;
    if (this.#carrier.aware) this.#dropped += sequence - this.#received - 1;
    this.#received = Math.max(sequence, this.#received);
    const { queueMax, windowBytes } = this.#parts.limits;
    while (this.#queue.length >= queueMax || (this.#queue.length > 0 && this.#queuedBytes + item.length > windowBytes)) {
      this.#queuedBytes -= this.#queue.shift()?.length ?? 0;
      this.#dropped++;
    }
    this.#give(item);
  }

  #give(item: Uint8Array): void {
    const waiting = this.#waiting;
    if (waiting === undefined) {
      this.#queue.push(item);
      this.#queuedBytes += item.length;
      return;
    }
    this.#waiting = undefined;
    this.#inHand = item.length;
    waiting.resolve({ done: false, value: item });
  }

  #grant(): void {
    if (!this.#carrier.aware) return;
    const { windowBytes, windowChunks } = this.#parts.limits;
    this.#grantedAtChunks = this.#handled;
    this.#grantedAtBytes = this.#handledBytes;
    const isLossy = this.mode === "latency_first";
    const credit = {
      bytes: BigInt(isLossy ? PLENTY : this.#grantedAtBytes + windowBytes),
      chunks: BigInt(isLossy ? PLENTY : this.#grantedAtChunks + windowChunks),
    };
    // Lost with its link: both are said again when the stream goes on.
    this.#carrier.send(CONTROL_LANE, controlChunk(this.id, { credit })).catch(() => undefined);
  }

  #sendAck(): void {
    if (!this.#carrier.aware) return;
    const through = BigInt(this.#final !== undefined && this.#over ? this.#final : this.#handled);
    this.#carrier.send(CONTROL_LANE, controlChunk(this.id, { ack: { through } })).catch(() => undefined);
  }

  #finish(): void {
    if (this.#over) return;
    this.#close();
    this.#waiting?.resolve({ done: true, value: undefined });
    this.#waiting = undefined;
    this.#sendAck();
  }

  #close(): void {
    this.#over = true;
    this.#queue = [];
    this.#parts.over(this, this.#dropped);
  }

  #touch(): void {
    this.touchedAtMs = this.#parts.nowMs();
  }
}

function gap(expected: number, got: number): Fault {
  return nodeError("node.invalid_argument", `chunk ${expected} of the stream is missing, ${got} came`);
}

function beyond(aware: boolean): Fault {
  return aware
    ? nodeError("node.invalid_argument", "the stream has sent more than it was granted")
    : nodeError("node.overloaded", "the reader is slower than the stream, which knows no credit");
}
