/**
 * A map through which many entries pass, such as requests that wait for an answer.
 *
 * A plain `Map` replaces its table again and again while entries come and go, and the old table points to the new one. As
 * soon as one such table is old garbage, each minor collection copies every later table with all that was in it, until
 * the next major collection: half of the time of a busy process. This one takes a new `Map` from time to time, which ends
 * the chain.
 */

/** Deletions after which the map is renewed, when there were so many times as many as there are entries. */
const RENEW_AFTER = 16;
const RENEW_TIMES = 4;

/** What is done to it while it is walked through may be seen or not. */
export class PassingMap<K, V> {
  #map = new Map<K, V>();
  #deleted = 0;

  get size(): number {
    return this.#map.size;
  }

  get(key: K): V | undefined {
    return this.#map.get(key);
  }

  has(key: K): boolean {
    return this.#map.has(key);
  }

  set(key: K, value: V): void {
    this.#map.set(key, value);
  }

  /** Whether it was there. */
  delete(key: K): boolean {
    if (!this.#map.delete(key)) return false;
    if (++this.#deleted >= RENEW_AFTER && this.#deleted >= RENEW_TIMES * this.#map.size) {
      this.#map = new Map(this.#map);
      this.#deleted = 0;
    }
    return true;
  }

  /** In the order in which they came. */
  keys(): MapIterator<K> {
    return this.#map.keys();
  }

  values(): MapIterator<V> {
    return this.#map.values();
  }

  [Symbol.iterator](): MapIterator<[K, V]> {
    return this.#map[Symbol.iterator]();
  }
}
