/**
 * A map through which many entries pass, such as requests that wait for an answer.
 *
 * A plain `Map` replaces its table again and again while entries come and go; the old table points to the new one, and to
 * what was in it when it was replaced. As soon as one such table is old garbage, each minor collection copies every later
 * table with all that was in it, until the next major collection: half of the time of a busy process. So few entries stand
 * in two lists that never change their length, and a map of many is renewed from time to time, which ends the chain.
 */

/** As many entries are looked through one by one. */
const FEW = 8;
/** Deletions after which the map is renewed, when there were so many times as many as there are entries. */
const RENEW_AFTER = 16;
const RENEW_TIMES = 4;

/** Of a map that was never used. */
const NONE: undefined[] = [];

/** What is done to it while it is walked through may be seen or not. */
export class PassingMap<K, V> {
  /** The first {@link PassingMap.#few} of them are entries, in their order; the others are undefined. */
  #keys: (K | undefined)[] = NONE;
  #values: (V | undefined)[] = NONE;
  #few = 0;
  /** Instead of the lists, when there were more. */
  #many: Map<K, V> | undefined;
  /** Since the map was made: its deletions, and the most entries that it had. */
  #deleted = 0;
  #most = 0;

  get size(): number {
    return this.#many?.size ?? this.#few;
  }

  get(key: K): V | undefined {
    if (this.#many !== undefined) return this.#many.get(key);
    const at = this.#find(key);
    return at < 0 ? undefined : this.#values[at];
  }

  has(key: K): boolean {
    return this.#many?.has(key) ?? this.#find(key) >= 0;
  }

  set(key: K, value: V): void {
    if (this.#many !== undefined) return this.#setOfMany(this.#many, key, value);
    const at = this.#find(key);
    if (at < 0 && this.#few === FEW) return this.#setOfMany(this.#spread(), key, value);
    if (this.#keys === NONE) {
      this.#keys = new Array<K | undefined>(FEW).fill(undefined);
      this.#values = new Array<V | undefined>(FEW).fill(undefined);
    }
    const place = at < 0 ? this.#few++ : at;
    this.#keys[place] = key;
    this.#values[place] = value;
  }

  /** Whether it was there. */
  delete(key: K): boolean {
    if (this.#many !== undefined) return this.#deleteOfMany(this.#many, key);
    const at = this.#find(key);
    if (at < 0) return false;
    const last = --this.#few;
    for (let i = at; i < last; i++) {
      this.#keys[i] = this.#keys[i + 1];
      this.#values[i] = this.#values[i + 1];
    }
    this.#keys[last] = this.#values[last] = undefined;
    return true;
  }

  /** In the order in which they came. */
  keys(): IterableIterator<K> {
    return this.#many?.keys() ?? (this.#keys.slice(0, this.#few) as K[]).values();
  }

  values(): IterableIterator<V> {
    return this.#many?.values() ?? (this.#values.slice(0, this.#few) as V[]).values();
  }

  [Symbol.iterator](): IterableIterator<[K, V]> {
    return this.#many?.[Symbol.iterator]() ?? (this.#keys.slice(0, this.#few) as K[]).map((key, i): [K, V] => [key, this.#values[i] as V]).values();
  }

  #find(key: K): number {
    const keys = this.#keys;
    for (let i = 0; i < this.#few; i++) if (keys[i] === key) return i;
    return -1;
  }

  /** From the lists into a map. */
  #spread(): Map<K, V> {
    const many = this.#many = new Map(this);
    this.#keys.fill(undefined);
    this.#values.fill(undefined);
    this.#few = this.#deleted = this.#most = 0;
    return many;
  }

  #setOfMany(many: Map<K, V>, key: K, value: V): void {
    many.set(key, value);
    if (many.size > this.#most) this.#most = many.size;
  }

  #deleteOfMany(many: Map<K, V>, key: K): boolean {
    if (!many.delete(key)) return false;
    if (++this.#deleted < RENEW_AFTER || this.#deleted < RENEW_TIMES * many.size) return true;
    const stayMany = this.#most > FEW;
    this.#deleted = this.#most = 0;
    this.#many = stayMany ? new Map(many) : undefined;
    if (!stayMany) for (const [left, value] of many) this.set(left, value);
    return true;
  }
}
