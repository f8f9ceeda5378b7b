/**
 * The events of one bus that no handler has yet.
 * takes events while it is open; gives them in order of arrival; promises that it never holds more than its limits, and that
 * nobody overtakes one that waits for room; refuses when full, after a wait where there is a reader, and when closed.
 */
import type { Clock } from "@atoll-run/core";
import { type BlockError, blockError } from "../errors.ts";
import type { BusEvent, Queued } from "./event.ts";

export interface QueueLimits {
  readonly busEventsMax: number;
  /** Of the payloads and metas that wait, a character of their JSON text counting as one. */
  readonly busBytesMax: number;
  readonly emitMsMax: number;
}

type FullBy = "busEventsMax" | "busBytesMax";

export interface QueueParts {
  readonly clock: Clock;
  /** The event is in the queue. */
  readonly received: (event: BusEvent) => void;
  /** There is something to take. */
  readonly came: () => void;
  /** The queue is full, by which limit, or has room again: told once for each edge. */
  readonly full: (by: FullBy | undefined) => void;
  /** Somebody takes events, so that there will be room. */
  readonly isRead: () => boolean;
}

interface Waiting {
  readonly queued: Queued;
  admit(): void;
  refuse(fault: BlockError): void;
}

export class EventQueue {
  readonly #queue: Queued[] = [];
  readonly #waiting: Waiting[] = [];
  readonly #parts: QueueParts;
  readonly #limits: QueueLimits;
  #open = true;
  #full = false;
  /** Events that have their one turn before they wait. */
  #turning = 0;
  /** What the queue holds. */
  #bytes = 0;

  constructor(parts: QueueParts, limits: QueueLimits) {
    this.#parts = parts;
    this.#limits = limits;
  }

  get depth(): number {
    return this.#queue.length;
  }

  /** Settles when the event is in the queue; `what` asks, `signal` ends its wait for room. */
  async put(queued: Queued, o: { what: string; signal?: AbortSignal }): Promise<void> {
    if (!this.#open) throw closed(o.what);
    // nobody overtakes one that waits
    if (this.#turning + this.#waiting.length > 0 || this.#lacks(queued.event) !== undefined) await this.#waitForRoom(queued, o);
    else this.#admit(queued);
  }

  /** The oldest one, which makes room for those that wait. */
  take(): Queued | undefined {
    const queued = this.#queue.shift();
    if (queued === undefined) return undefined;
    this.#bytes -= bytesOf(queued.event);
    for (let next = this.#waiting[0]; next !== undefined && this.#lacks(next.queued.event) === undefined; next = this.#waiting[0]) {
      this.#push(next.queued);
      next.admit();
    }
    const { busEventsMax, busBytesMax } = this.#limits;
    if (this.#queue.length <= busEventsMax / 2 && this.#bytes <= busBytesMax / 2) this.#edge(undefined);
    return queued;
  }

  /** No new events from now on; what waits for room is refused. */
  close(): void {
    this.#open = false;
    for (const waiting of [...this.#waiting]) waiting.refuse(blockError("bus.closed", "bus.emit: bus channel closed: the run is ending"));
  }

  /** Gives all that is left. */
  clear(): readonly Queued[] {
    this.#bytes = 0;
    return this.#queue.splice(0);
  }

  #admit(queued: Queued): void {
    this.#push(queued);
    this.#parts.came();
  }

  #push(queued: Queued): void {
    this.#bytes += bytesOf(queued.event);
    this.#queue.push(queued);
    this.#parts.received(queued.event);
  }

  /** The limit that has no room for the event; undefined when there is room. */
  #lacks(event: BusEvent): FullBy | undefined {
    if (this.#queue.length >= this.#limits.busEventsMax) return "busEventsMax";
    return this.#bytes + bytesOf(event) > this.#limits.busBytesMax ? "busBytesMax" : undefined;
  }

  async #waitForRoom(queued: Queued, o: { what: string; signal?: AbortSignal }): Promise<void> {
    const full = (why: string): BlockError => this.#overloaded(queued.event, `${o.what}: queue full`, why);
    if (bytesOf(queued.event) > this.#limits.busBytesMax) throw full("the event alone is larger");
    // one turn of the scheduler: a reader may just be starting
    this.#turning++;
    await new Promise<void>((resolve) => setImmediate(resolve));
    this.#turning--;
    if (!this.#open) throw closed(o.what);
    const lacks = this.#lacks(queued.event);
    if (this.#waiting.length === 0 && lacks === undefined) return this.#admit(queued);
    if (lacks !== undefined) this.#edge(lacks);
    if (!this.#parts.isRead()) throw full("no reader; call bus.serve() or use autoServe");
    await new Promise<void>((resolve, reject) => {
      const leave = (): void => {
        timer[Symbol.dispose]();
        o.signal?.removeEventListener("abort", cancelled);
        const at = this.#waiting.indexOf(waiting);
        if (at >= 0) this.#waiting.splice(at, 1);
      };
      const waiting: Waiting = {
        queued,
        admit: () => {
          leave();
          resolve();
        },
        refuse: (fault) => {
          leave();
          reject(fault);
        },
      };
      const cancelled = (): void => waiting.refuse(blockError("run.cancelled", "cancelled"));
      const timer = this.#parts.clock.after(this.#limits.emitMsMax, () => waiting.refuse(full(`no room within ${this.#limits.emitMsMax} ms`)));
      o.signal?.addEventListener("abort", cancelled, { once: true });
      this.#waiting.push(waiting);
    });
  }

  #overloaded(event: BusEvent, front: string, why: string): BlockError {
    const by = this.#lacks(event) ?? "busEventsMax";
    const limit = this.#limits[by];
    return blockError("bus.overloaded", `${front} (${limit}${by === "busBytesMax" ? " bytes" : ""}), ${why}`,
      { facts: { limit }, retry_after_ms: 100, hint: "Emit less, or serve the bus faster." });
  }

  #edge(by: FullBy | undefined): void {
    if (this.#full === (by !== undefined)) return;
    this.#full = by !== undefined;
    this.#parts.full(by);
  }
}

function closed(what: string): BlockError {
  return blockError("bus.closed", `${what}: bus channel closed: the run has ended or is ending`);
}

/** What an event counts for while it waits. */
function bytesOf({ payload, meta, raw }: BusEvent): number {
  return payload.length + meta.length + (raw?.length ?? 0);
}
