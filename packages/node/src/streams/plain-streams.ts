/** Streams of legacy peers: chunks under an id, without open, credit or end (spec: node 2 `PlainStreams`, 6.9). */
import { nodeError, type Clock, type Log, type Principal } from "@atoll-run/core";
import type { Chunk } from "@atoll-run/core/internal";
import type { LimitsOf } from "../limits.ts";
import type { Carrier } from "./carrier.ts";

export interface PlainChunk {
  readonly stream_id: string;
  readonly sequence: bigint;
  readonly payload: Uint8Array;
}

export type HearPlain = (chunk: PlainChunk, peer: Principal) => void | Promise<void>;

interface Early {
  readonly carrier: Carrier;
  readonly chunk: Chunk;
  readonly untilMs: number;
}

export class PlainStreams {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #limits: LimitsOf<"streams">;
  readonly #hearers = new Map<string, HearPlain>();
  /** Chunks that came before their hearer, by peer. */
  readonly #early = new Map<string, Early[]>();
  #timer: Disposable | undefined;
  /** Chunks that wait for their hearer, by peer and stream. */
  readonly #waiting = new Map<string, Chunk[]>();
  readonly stats = { early_dropped: 0, plain_dropped: 0 };

  constructor(parts: { readonly clock: Clock; readonly log: Log; readonly limits: LimitsOf<"streams"> }) {
    this.#clock = parts.clock;
    this.#log = parts.log;
    this.#limits = parts.limits;
  }

  /** Hears chunks of that id from whoever the rules let in, and those that came a moment before. */
  register(id: string, hear: HearPlain): Disposable {
    if (this.#hearers.has(id)) throw nodeError("node.invalid_argument", `the stream ${id} is registered already`);
    this.#hearers.set(id, hear);
    for (const [peer, kept] of [...this.#early]) {
      this.#keepOnly(peer, kept.filter(({ carrier, chunk }) => {
        if (chunk.stream_id !== id) return true;
        this.take(carrier, chunk);
        return false;
      }));
    }
    return { [Symbol.dispose]: () => void (this.#hearers.get(id) === hear && this.#hearers.delete(id)) };
  }

  /** False when nobody has registered for it. */
  take(carrier: Carrier, chunk: Chunk): boolean {
    if (!this.#hearers.has(chunk.stream_id)) return false;
    const key = `${carrier.peer} ${chunk.stream_id}`;
    const waiting = this.#waiting.get(key);
    if (waiting === undefined) {
      const queue = [chunk];
      this.#waiting.set(key, queue);
      this.#work(key, queue, carrier.principal).catch((error: unknown) => this.#failed(chunk.stream_id, error));
    } else if (waiting.length < this.#limits.queueMax && bytesOf(waiting) < this.#limits.windowBytes) waiting.push(chunk);
    else this.stats.plain_dropped++;
    return true;
  }

  /** One chunk of a stream at a time. */
  async #work(key: string, queue: Chunk[], peer: Principal): Promise<void> {
    for (let chunk = queue[0]; chunk !== undefined; chunk = queue[0]) {
      const { stream_id, sequence, payload } = chunk;
      try {
        await this.#hearers.get(stream_id)?.({ stream_id, sequence, payload }, peer);
      } catch (error) {
        this.#failed(stream_id, error);
      }
      queue.shift();
    }
    this.#waiting.delete(key);
  }

  #failed(stream_id: string, error: unknown): void {
    this.#log.write({
      level: "warn", target: "streams", msg: "a hearer of chunks has failed", fields: { stream_id, error: String(error) },
    });
  }

  /** It came too early: kept for a moment. */
  keep(carrier: Carrier, chunk: Chunk): void {
    const { earlyMs, earlyChunksMax, earlyBytesMax } = this.#limits;
    const kept = this.#early.get(carrier.peer) ?? [];
    const bytes = kept.reduce((sum, one) => sum + one.chunk.payload.length, chunk.payload.length);
    if (kept.length >= earlyChunksMax || bytes > earlyBytesMax) {
      this.stats.early_dropped++;
      return;
    }
    this.#keepOnly(carrier.peer, [...kept, { carrier, chunk, untilMs: this.#clock.monotonic() + earlyMs }]);
  }

  down(peer: string): void {
    this.#keepOnly(peer, []);
  }

  close(): void {
    this.#early.clear();
    this.#hearers.clear();
    this.#arm();
  }

  #keepOnly(peer: string, kept: Early[]): void {
    if (kept.length === 0) this.#early.delete(peer);
    else this.#early.set(peer, kept);
    this.#arm();
  }

  #arm(): void {
    this.#timer?.[Symbol.dispose]();
    this.#timer = undefined;
    const nextMs = Math.min(...[...this.#early.values()].map((kept) => kept[0]?.untilMs ?? Infinity));
    if (nextMs === Infinity) return;
    this.#timer = this.#clock.after(Math.max(0, nextMs - this.#clock.monotonic()), () => {
      const nowMs = this.#clock.monotonic();
      for (const [peer, kept] of [...this.#early]) {
        const fresh = kept.filter(({ untilMs }) => untilMs > nowMs);
        this.stats.early_dropped += kept.length - fresh.length;
        this.#keepOnly(peer, fresh);
      }
    });
  }
}

function bytesOf(chunks: readonly Chunk[]): number {
  return chunks.reduce((sum, { payload }) => sum + payload.length, 0);
}
