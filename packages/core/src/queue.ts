/** First in, first out, with a bound that is part of the type. */
import { assert } from "./must.ts";

/** A ring of at most `limit` items. `push` says no when it is full; nothing is ever dropped silently. */
export class BoundedQueue<T extends {}> {
  readonly limit: number;
  #items: (T | undefined)[];
  #head = 0;
  #size = 0;

  /** `limit`: whole number from 1. Memory grows with what is in it, not with the limit. */
  constructor(limit: number) {
    assert(Number.isSafeInteger(limit) && limit >= 1, `a queue needs a bound, got ${limit}`);
    this.limit = limit;
    this.#items = new Array<T | undefined>(Math.min(limit, 16));
  }

  get size(): number {
    return this.#size;
  }

  get full(): boolean {
    return this.#size >= this.limit;
  }

  /** False when full: the item was not taken. */
  push(item: T): boolean {
    if (this.full) return false;
    if (this.#size === this.#items.length) this.#grow();
    this.#items[(this.#head + this.#size) % this.#items.length] = item;
    this.#size++;
    return true;
  }

  /** The oldest item, taken out; undefined when empty. */
  shift(): T | undefined {
    if (this.#size === 0) return undefined;
    const item = this.#items[this.#head];
    this.#items[this.#head] = undefined;
    this.#head = (this.#head + 1) % this.#items.length;
    this.#size--;
    return item;
  }

  /** The oldest item, left in. */
  peek(): T | undefined {
    return this.#size === 0 ? undefined : this.#items[this.#head];
  }

  /** Takes out everything, oldest first. */
  drain(): T[] {
    const all: T[] = [];
    for (let item = this.shift(); item !== undefined; item = this.shift()) all.push(item);
    return all;
  }

  #grow(): void {
    const wider = new Array<T | undefined>(Math.min(this.limit, this.#items.length * 2));
    for (let i = 0; i < this.#size; i++) wider[i] = this.#items[(this.#head + i) % this.#items.length];
    this.#items = wider;
    this.#head = 0;
  }
}
