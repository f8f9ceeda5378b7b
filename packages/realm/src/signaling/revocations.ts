/** Ids whose credentials were taken back, as long as one could still be shown (spec: node 8.6). */
import type { Clock, StateOp } from "@atoll-run/core";
import type { RealmLimits } from "../limits.ts";
import { put, type Records } from "../store/records.ts";

export interface Revocation {
  readonly actor_id: string;
  readonly epoch: number;
  readonly at_ms: number;
  /** Rises; says what a connection was told already. */
  readonly no: number;
}

export interface RevocationsParts {
  readonly records: Records;
  readonly clock: Clock;
}

export class Revocations {
  readonly #parts: RevocationsParts;
  readonly #limits: RealmLimits;
  /** Oldest first. */
  #list: Revocation[] = [];
  #last = 0;

  constructor(parts: RevocationsParts, limits: RealmLimits) {
    this.#parts = parts;
    this.#limits = limits;
  }

  async open(): Promise<void> {
    const found: Omit<Revocation, "no">[] = [];
    for await (const [, record] of this.#parts.records.all<Omit<Revocation, "no">>("revoked")) found.push(record);
    found.sort((a, b) => a.at_ms - b.at_ms);
    this.#list = found.map((one) => ({ ...one, no: ++this.#last }));
  }

  /** To be committed before `add`; clears what is over. */
  ops(actorId: string, epoch: number): readonly StateOp[] {
    const record = { actor_id: actorId, epoch, at_ms: this.#parts.clock.now() };
    const over = this.#list.filter((one) => this.#isOver(one) && one.actor_id !== actorId).slice(0, 100);
    return [put("revoked", actorId, record), ...over.map((one) => put("revoked", one.actor_id, null))];
  }

  add(actorId: string, epoch: number): void {
    const kept = this.#list.filter((one) => !this.#isOver(one) && one.actor_id !== actorId);
    kept.push({ actor_id: actorId, epoch, at_ms: this.#parts.clock.now(), no: ++this.#last });
    this.#list = kept.slice(-this.#limits.signaling.revokedMax);
  }

  /** Those after a number; oldest first. */
  since(no: number): readonly Revocation[] {
    if (no >= this.#last) return [];
    return this.#list.filter((one) => one.no > no && !this.#isOver(one));
  }

  /** With the grace that open lanes have. */
  #isOver({ at_ms }: Revocation): boolean {
    const { credentialMs, graceMs, skewMs } = this.#limits.identity;
    return at_ms + credentialMs + graceMs + skewMs <= this.#parts.clock.now();
  }
}
