/**
 * The writing end of a stream (spec: node 6.9 to 6.11).
 *
 * idle → opening: the open is sent. → open: the reader has granted credit; items go. → lost: the link has ended; what
 * was not acknowledged is kept, and goes again on the next link. → ending: all items are sent, the end is; → over: the
 * reader has everything, or the stream was reset from either side.
 */
import { isFault, nodeError, onAbort, type Fault, type OutStream } from "@atoll-run/core";
import { fromWireError, toWireError, type StreamControl, type StreamOpen } from "@atoll-run/core/internal";
import type { LimitsOf } from "../limits.ts";
import type { Histogram } from "../observe/histogram.ts";
import { CONTROL_LANE, controlChunk, dataChunk, dataLane, type Carrier } from "./carrier.ts";

export interface WritingParts {
  readonly id: string;
  readonly open: StreamOpen;
  readonly carrier: Carrier;
  readonly nowMs: () => number;
  /** It is over: nobody need keep it. */
  readonly over: (stream: WritingStream) => void;
  /** Seconds that writes wait for their reader, of those that do. */
  readonly creditWait: Histogram;
  readonly limits: LimitsOf<"streams">;
}

interface Write {
  readonly item: Uint8Array;
  /** It waits for credit since then, on the monotonic clock. */
  sinceMs?: number;
  done(): void;
  fail(reason: unknown): void;
}

interface Kept {
  readonly sequence: number;
  readonly item: Uint8Array;
}

type State = "opening" | "open" | "lost" | "over";

export class WritingStream implements OutStream {
  readonly id: string;
  readonly name: string;
  readonly mode: "reliable" | "latency_first";
  /** How it was opened. */
  readonly open: StreamOpen;
  readonly #parts: WritingParts;
  readonly #abort = new AbortController();
  readonly #opened = Promise.withResolvers<void>();
  readonly #ended = Promise.withResolvers<void>();
  #carrier: Carrier;
  #state: State = "opening";
  #writes: Write[] = [];
  #kept: Kept[] = [];
  #sent = 0;
  #sentBytes = 0;
  #grantedChunks = 0;
  #grantedBytes = 0;
  #acked = 0;
  /** `end` was called; and the end was sent. */
  #ending = false;
  #endSent = false;
  readonly #onOver: (() => void)[] = [];
  /** Monotonic milliseconds. */
  touchedAtMs: number;
  lostAtMs = Infinity;
  deadlineAtMs = Infinity;

