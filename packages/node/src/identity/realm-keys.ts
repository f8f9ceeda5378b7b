/** Public keys of the realm, by number (spec: node 8.6). Types and cache of the verifier. */
import { isFault, nodeError, withDeadline, type Clock } from "@atoll-run/core";
import type { LimitsOf } from "../limits.ts";

export interface RealmKeyParts {
  readonly clock: Clock;
  /** Asks the realm. Undefined: it has no such key. Throws when it cannot be asked. */
  fetchKey(keyId: number, o: { readonly signal: AbortSignal }): Promise<RealmKey | undefined>;
}

export interface RealmKey {
  /** 32 bytes. */
  readonly publicKey: Uint8Array;
  /** Wall clock, milliseconds; absent = not known. */
  readonly not_after_at_ms?: number;
}

export interface RealmKeyStats {
  readonly known: number;
  readonly missing: number;
  readonly fetches: number;
}

/** Remembers keys; asks for one that is not known once, whoever waits for it. */
export class RealmKeys {
  readonly #parts: RealmKeyParts;
  readonly #limits: LimitsOf<"identity">;
  /** Last used is last. */
  readonly #known = new Map<number, RealmKey>();
  /** Number → until when it is not asked for, on the monotonic clock. */
  readonly #missing = new Map<number, number>();
  readonly #flights = new Map<number, Promise<RealmKey | undefined>>();
  readonly #closing = new AbortController();
  #fetches = 0;

  constructor(parts: RealmKeyParts, limits: LimitsOf<"identity">) {
    this.#parts = parts;
    this.#limits = limits;
  }

  /** A key that is known from elsewhere: the answer to a registration. */
  seed(keyId: number, key: RealmKey): void {
    this.#missing.delete(keyId);
    this.#known.delete(keyId);
    this.#known.set(keyId, key);
    for (const oldest of this.#known.keys()) {
      if (this.#known.size <= this.#limits.keysMax) break;
      this.#known.delete(oldest);
    }
  }

  /** Throws `node.permission_denied` when the realm has no such key, `node.unavailable` when it cannot be asked. */
  async get(keyId: number, o: { readonly signal?: AbortSignal | undefined }): Promise<Uint8Array> {
    const known = this.#known.get(keyId);
    if (known !== undefined && (known.not_after_at_ms ?? Infinity) > this.#parts.clock.now()) {
      this.seed(keyId, known);
      return known.publicKey;
    }
    const now = this.#parts.clock.monotonic();
    if ((this.#missing.get(keyId) ?? 0) > now) throw noSuchKey(keyId);
    const flight = this.#flights.get(keyId) ?? this.#fetch(keyId);
    const key = await withDeadline(() => flight, { clock: this.#parts.clock, ms: Infinity, signal: o.signal });
    if (key === undefined) throw noSuchKey(keyId);
    return key.publicKey;
  }

  /** Gives up what is asked for. */
  close(): void {
    this.#closing.abort(nodeError("node.cancelled", "the node closes"));
  }

  stats(): RealmKeyStats {
    return { known: this.#known.size, missing: this.#missing.size, fetches: this.#fetches };
  }

  #fetch(keyId: number): Promise<RealmKey | undefined> {
    if (this.#flights.size >= this.#limits.keyFetchesMax) {
      return Promise.reject(nodeError("node.overloaded", "too many keys of the realm are asked for at one time", {
        retry_after_ms: this.#limits.keyFetchMsMax,
      }));
    }
    this.#fetches++;
    const flight = this.#ask(keyId).finally(() => this.#flights.delete(keyId));
    this.#flights.set(keyId, flight);
    // Whoever waits hears it; if all have gone, nobody has to.
    flight.catch(() => undefined);
    return flight;
  }

  async #ask(keyId: number): Promise<RealmKey | undefined> {
    const { clock } = this.#parts;
    try {
      const key = await withDeadline((signal) => this.#parts.fetchKey(keyId, { signal }), {
        clock, ms: this.#limits.keyFetchMsMax, signal: this.#closing.signal, what: `the question for key ${keyId} of the realm`,
      });
      if (key === undefined) this.#miss(keyId);
      else this.seed(keyId, key);
      return key;
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      throw nodeError("node.unavailable", `key ${keyId} of the realm cannot be had: ${why}`, {
        cause: error, ...isFault(error) && error.retry_after_ms !== undefined ? { retry_after_ms: error.retry_after_ms } : {},
        hint: "Keys that were seen before still count; look whether the realm can be reached.",
      });
    }
  }

  #miss(keyId: number): void {
    this.#missing.delete(keyId);
    this.#missing.set(keyId, this.#parts.clock.monotonic() + this.#limits.keyMissingMs);
    for (const oldest of this.#missing.keys()) {
      if (this.#missing.size <= this.#limits.keysMissingMax) break;
      this.#missing.delete(oldest);
    }
  }
}

function noSuchKey(keyId: number): Error {
  return nodeError("node.permission_denied", `the realm has no key ${keyId}`, { facts: { key_id: keyId } });
}
