/**
 * The event bus of one block.
 * takes events with JSON text; gives each to one handler and its answer to whoever asked; promises order of arrival, one
 * handler at a time but for those that were set aside, and an ack or nack for every event it took; refuses when full or
 * closed; never looks into a payload.
 */
import { LateAbort, type Stop } from "@atoll-run/core";
import { blockError } from "../errors.ts";
import type { Answer, BusEvent, Queued } from "./event.ts";
import { EventQueue, type QueueLimits, type QueueParts } from "./queue.ts";

export interface HandleOptions {
  readonly leftMs?: number;
  readonly signal: AbortSignal;
  /** The same as `signal`, which then is not made. */
  readonly stop: Stop;
  /** The handler waits for something outside of the block: others run meanwhile. */
  aside(): Aside;
}

export interface Aside {
  /** Resolves when it is its turn again. */
  back(): Promise<void>;
}

/** Runs one event; gives the reply as JSON text, or throws the fault of the nack. */
export type Handle = (event: BusEvent, o: HandleOptions) => Promise<string>;

class Handling extends LateAbort implements HandleOptions {
  declare leftMs?: number;
  readonly #aside: (one: Handling) => Aside;

  constructor(aside: (one: Handling) => Aside) {
    super();
    this.#aside = aside;
  }

  get stop(): Stop {
    return this;
  }

  aside(): Aside {
    return this.#aside(this);
  }
}

interface Busy {
  readonly abort: Handling;
  done: Promise<void>;
}

interface Back {
  readonly busy: Busy;
  readonly resolve: () => void;
}

const HERE: Aside = { back: () => Promise.resolve() };

export interface Handler {
  readonly handle: Handle;
  readonly timeoutMs?: number;
}

export interface BusLimits extends QueueLimits {
  readonly graceMs: number;
  readonly hardStopMs: number;
  readonly handlerMsMax: number;
}

export interface BusParts extends Pick<QueueParts, "clock" | "full"> {
  readonly warn: (text: string) => void;
  readonly received: (event: BusEvent) => void;
  readonly handled: (event: BusEvent, ms: number) => void;
  readonly failed: (event: BusEvent, fault: unknown) => void;
}

/** Fallback for kinds without a handler of their own. */
export const ANY_KIND = "__on_any";

export class Bus {
  readonly counts = { emitted: 0, handled: 0, failed: 0, unserved: 0 };
  readonly #handlers = new Map<string, Handler>();
  readonly #queue: EventQueue;
  readonly #parts: BusParts;
  readonly #limits: BusLimits;
  #phase: "idle" | "reading" | "draining" | "closed" = "idle";
  #busy: Busy | null = null;
  /** Handlers that wait for something outside, and those of them that want to go on. */
  readonly #away = new Set<Busy>();
  readonly #backs: Back[] = [];
  readonly #setAside = (one: Handling): Aside => this.#aside(one);
  #quiet: (() => void)[] = [];
  #nextSeq = 1;