  constructor(parts: WritingParts) {
    this.#parts = parts;
    this.id = parts.id;
    this.open = parts.open;
    this.name = parts.open.name;
    this.mode = parts.open.mode;
    this.#carrier = parts.carrier;
    this.touchedAtMs = parts.nowMs();
    // Both are told to whoever waits; nobody need wait.
    this.#opened.promise.catch(() => undefined);
    this.#ended.promise.catch(() => undefined);
    if (!parts.carrier.aware) this.#grantAll();
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  get carrier(): Carrier {
    return this.#carrier;
  }

  get isOver(): boolean {
    return this.#state === "over";
  }

  get isLost(): boolean {
    return this.lostAtMs !== Infinity;
  }

  /** Resolves when the reader has accepted it; throws why it did not. */
  get opened(): Promise<void> {
    return this.#opened.promise;
  }

  /** The first sequence that the reader may lack; undefined while it has accepted nothing. */
  get resumeFrom(): number | undefined {
    return this.#state === "opening" ? undefined : this.#acked + 1;
  }

  write(item: Uint8Array, o: { readonly signal?: AbortSignal } = {}): Promise<void> {
    const { limits } = this.#parts;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    if (this.#state === "over") reject(this.#abort.signal.reason);
    else if (this.#ending) reject(nodeError("node.wrong_state", `the stream ${this.name} has been ended`));
    else if (o.signal?.aborted) reject(cancelled(this.name, o.signal.reason));
    else if (item.length > limits.itemBytesMax) reject(tooLarge(item.length, limits.itemBytesMax));
    else if (this.#writes.length >= limits.writesMax) reject(tooMany(this.name, limits.writesMax));
    else {
      let listening: Disposable | undefined;
      const write: Write = {
        item,
        done: () => {
          listening?.[Symbol.dispose]();
          resolve();
        },
        fail: (reason) => {
          listening?.[Symbol.dispose]();
          reject(reason);
        },
      };
      this.#writes.push(write);
      this.#pump();
      // The last of those that wait: what came before it waits too.
      if (this.#writes.at(-1) === write) write.sinceMs = this.#parts.nowMs();
      if (o.signal !== undefined && write.sinceMs !== undefined) {
        listening = onAbort(o.signal, (reason) => {
          this.#writes = this.#writes.filter((one) => one !== write);
          reject(cancelled(this.name, reason));
        });
      }
    }
    return promise;
  }

  async end(o: { readonly signal?: AbortSignal } = {}): Promise<void> {
    this.#ending = true;
    this.#pump();
    const { promise, reject } = Promise.withResolvers<never>();
    using _ = onAbort(o.signal, (reason) => {
      reject(cancelled(this.name, reason));
      this.reset("the writer was cancelled");
    });
    await Promise.race([this.#ended.promise, promise]);
  }

  reset(text = "the writer has given it up"): void {
    this.fail(nodeError("node.cancelled", text), true);
  }

  /** Nothing after a reset; else as `end`. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#state === "over") return;
    await this.end();
  }

  /** Calls back when it is over; at once when it is. */
  whenOver(hear: () => void): void {
    if (this.#state === "over") hear();
    else this.#onOver.push(hear);
  }

  /** Cumulative. The first one opens the stream. */
  credit(bytes: bigint, chunks: bigint): void {
    this.#touch();
    this.#grantedBytes = Math.max(this.#grantedBytes, Number(bytes));
    this.#grantedChunks = Math.max(this.#grantedChunks, Number(chunks));
    if (this.#state === "opening") {
      this.#state = "open";
      this.lostAtMs = Infinity;
      this.#opened.resolve();
    }
    this.#pump();
  }

  /** Everything up to there was handled. After a loss it says where to go on. */
  ack(through: bigint): void {
    this.#touch();
    this.#acked = Math.max(this.#acked, Math.min(Number(through), this.#sent));
    while ((this.#kept[0]?.sequence ?? Infinity) <= this.#acked) this.#kept.shift();
    if (this.#state === "lost") this.#goOn();
    if (this.#endSent && this.#acked >= this.#sent) this.#finish();
  }

  /** The link has ended. */
  lost(nowMs: number): void {
    if (this.#state === "open") this.#state = "lost";
    this.lostAtMs = nowMs;
  }

  /** The open that resumes it was sent on that one. */
  resumeOn(carrier: Carrier): void {
    this.#carrier = carrier;
  }

  /** The other end has reset it. */
  wasReset(control: Extract<StreamControl, { readonly reset: unknown }>): void {
    this.fail(fromWireError(control.reset.error), false);
  }

  /** Ends it with a fault, and says so to the reader. */
  fail(fault: Fault, tell: boolean): void {
    if (this.#state === "over") return;
    const { aware } = this.#carrier;
    // Before all others hear of it: they ask why it is over.
    this.#state = "over";
    this.#abort.abort(fault);
    this.#over();
    this.#opened.reject(fault);
    this.#ended.reject(fault);
    for (const write of this.#writes.splice(0)) write.fail(fault);
    if (!tell || !aware) return;
    this.#carrier.send(CONTROL_LANE, controlChunk(this.id, { reset: { error: toWireError(fault) } }))
      .catch(() => undefined);
  }

  #pump(): void {
    if (this.#state !== "open") return;
    for (let write = this.#writes[0]; write !== undefined; write = this.#writes[0]) {
      const { length } = write.item;
      if (this.#sent + 1 > this.#grantedChunks || this.#sentBytes + length > this.#grantedBytes) return;
      this.#writes.shift();
      if (write.sinceMs !== undefined) this.#parts.creditWait.observe((this.#parts.nowMs() - write.sinceMs) / 1_000);
      this.#sent++;
      this.#sentBytes += length;
      const keeps = this.mode === "reliable" && this.#carrier.aware;
      if (keeps) this.#kept.push({ sequence: this.#sent, item: write.item });
      this.#send(this.#sent, write);
    }
    if (this.#ending && !this.#endSent) this.#sendEnd();
  }

  #send(sequence: number, write: Write): void {
    this.#touch();
    const { carrier } = this;
    carrier.send(dataLane(this.mode), dataChunk(this.id, sequence, write.item)).then(write.done, (error: unknown) => {
      // What is kept goes again; what may be lost is lost.
      const isGone = isFault(error) && (error.code === "node.unavailable" || error.code === "node.connection_not_ready");
      if (this.mode === "latency_first" || (isGone && carrier.aware)) return write.done();
      const fault = isFault(error) ? error : nodeError("node.internal", "a chunk cannot be sent", { cause: error });
      write.fail(fault);
      this.fail(fault, true);
    });
  }

  #sendEnd(): void {
    this.#endSent = true;
    if (!this.#carrier.aware) return this.#finish();
    const chunk = controlChunk(this.id, { end: { final_sequence: BigInt(this.#sent) } });
    // Lost with its link: it goes again when the stream goes on.
    this.#carrier.send(dataLane(this.mode), chunk).catch(() => undefined);
  }

  #goOn(): void {
    this.#state = "open";
    this.lostAtMs = Infinity;
    for (const { sequence, item } of this.#kept) {
      this.#send(sequence, { item, done: () => undefined, fail: () => undefined });
    }
    this.#endSent = false;
    this.#pump();
  }

  #grantAll(): void {
    this.#grantedBytes = this.#grantedChunks = Infinity;
    this.#state = "open";
    this.#opened.resolve();
  }

  #finish(): void {
    if (this.#state === "over") return;
    this.#over();
    this.#ended.resolve();
  }

  #over(): void {
    this.#state = "over";
    this.#kept = [];
    this.#parts.over(this);
    for (const hear of this.#onOver.splice(0)) hear();
  }

  #touch(): void {
    this.touchedAtMs = this.#parts.nowMs();
  }
}

function cancelled(name: string, cause: unknown): Fault {
  return nodeError("node.cancelled", `the write to ${name} was cancelled`, { cause });
}

function tooLarge(bytes: number, limit: number): Fault {
  return nodeError("node.too_large", `an item of a stream has ${bytes} bytes, at most ${limit} go`, {
    facts: { bytes, limit }, hint: "cut it into several items",
  });
}

function tooMany(name: string, limit: number): Fault {
  return nodeError("node.overloaded", `${limit} writes to ${name} wait already`, { hint: "await each write" });
}
