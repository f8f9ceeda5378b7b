/**
 * The way out to one peer, or onto one link (spec: node 6.3, 6.6).
 * takes sends; gives the link that took each; promises their order within a lane; refuses by deadline, by bound, and
 * when no link can be had; never sends one twice.
 */
import { nodeError, type Clock, type Lane, type Link } from "@atoll-run/core";
import type { LimitsOf } from "../limits.ts";
import type { Body, SendOptions } from "./peers.ts";
import { Waiting, type Send } from "./waiting.ts";

export interface OutletParts {
  readonly clock: Clock;
  /** The link to send on, if there is one now. */
  readonly ready: () => Link | undefined;
  /** Waits for one. What it throws is what all who wait are told. */
  readonly obtain: () => Promise<Link>;
  readonly counts: { sent: number; sent_bytes: number };
}

export type OutletLimits = LimitsOf<"transport"> & Pick<LimitsOf<"wire">, "bufferedBytesHigh" | "bufferedBytesLow" | "messageBytesMax">;

export class Outlet {
  readonly #parts: OutletParts;
  readonly #limits: OutletLimits;
  readonly #waiting: Waiting;
  #pump: Promise<void> | undefined;
  #woken: PromiseWithResolvers<void> | undefined;

  constructor(parts: OutletParts, limits: OutletLimits) {
    this.#parts = parts;
    this.#limits = limits;
    this.#waiting = new Waiting(parts.clock, limits, () => parts.ready() !== undefined);
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  /** True when nothing waits and nothing runs. */
  get idle(): boolean {
    return this.#pump === undefined && this.#waiting.size === 0;
  }

  send(lane: Lane, body: Body, o: SendOptions): Promise<Link> {
    try {
      const link = this.now(lane, body);
      if (link !== undefined) return Promise.resolve(link);
    } catch (error) {
      return Promise.reject(error);
    }
    const { promise, resolve, reject } = Promise.withResolvers<Link>();
    this.#waiting.add({ lane, body, done: resolve, fail: reject }, o);
    if (this.#waiting.size > 0) this.#pump ??= this.#run();
    return promise;
  }

  /** The link that has taken it; undefined when it would have to wait. Throws as {@link send} does. */
  now(lane: Lane, body: Body): Link | undefined {
    if (typeof body !== "function" && body.length > this.#limits.messageBytesMax) throw this.#tooLarge(body);
    if (!this.idle) return undefined;
    const link = this.#parts.ready();
    if (link === undefined || link.bufferedBytes > this.#limits.bufferedBytesHigh) return undefined;
    this.#give(link, lane, body);
    return link;
  }

  failAll(reason: unknown): void {
    this.#waiting.failAll(reason);
  }

  /** Resolves when nothing runs any more. */
  async settled(): Promise<void> {
    await this.#pump;
  }

  /** There is a newer link: what waits for one goes out on it at once, and nothing waits for room on the older one. */
  wake(): void {
    this.#woken?.resolve();
    const link = this.#waiting.size > 0 ? this.#parts.ready() : undefined;
    if (link !== undefined) this.#flush(link);
  }

  async #room(link: Link): Promise<void> {
    if (link.bufferedBytes <= this.#limits.bufferedBytesLow) return;
    this.#woken = Promise.withResolvers<void>();
    await Promise.race([link.drained(), this.#woken.promise]);
    this.#woken = undefined;
  }

  async #run(): Promise<void> {
    try {
      while (this.#waiting.size > 0) {
        const standing = this.#parts.ready();
        const link = standing ?? await this.#parts.obtain();
        await this.#room(link);
        const size = this.#waiting.size;
        this.#flush(link);
        // Never dial in a circle: who lets this node in and ends the connection at once does not want it.
        if (standing === undefined && this.#waiting.size === size && this.#parts.ready() === undefined) throw justEnded();
      }
    } catch (error) {
      this.#waiting.failAll(error);
    } finally {
      this.#pump = undefined;
    }
  }

  #flush(link: Link): void {
    while (link.bufferedBytes <= this.#limits.bufferedBytesHigh && link === this.#parts.ready()) {
      const send = this.#waiting.next();
      if (send === undefined) return;
      this.#handOver(link, send);
    }
  }

  #handOver(link: Link, { lane, body, done, fail }: Send): void {
    try {
      this.#give(link, lane, body);
      done(link);
    } catch (error) {
      fail(error);
    }
  }

  /** Throws when the link has ended a moment ago, before anybody was told. */
  #give(link: Link, lane: Lane, body: Body): void {
    const bytes = typeof body === "function" ? body(link) : body;
    if (bytes.length > this.#limits.messageBytesMax) throw this.#tooLarge(bytes);
    if (!link.send(lane, bytes)) throw justEnded();
    this.#parts.counts.sent++;
    this.#parts.counts.sent_bytes += bytes.length;
  }

  #tooLarge(body: Uint8Array): Error {
    return nodeError("node.too_large", `a message of ${body.length} bytes; at most ${this.#limits.messageBytesMax} can be sent`, {
      hint: "Send it in pieces, as a stream.",
    });
  }
}

function justEnded(): Error {
  return nodeError("node.unavailable", "the connection has just ended", { retry_after_ms: 100 });
}
