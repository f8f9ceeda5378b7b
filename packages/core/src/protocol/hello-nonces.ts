/**
 * Nonces that were used with a key: each counts once (spec: wire 6.3).
 * takes a key and a nonce that its holder has signed; gives whether it is new; promises to remember it for 10 minutes;
 * refuses a known one; never grows over its bound: when it is full nothing is new.
 */
import { nameOf } from "./ed25519-keys.ts";
import { HELLO_LIMITS } from "./hello.ts";

export class HelloNonces {
  /** Key and nonce as text → until when; in the order of their ends, since all live equally long. */
  readonly #until = new Map<string, number>();
  readonly #max: number;

  constructor(max = 100_000) {
    this.#max = max;
  }

  get size(): number {
    return this.#until.size;
  }

  /** `nowMs`: of one clock, never going back. */
  take(key: Uint8Array, nonce: Uint8Array, nowMs: number): "new" | "used" | "full" {
    for (const [old, until] of this.#until) {
      if (until > nowMs) break;
      this.#until.delete(old);
    }
    const id = nameOf(key) + nameOf(nonce);
    if (this.#until.has(id)) return "used";
    if (this.#until.size >= this.#max) return "full";
    this.#until.set(id, nowMs + HELLO_LIMITS.nonceMsMax);
    return "new";
  }
}
