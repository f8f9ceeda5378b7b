/**
 * The event bus of one block.
 * takes events with JSON text; gives each to one handler and its answer to whoever asked; promises order of arrival, one
 * handler at a time, and an ack or nack for every event it took; refuses when full or closed; never looks into a payload.
 */
import type { Clock } from "@atoll-run/core";
import { type BlockError, blockError } from "../errors.ts";
import type { CallTrace } from "../observe/spans.ts";

export interface BusEvent {
  readonly seq: number;
  readonly kind: string;
  readonly id: string;
  /** JSON text. */
  readonly payload: string;
  readonly meta: string;
  /** Milliseconds left for the handler when it starts; absent = no bound. */
  readonly deadlineAt?: number;
  /** The asker's trace, which the handler goes on with. */
  readonly trace?: CallTrace;
}

/** Runs one event; gives the reply as JSON text, or throws the fault of the nack. */
export type Handle = (event: BusEvent, o: { leftMs?: number; signal: AbortSignal }) => Promise<string>;

export interface Handler {
  readonly handle: Handle;
  readonly timeoutMs?: number;
}

export interface BusLimits {
  readonly busEventsMax: number;
  /** Of the payloads and metas that wait, a character of their JSON text counting as one. */
  readonly busBytesMax: number;
  readonly emitMsMax: number;
  readonly graceMs: number;
  readonly hardStopMs: number;
  readonly handlerMsMax: number;
}

export interface BusParts {
  readonly clock: Clock;
  readonly warn: (text: string) => void;
  readonly received: (event: BusEvent) => void;
  readonly handled: (event: BusEvent, ms: number) => void;
  readonly failed: (event: BusEvent, fault: unknown) => void;
  /** The queue is full, by which limit, or has room again: told once for each edge. */
  readonly full: (by: "busEventsMax" | "busBytesMax" | undefined) => void;
}

export interface Answer {
  settle(reply: string): void;
  fail(fault: unknown): void;
}

interface Queued extends Answer {
  readonly event: BusEvent;
  /** Whoever asked does not want the answer any more. */
  readonly unwanted?: AbortSignal;
}

interface Waiting {
  readonly queued: Queued;
  admit(): void;
  refuse(fault: BlockError): void;
}

/** Fallback for kinds without a handler of their own. */
export const ANY_KIND = "__on_any";

export class Bus {
  readonly counts = { emitted: 0, handled: 0, failed: 0, unserved: 0 };
  readonly #handlers = new Map<string, Handler>();
  readonly #queue: Queued[] = [];
  readonly #waiting: Waiting[] = [];
  readonly #parts: BusParts;
  readonly #limits: BusLimits;
  #phase: "idle" | "reading" | "draining" | "closed" = "idle";
  #intake = true;
  #full = false;
  /** Events that have their one turn before they wait. */
  #turning = 0;
  /** What the queue holds. */
  #bytes = 0;
  #busy: { abort: AbortController; done: Promise<void> } | null = null;
  #quiet: (() => void)[] = [];
  #nextSeq = 1;

  constructor(parts: BusParts, limits: BusLimits) {
    this.#parts = parts;
    this.#limits = limits;
  }

  get depth(): number {
    return this.#queue.length;
  }

