/**
 * Records whose time is over go with a later change, so nothing has to run for it. It is looked for them now and then,
 * and each time as long as there are many.
 */
import type { StateOp } from "@atoll-run/core";
import type { RealmLimits } from "../limits.ts";
import { clearNodes, type FadingParts } from "./fading.ts";
import { clearNonces } from "./key-proofs.ts";

export class Clearing {
  readonly #parts: FadingParts;
  readonly #limits: RealmLimits["identity"];
  #nextAtMs = -Infinity;

  constructor(parts: FadingParts, limits: RealmLimits["identity"]) {
    this.#parts = parts;
    this.#limits = limits;
  }

  /** To be committed with the change that is made now. */
  async ops(): Promise<readonly StateOp[]> {
    const { clock, records } = this.#parts;
    const now = clock.monotonic();
    if (now < this.#nextAtMs) return [];
    this.#nextAtMs = now + this.#limits.clearEachMs;
    const nonces = await clearNonces(records, clock.now(), this.#limits);
    const nodes = await clearNodes(this.#parts, this.#limits);
    if (nonces.length + nodes.length >= this.#limits.clearMax) this.#nextAtMs = now;
    return [...nonces, ...nodes];
  }
}
