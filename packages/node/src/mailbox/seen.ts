/**
 * Which requests have surely no remembered answer (spec: node 4.6, 4.9): only their handlers may start before the store
 * has seen them. A false "perhaps" costs the wait for one commit, a false "surely not" cannot happen.
 *
 * Bloom filters, one after the other: each is filled, then dropped when the last window in it is over.
 */

/** Names in one filter; with these bits 1 of 1,000 new names looks like a known one. */
const NAMES = 65_536;
const BITS = NAMES * 16;
const PROBES = 6;

interface Generation {
  readonly bits: Uint32Array;
  names: number;
  untilMs: number;
}

export class Seen {
  readonly #generationsMax: number;
  #generations: Generation[] = [];
  #blindUntilMs: number;

  /** `blindUntilMs`: until then there may be answers of an earlier process, of which it knows nothing. */
  constructor(o: { readonly namesMax: number; readonly blindUntilMs: number }) {
    this.#generationsMax = Math.ceil(o.namesMax / NAMES) + 1;
    this.#blindUntilMs = o.blindUntilMs;
  }

  /** The answer of that name is remembered until then. */
  add(name: string, untilMs: number): void {
    let newest = this.#generations.at(-1);
    if (newest === undefined || newest.names >= NAMES) {
      newest = { bits: new Uint32Array(BITS / 32), names: 0, untilMs: 0 };
      this.#generations.push(newest);
      // More than the store may hold: the oldest can only be guessed at.
      const dropped = this.#generations.length > this.#generationsMax ? this.#generations.shift() : undefined;
      this.#blindUntilMs = Math.max(this.#blindUntilMs, dropped?.untilMs ?? 0);
    }
    newest.names += 1;
    newest.untilMs = Math.max(newest.untilMs, untilMs);
    const [first, step] = hashes(name);
    for (let i = 0; i < PROBES; i++) {
      const bit = (first + i * step) % BITS;
      newest.bits[bit >>> 5] = (newest.bits[bit >>> 5] ?? 0) | 1 << (bit & 31);
    }
  }

  /** True: surely without an answer. */
  isNew(name: string, nowMs: number): boolean {
    if (nowMs < this.#blindUntilMs) return false;
    const [oldest] = this.#generations;
    if (oldest !== undefined && oldest.names >= NAMES && oldest.untilMs <= nowMs) this.#generations.shift();
    if (this.#generations.length === 0) return true;
    const [first, step] = hashes(name);
    return this.#generations.every(({ bits }) => {
      for (let i = 0; i < PROBES; i++) {
        const bit = (first + i * step) % BITS;
        if (((bits[bit >>> 5] ?? 0) & 1 << (bit & 31)) === 0) return true;
      }
      return false;
    });
  }
}

/** Two hashes of 26 bits, which give all probes; the step is odd. */
function hashes(name: string): [first: number, step: number] {
  let a = 0x811c9dc5;
  let b = 0x9747b28c;
  for (let i = 0; i < name.length; i++) {
    const unit = name.charCodeAt(i);
    a = Math.imul(a ^ unit, 0x01000193);
    b = Math.imul(b ^ unit, 0x5bd1e995);
  }
  a = Math.imul(a ^ a >>> 15, 0x2c1b3c6d);
  b = Math.imul(b ^ b >>> 13, 0x297a2d39);
  return [(a ^ a >>> 12) >>> 6, (b ^ b >>> 15) >>> 6 | 1];
}