  get reading(): boolean {
    return this.#phase === "reading";
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
    if (!this.#intake) throw closed(o.what);
    const queued: Queued = { event: { ...e, seq: this.#nextSeq++ }, ...answer, ...(o.unwanted === undefined ? {} : { unwanted: o.unwanted }) };
    // nobody overtakes one that waits
    if (this.#turning + this.#waiting.length > 0 || this.#lacks(queued.event) !== undefined) await this.#waitForRoom(queued, o);
    else this.#admit(queued);
  }

  #admit(queued: Queued): void {
    this.#push(queued);
    this.#next();
  }

  #push(queued: Queued): void {
    this.counts.emitted++;
    this.#bytes += bytesOf(queued.event);
    this.#queue.push(queued);
    this.#parts.received(queued.event);
  }

  /** The limit that has no room for the event; undefined when there is room. */
  #lacks(event: BusEvent): "busEventsMax" | "busBytesMax" | undefined {
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
    if (!this.#intake) throw closed(o.what);
    const lacks = this.#lacks(queued.event);
    if (this.#waiting.length === 0 && lacks === undefined) return this.#admit(queued);
    if (lacks !== undefined) this.#edge(lacks);
    if (this.#phase !== "reading") throw full("no reader; call bus.serve() or use autoServe");
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

  #edge(by: "busEventsMax" | "busBytesMax" | undefined): void {
    if (this.#full === (by !== undefined)) return;
    this.#full = by !== undefined;
    this.#parts.full(by);
  }

  /** Begins to hand out events, one at a time. */
  read(): void {
    if (this.#phase !== "idle") return;
    this.#phase = "reading";
    this.#next();
  }

  #next(): void {
    if (this.#busy !== null || this.#phase === "idle" || this.#phase === "closed") return;
    const queued = this.#queue.shift();
    if (queued === undefined) {
      for (const hear of this.#quiet.splice(0)) hear();
      return;
    }
    this.#bytes -= bytesOf(queued.event);
    for (let next = this.#waiting[0]; next !== undefined && this.#lacks(next.queued.event) === undefined; next = this.#waiting[0]) {
      this.#push(next.queued);
      next.admit();
    }
    const { busEventsMax, busBytesMax } = this.#limits;
    if (this.#queue.length <= busEventsMax / 2 && this.#bytes <= busBytesMax / 2) this.#edge(undefined);
    const abort = new AbortController();
    const busy = { abort, done: Promise.resolve() };
    this.#busy = busy;
    busy.done = this.#run(queued, abort).finally(() => {
      this.#busy = null;
      this.#next();
    });
  }

  async #run(queued: Queued, abort: AbortController): Promise<void> {
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

  async #bounded(handler: Handler, event: BusEvent, abort: AbortController): Promise<string> {
    const left = event.deadlineAt === undefined ? Infinity : event.deadlineAt - this.#parts.clock.monotonic();
    const leftMs = Math.min(left, handler.timeoutMs ?? Infinity, this.#limits.handlerMsMax);
    const o = { signal: abort.signal, ...(leftMs === Infinity ? {} : { leftMs: Math.max(0, leftMs) }) };
    if (leftMs === Infinity) return handler.handle(event, o);
    const timedOut = blockError("bus.timeout", "handler timeout", { facts: { kind: event.kind } });
    if (leftMs <= 0) throw timedOut;
    const timer = this.#parts.clock.after(leftMs, () => abort.abort(timedOut));
    try {
      return await handler.handle(event, o);
    } finally {
      timer[Symbol.dispose]();
    }
  }

  /** Resolves when the queue is empty and no handler runs. */
  #drained(): Promise<void> {
    if (this.#busy === null && (this.#queue.length === 0 || this.#phase === "idle")) return Promise.resolve();
    return new Promise((resolve) => this.#quiet.push(resolve));
  }

  /** No new events from now on; what waits for room is refused. */
  closeIntake(): void {
    this.#intake = false;
    for (const waiting of [...this.#waiting]) waiting.refuse(blockError("bus.closed", "bus.emit: bus channel closed: the run is ending"));
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
      this.#busy?.abort.abort(blockError("bus.closed", "bus stopped"));
      await this.#within(this.#busy?.done ?? Promise.resolve(), this.#limits.hardStopMs);
    }
    return inTime;
  }

  /** After this nothing is handed out any more. */
  close(): void {
    this.#phase = "closed";
    this.#stopQueued();
  }

  #stopQueued(): void {
    this.#bytes = 0;
    for (const queued of this.#queue.splice(0)) {
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

function closed(what: string): BlockError {
  return blockError("bus.closed", `${what}: bus channel closed: the run has ended or is ending`);
}

/** What an event counts for while it waits. */
function bytesOf({ payload, meta }: BusEvent): number {
  return payload.length + meta.length;
}
