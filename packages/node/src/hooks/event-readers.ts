/** Readers of `events()`: each has a queue of its own, so that a slow one holds up nobody. */
import { assert, nodeError, onAbort, type HookEvent } from "@atoll-run/core";
import { EventQueue, type EventQueueLimits, type Waiting } from "./event-queue.ts";

type Result = IteratorResult<HookEvent, undefined>;

export class EventReaders {
  readonly #limits: EventQueueLimits & { readonly hearersMax: number };
  readonly #readers = new Set<Reader>();
  #closed = false;

  constructor(limits: EventQueueLimits & { readonly hearersMax: number }) {
    this.#limits = limits;
  }

  get size(): number {
    return this.#readers.size;
  }

  push(item: Waiting): void {
    for (const reader of this.#readers) {
      if (item.event.seq > reader.since) reader.push(item);
    }
  }

  /** Every event after the one that `since` numbers. Ends when the stream closes or the signal aborts. */
  open(since: number, signal: AbortSignal | undefined): AsyncIterableIterator<HookEvent, undefined> & AsyncDisposable {
    if (this.#readers.size >= this.#limits.hearersMax) throw nodeError("node.overloaded", "too many readers of events()");
    const reader: Reader = new Reader(since, this.#limits, () => {
      this.#readers.delete(reader);
      listening[Symbol.dispose]();
    });
    this.#readers.add(reader);
    const listening = onAbort(signal, () => queueMicrotask(() => reader.end()));
    if (this.#closed) reader.end();
    return reader;
  }

  /** They get what waits for them, then end. */
  close(): void {
    this.#closed = true;
    for (const reader of this.#readers) reader.end();
  }
}

class Reader implements AsyncIterableIterator<HookEvent, undefined>, AsyncDisposable {
  readonly since: number;
  readonly #queue: EventQueue<Waiting>;
  readonly #onEnd: () => void;
  readonly #asking: ((result: Result) => void)[] = [];
  #ended = false;

  constructor(since: number, limits: EventQueueLimits, onEnd: () => void) {
    this.since = since;
    this.#queue = new EventQueue(limits);
    this.#onEnd = onEnd;
  }

  push(item: Waiting): void {
    const ask = this.#asking.shift();
    if (ask === undefined) this.#queue.push(item);
    else ask({ done: false, value: item.event });
  }

  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    for (const ask of this.#asking.splice(0)) ask({ done: true, value: undefined });
    this.#onEnd();
  }

  next(): Promise<Result> {
    const item = this.#queue.shift();
    if (item !== undefined) return Promise.resolve({ done: false, value: item.event });
    if (this.#ended) return Promise.resolve({ done: true, value: undefined });
    assert(this.#asking.length === 0, "a reader of events() asks for one event at a time");
    return new Promise((resolve) => this.#asking.push(resolve));
  }

  return(): Promise<Result> {
    this.end();
    while (this.#queue.shift() !== undefined);
    return Promise.resolve({ done: true, value: undefined });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return();
  }
}
