/** Ends streams whose time is over, and takes lost ones to their peer's next link: one timer for all (node 6.10, 6.11). */
import { nodeError, type Clock, type Link, type NodeId } from "@atoll-run/core";
import { writeChunk, type StreamOpen } from "@atoll-run/core/internal";
import type { Report } from "../hooks/report.ts";
import type { LimitsOf } from "../limits.ts";
import type { Peers } from "../transport/peers.ts";
import { controlChunk, dataLane, type Carrier } from "./carrier.ts";
import type { ReadingStream } from "./reading-stream.ts";
import type { WritingStream } from "./writing-stream.ts";

export interface WatchParts {
  readonly clock: Clock;
  readonly peers: () => Peers;
  readonly report: Report;
  readonly limits: LimitsOf<"streams">;
}

interface Watched {
  readonly writing: ReadonlyMap<string, WritingStream>;
  readonly reading: ReadonlyMap<string, ReadingStream>;
}

export class StreamWatch {
  readonly #parts: WatchParts;
  readonly #all: () => readonly Watched[];
  #timer: Disposable | undefined;
  #atMs = Infinity;
  /** Resumes that rest until their peer is back, or a second has passed. */
  readonly #resting = new Map<() => void, string>();
  #closed = false;

  constructor(parts: WatchParts, all: () => readonly Watched[]) {
    this.#parts = parts;
    this.#all = all;
  }

  /** That stream is new, or something about it has changed. */
  consider(stream: WritingStream | ReadingStream): void {
    this.#arm(this.#dueMs(stream));
  }

  /** There is no stream any more. */
  none(): void {
    this.#timer?.[Symbol.dispose]();
    this.#timer = undefined;
    this.#atMs = Infinity;
  }

  #arm(atMs: number): void {
    if (this.#closed || atMs >= this.#atMs) return;
    this.none();
    this.#atMs = atMs;
    this.#timer = this.#parts.clock.after(Math.max(0, atMs - this.#parts.clock.monotonic()), () => {
      this.none();
      this.#sweep();
      let nextMs = Infinity;
      for (const stream of this.#streams()) nextMs = Math.min(nextMs, this.#dueMs(stream));
      this.#arm(nextMs);
    });
  }

  back(peer: string): void {
    for (const [wake, of] of [...this.#resting]) if (of === peer) wake();
  }

  /** Opens it anew on the next link to its peer, while its time lasts. */
  resume(stream: WritingStream, to: NodeId, carrierOf: (link: Link) => Carrier): void {
    this.#resume(stream, to, carrierOf).catch((error: unknown) => {
      stream.fail(nodeError("node.unavailable", "the stream cannot be resumed", { cause: error, uncertain: true }), false);
    });
  }

  close(): void {
    this.#closed = true;
    this.none();
    for (const [wake] of [...this.#resting]) wake();
  }

  async #resume(stream: WritingStream, to: NodeId, carrierOf: (link: Link) => Carrier): Promise<void> {
    const { peers, clock, limits } = this.#parts;
    const make = (link: Link): Uint8Array => {
      if (stream.isOver) throw nodeError("node.cancelled", "the stream is over");
      const carrier = carrierOf(link);
      if (!carrier.aware) throw nodeError("node.permission_denied", "the peer resumes no streams any more");
      stream.resumeOn(carrier);
      const from = stream.resumeFrom;
      const open: StreamOpen = {
        ...stream.open, ...from === undefined ? {} : { resume_from: BigInt(from) },
      };
      return writeChunk(controlChunk(stream.id, { open }), { extensions: true });
    };
    const { lostAtMs } = stream;
    while (!stream.isOver && !this.#closed && stream.lostAtMs === lostAtMs) {
      const leftMs = lostAtMs + limits.resumeMs - clock.monotonic();
      if (leftMs <= 0) return;
      try {
        await peers().send(to, dataLane(stream.mode), make, { deadlineMs: leftMs, signal: stream.signal });
        return;
      } catch {
        await this.#rest(stream.carrier.peer);
      }
    }
  }

  #rest(peer: string): Promise<void> {
    if (this.#closed) return Promise.resolve();
    return new Promise((resolve) => {
      const wake = (): void => {
        timer[Symbol.dispose]();
        this.#resting.delete(wake);
        resolve();
      };
      const timer = this.#parts.clock.after(this.#parts.limits.resumeWaitMs, wake);
      this.#resting.set(wake, peer);
    });
  }

  *#streams(): Generator<WritingStream | ReadingStream> {
    for (const { writing, reading } of this.#all()) {
      yield* writing.values();
      yield* reading.values();
    }
  }

  #dueMs({ touchedAtMs, lostAtMs, deadlineAtMs }: WritingStream | ReadingStream): number {
    const { idleMs, resumeMs } = this.#parts.limits;
    return Math.min(touchedAtMs + idleMs, lostAtMs + resumeMs, deadlineAtMs);
  }

  #sweep(): void {
    const nowMs = this.#parts.clock.monotonic();
    const { idleMs, resumeMs } = this.#parts.limits;
    for (const stream of [...this.#streams()]) {
      if (this.#dueMs(stream) > nowMs) continue;
      const { name, carrier } = stream;
      if (stream.lostAtMs + resumeMs <= nowMs) {
        const error = nodeError("node.unavailable", `the peer of the stream ${name} did not come back`, {
          uncertain: true,
        });
        this.#parts.report("error", { error, category: "stream_uncertain", context: name, peer: carrier.peer });
        stream.fail(error, false);
      } else if (stream.deadlineAtMs <= nowMs) {
        stream.fail(nodeError("node.timed_out", `the time of the stream ${name} is over`), true);
      } else if (!carrier.aware && !("write" in stream)) stream.ranOut();
      else {
        stream.fail(nodeError("node.timed_out", `nothing has come on the stream ${name} for ${idleMs} ms`), true);
      }
    }
  }
}
