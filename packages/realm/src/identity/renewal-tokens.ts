/** Renewal tokens: a day long, replaced in their last hours, two are good at a time (spec: node 7.5; wire 8.3). */
import type { RealmLimits } from "../limits.ts";
import type { NodeRecord, StoredToken } from "./node-record.ts";
import { hashOf, isHashOf, renewalSuccessor } from "./secrets.ts";

export interface TokenStep {
  readonly stored: readonly StoredToken[];
  /** For the node. */
  readonly token: Uint8Array;
  /** Unix seconds. */
  readonly expires_at: number;
}

const TOKEN_BYTES = 32;

export class RenewalTokens {
  readonly #secret: Uint8Array;
  readonly #bytes: (count: number) => Uint8Array;
  readonly #limits: RealmLimits["identity"];

  /** `secret`: of the realm, for the derivation of successors. */
  constructor(secret: Uint8Array, bytes: (count: number) => Uint8Array, limits: RealmLimits["identity"]) {
    this.#secret = secret;
    this.#bytes = bytes;
    this.#limits = limits;
  }

  fresh(before: readonly StoredToken[], nowMs: number): TokenStep {
    const token = this.#bytes(TOKEN_BYTES);
    const expiresAt = Math.floor((nowMs + this.#limits.renewalTokenMs) / 1_000);
    return { token, expires_at: expiresAt, stored: this.#keep(before, { hash: hashOf(token), expires_at: expiresAt }) };
  }

  /**
   * What the node has from now on. A node with a key has proved it already, so its token may be missing or over.
   * Undefined: not good.
   */
  renew(record: NodeRecord, token: Uint8Array, nowMs: number): TokenStep | undefined {
    const found = record.tokens.find(({ hash, expires_at }) => expires_at * 1_000 > nowMs && isHashOf(hash, token));
    if (found === undefined) return record.node_key === null ? undefined : this.fresh(record.tokens, nowMs);
    if (found.expires_at * 1_000 - nowMs > this.#limits.renewalRotateMs) {
      return { token, expires_at: found.expires_at, stored: record.tokens };
    }
    const next = renewalSuccessor(this.#secret, token, record.id, found.expires_at);
    const expiresAt = found.expires_at + Math.floor(this.#limits.renewalTokenMs / 1_000);
    const added = { hash: hashOf(next), expires_at: expiresAt };
    return { token: next, expires_at: expiresAt, stored: this.#keep(record.tokens, added) };
  }

  #keep(before: readonly StoredToken[], added: StoredToken): readonly StoredToken[] {
    return [...before.filter(({ hash }) => hash !== added.hash), added].slice(-this.#limits.renewalTokensMax);
  }
}