  constructor(parts: BusParts, limits: BusLimits) {
    this.#parts = parts;
    this.#limits = limits;
    this.#queue = new EventQueue({
      clock: parts.clock, full: parts.full, isRead: () => this.reading, came: () => this.#next(),
      received: (event) => {
        this.counts.emitted++;
        parts.received(event);
      },
    }, limits);
  }

  get depth(): number {
    return this.#queue.depth;
  }

  get reading(): boolean {
    return this.#phase === "reading";
  }

  /** Has it a handler of exactly that kind? */
  handles(kind: string): boolean {
    return this.#handlers.has(kind);
  }

  /** Last registration wins; true when it replaced one. */
  register(kind: string, handler: Handler): boolean {
    const replaced = this.#handlers.has(kind);
    this.#handlers.set(kind, handler);
    return replaced;
  }

  /**
   * Queues an event; settles when it is in the queue. The answer goes to `settle` and `fail`. `signal` ends the wait for
   * room; `unwanted` also the event itself: its handler is cancelled, and one that has not begun is not called.
   */
  async put(e: Omit<BusEvent, "seq">, answer: Answer, o: { what: string; signal?: AbortSignal; unwanted?: AbortSignal }): Promise<void> {
    const { unwanted } = o;
    await this.#queue.put({ event: { ...e, seq: this.#nextSeq++ }, ...answer, ...(unwanted === undefined ? {} : { unwanted }) }, o);
  }

  /** Begins to hand out events, one at a time. */
  read(): void {
    if (this.#phase !== "idle") return;
    this.#phase = "reading";
    this.#next();
  }

  #next(): void {
    if (this.#busy !== null) return;
    const back = this.#backs.shift();
    if (back !== undefined) {
      this.#away.delete(back.busy);
      this.#busy = back.busy;
      return back.resolve();
    }
    if (this.#phase === "idle" || this.#phase === "closed") return;
    const queued = this.#queue.take();
    if (queued === undefined) {
      if (this.#away.size === 0) for (const hear of this.#quiet.splice(0)) hear();
      return;
    }
    const abort = new Handling(this.#setAside);
    const busy: Busy = { abort, done: Promise.resolve() };
    this.#busy = busy;
    busy.done = this.#run(queued, abort).finally(() => this.#over(busy));
  }

  #over(busy: Busy): void {
    this.#away.delete(busy);
    if (this.#backs.length > 0) this.#endBacks(busy);
    if (this.#busy === busy) this.#busy = null;
    this.#next();
  }

  /** Of a handler that has ended while tasks of it wait for their turn. */
  #endBacks(busy: Busy): void {
    for (const back of this.#backs.filter((one) => one.busy === busy)) {
      this.#backs.splice(this.#backs.indexOf(back), 1);
      back.resolve();
    }
  }

  /** Not for one that is away already, by another of its tasks. */
  #aside(one: Handling): Aside {
    const busy = this.#busy;
    if (busy?.abort !== one) return HERE;
    this.#busy = null;
    this.#away.add(busy);
    this.#next();
    return { back: () => new Promise((resolve) => {
      if (!this.#away.has(busy)) return resolve();
      this.#backs.push({ busy, resolve });
      this.#next();
    }) };
  }

  async #run(queued: Queued, abort: Handling): Promise<void> {
    const { event, unwanted } = queued;
    const begun = this.#parts.clock.monotonic();
    const cancel = (): void => abort.abort(blockError("run.cancelled", "cancelled"));
    unwanted?.addEventListener("abort", cancel, { once: true });
    try {
      if (unwanted?.aborted === true) throw blockError("run.cancelled", "cancelled");
      const handler = this.#handlers.get(event.kind) ?? this.#handlers.get(ANY_KIND);
      if (handler === undefined) {
        this.#parts.warn("bus: no handler for event; nacking");
        throw blockError("bus.no_handler", `bus error: no handler for kind \`${event.kind}\``, { facts: { kind: event.kind } });
      }
      queued.settle(await this.#bounded(handler, event, abort));
      this.counts.handled++;
      this.#parts.handled(event, this.#parts.clock.monotonic() - begun);
    } catch (fault) {
      this.counts.failed++;
      queued.fail(fault);
      this.#parts.failed(event, fault);
    } finally {
      unwanted?.removeEventListener("abort", cancel);
    }
  }

  async #bounded(handler: Handler, event: BusEvent, abort: Handling): Promise<string> {
    const left = event.deadlineAt === undefined ? Infinity : event.deadlineAt - this.#parts.clock.monotonic();
    const leftMs = Math.min(left, handler.timeoutMs ?? Infinity, this.#limits.handlerMsMax);
    if (leftMs === Infinity) return handler.handle(event, abort);
    abort.leftMs = Math.max(0, leftMs);
    const timedOut = blockError("bus.timeout", "handler timeout", { facts: { kind: event.kind } });
    if (leftMs <= 0) throw timedOut;
    const timer = this.#parts.clock.after(leftMs, () => abort.abort(timedOut));
    try {
      return await handler.handle(event, abort);
    } finally {
      timer[Symbol.dispose]();
    }
  }

  /** Resolves when the queue is empty and no handler runs. */
  #drained(): Promise<void> {
    if (this.#busy === null && this.#away.size === 0 && (this.#queue.depth === 0 || this.#phase === "idle")) return Promise.resolve();
    return new Promise((resolve) => this.#quiet.push(resolve));
  }

  /** No new events from now on; what waits for room is refused. */
  closeIntake(): void {
    this.#queue.close();
  }

  /**
   * Lets the queue run empty for at most `graceMs` (default: of the limits), then cancels the handler and nacks the rest with `bus stopped`.
   * False when it had to.
   */
  async drain(graceMs: number = this.#limits.graceMs): Promise<boolean> {
    if (this.#phase === "closed") return true;
    if (this.#phase === "reading") this.#phase = "draining";
    const inTime = await this.#within(this.#drained(), graceMs);
    if (!inTime) {
      this.#stopQueued();
      const left = [...this.#busy === null ? [] : [this.#busy], ...this.#away];
      for (const { abort } of left) abort.abort(blockError("bus.closed", "bus stopped"));
      await this.#within(Promise.all(left.map(({ done }) => done)).then(() => undefined), this.#limits.hardStopMs);
    }
    return inTime;
  }

  /** After this nothing is handed out any more. */
  close(): void {
    this.#phase = "closed";
    this.#stopQueued();
  }

  #stopQueued(): void {
    for (const queued of this.#queue.clear()) {
      this.counts.unserved++;
      queued.fail(blockError("bus.closed", "bus stopped"));
    }
  }

  async #within(work: Promise<void>, ms: number): Promise<boolean> {
    let timer: Disposable | undefined;
    const late = new Promise<boolean>((resolve) => {
      timer = this.#parts.clock.after(ms, () => resolve(false));
    });
    try {
      return await Promise.race([work.then(() => true), late]);
    } finally {
      timer?.[Symbol.dispose]();
    }
  }
}
