/**
 * A bounded queue that can be waited on, from both sides.
 *
 * takes items from `offer` and `put`; gives them, in order, each to one `take`; promises that a waiter is
 * served in the order of arrival and that an item is with the channel, its taker or its putter, never lost
 * between; refuses when full (`offer`), when too many wait (`core.overloaded`) and when closed
 * (`core.closed`); never grows over its bounds.
 */
import { onAbort } from "./abort.ts";
import { closed, overloaded } from "./core-fault.ts";
import { BoundedQueue } from "./queue.ts";

export interface ChannelOptions {
  /** Names the channel in fault texts. */
  readonly what?: string;
  /** Items at which the channel counts as full and `onFull` is called; default the limit. */
  readonly highMark?: number;
  /** Items at which, after `onFull`, `onRoom` is called; default half the high mark. */
  readonly lowMark?: number;
  /** Rising edge. Contract: must not throw. */
  readonly onFull?: (size: number) => void;
  /** Falling edge. Contract: must not throw. */
  readonly onRoom?: (size: number) => void;
  /** How many may wait on each side; default 1,024. */
  readonly waitersMax?: number;
}

interface Putter<T> {
  readonly item: T;
  done(): void;
  fail(reason: unknown): void;
}

export class Channel<T extends {}> implements AsyncIterable<T> {
  readonly #what: string;
  readonly #queue: BoundedQueue<T>;
  readonly #putters = new Set<Putter<T>>();
  readonly #takers = new Set<(item: T | undefined) => void>();
  readonly #waitersMax: number;
  readonly #high: number;
  readonly #low: number;
  readonly #onFull: ((size: number) => void) | undefined;
  readonly #onRoom: ((size: number) => void) | undefined;
  #risen = false;
  #closed = false;

  constructor(limit: number, o: ChannelOptions = {}) {
    this.#queue = new BoundedQueue<T>(limit);
    this.#what = o.what ?? "channel";
    this.#high = o.highMark ?? limit;
    this.#low = o.lowMark ?? Math.floor(this.#high / 2);
    this.#onFull = o.onFull;
    this.#onRoom = o.onRoom;
    this.#waitersMax = o.waitersMax ?? 1_024;
  }

  get size(): number {
    return this.#queue.size;
  }

  get limit(): number {
    return this.#queue.limit;
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Puts that wait for room. */
  get putting(): number {
    return this.#putters.size;
  }

  /** Takes that wait for an item. */
  get taking(): number {
    return this.#takers.size;
  }

  /** Takes the item at once, or says no: full or closed. */
  offer(item: T): boolean {
    if (this.#closed) return false;
    const taker = first(this.#takers);
    if (taker !== undefined) {
      this.#takers.delete(taker);
      taker(item);
      return true;
    }
    if (!this.#queue.push(item)) return false;
    this.#edges();
    return true;
  }

  /**
   * Waits for room. Throws `core.closed`, `core.overloaded` when too many wait already, or the signal's
   * reason; in each of these cases the item was not taken.
   */
  put(item: T, o: { readonly signal?: AbortSignal | undefined } = {}): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    if (o.signal?.aborted) reject(o.signal.reason);
    else if (this.#closed) reject(closed(this.#what));
    else if (this.offer(item)) resolve();
    else if (this.#putters.size >= this.#waitersMax) reject(overloaded(this.#what, this.limit));
    else {
      const putter: Putter<T> = {
        item,
        done: () => {
          listening[Symbol.dispose]();
          resolve();
        },
        fail: (reason) => {
          listening[Symbol.dispose]();
          reject(reason);
        },
      };
      this.#putters.add(putter);
      const listening = onAbort(o.signal, (reason) => {
        this.#putters.delete(putter);
        reject(reason);
      });
    }
    return promise;
  }

  /**
   * Waits for an item; undefined when the channel is closed and empty. Throws the signal's reason, or
   * `core.overloaded`. Give a deadline as a signal, do not race the promise: an item that was handed over
   * would be lost.
   */
  take(o: { readonly signal?: AbortSignal | undefined } = {}): Promise<T | undefined> {
    if (o.signal?.aborted) return Promise.reject(o.signal.reason);
    const ready = this.poll();
    if (ready !== undefined || this.#closed) return Promise.resolve(ready);
    if (this.#takers.size >= this.#waitersMax) {
      return Promise.reject(overloaded(`${this.#what} (takers)`, this.#waitersMax));
    }
    const { promise, resolve, reject } = Promise.withResolvers<T | undefined>();
    const taker = (item: T | undefined): void => {
      listening[Symbol.dispose]();
      resolve(item);
    };
    this.#takers.add(taker);
    const listening = onAbort(o.signal, (reason) => {
      this.#takers.delete(taker);
      reject(reason);
    });
    return promise;
  }

  /** The next item if there is one now. */
  poll(): T | undefined {
    const item = this.#queue.shift();
    if (item !== undefined) this.#admit();
    return item;
  }

  /** Takes out what is queued, oldest first; puts that wait move up. */
  drain(): T[] {
    const all = this.#queue.drain();
    this.#admit();
    return all;
  }

  /**
   * No item comes in any more: waiting puts fail with `core.closed`, takes get what is left and then
   * undefined.
   */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const putter of this.#putters) putter.fail(closed(this.#what));
    this.#putters.clear();
    for (const taker of this.#takers) taker(undefined);
    this.#takers.clear();
  }

  /** Items until the channel is closed and empty. */
  async *[Symbol.asyncIterator](): AsyncGenerator<T, void, void> {
    for (let item = await this.take(); item !== undefined; item = await this.take()) yield item;
  }

  /** Lets waiting puts in while there is room, oldest first. */
  #admit(): void {
    for (const putter of this.#putters) {
      if (!this.#queue.push(putter.item)) break;
      this.#putters.delete(putter);
      putter.done();
    }
    this.#edges();
  }

  #edges(): void {
    const size = this.#queue.size;
    if (!this.#risen && size >= this.#high) {
      this.#risen = true;
      this.#onFull?.(size);
    } else if (this.#risen && size <= this.#low) {
      this.#risen = false;
      this.#onRoom?.(size);
    }
  }
}

function first<T>(set: ReadonlySet<T>): T | undefined {
  for (const item of set) return item;
  return undefined;
}
