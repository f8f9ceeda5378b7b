/** What one reader of a stream is sent, as he takes it (spec: mob 5.8): no more is held for him than a buffer. */
import type { ServerResponse } from "node:http";
import { sleep, type Clock } from "@atoll-run/core";
import type { MobLimits } from "../limits.ts";

export interface PipeParts {
  readonly clock: Clock;
  readonly limits: Pick<MobLimits, "stalledMs">;
}

/** What whoever catches up is given at once. */
const BUFFER_BYTES = 65_536;

export class Pipe {
  readonly #response: ServerResponse;
  readonly #parts: PipeParts;

  constructor(response: ServerResponse, parts: PipeParts) {
    this.#response = response;
    this.#parts = parts;
  }

  /** He has not taken all of what he was sent. */
  get waits(): boolean {
    return this.#response.writableNeedDrain;
  }

  /** {@link drained} is to be waited for. */
  get full(): boolean {
    return this.#response.writableLength > BUFFER_BYTES;
  }

  write(chunk: string | Uint8Array): void {
    this.#response.write(typeof chunk === "string" ? Buffer.from(chunk) : chunk);
  }

  /** Throws when the socket takes nothing for too long, or the signal aborts. */
  async drained(signal: AbortSignal): Promise<void> {
    if (!this.waits) return;
    const { clock, limits } = this.#parts;
    const free = new AbortController();
    const end = (): void => free.abort();
    this.#response.once("drain", end);
    try {
      await sleep(limits.stalledMs, { clock, signal: AbortSignal.any([signal, free.signal]) });
    } catch {
      if (free.signal.aborted) return;
      throw signal.reason;
    } finally {
      this.#response.off("drain", end);
    }
    // Where this process was held up itself, the socket has its turn first.
    await new Promise((resolve) => void setImmediate(resolve));
    if (this.waits) throw new Error("slow_consumer");
  }
}
