/**
 * The keys that sign credentials (spec: node 7.4).
 *
 * takes a credential to sign; gives the signature and the number of the key; promises rising numbers, and that a key is
 * published before it signs and known until its last credential is over; refuses nothing; never shows a seed.
 * The state of a key is a matter of time alone: next until `current_at_ms`, current until its successor is,
 * retiring until `gone_at_ms`. So no timer is needed and a restart changes nothing.
 */
import type { Clock } from "@atoll-run/core";
import { toSigningKey, type SigningKey } from "@atoll-run/core/internal";
import type { RealmLimits } from "../limits.ts";
import { audit, fromBase64, put, toBase64, type Records } from "../store/records.ts";
import { openSeed, sealSeed, type StoredSeed } from "./seal.ts";

interface KeyRecord {
  readonly key_id: number;
  readonly pubkey: string;
  readonly stored: StoredSeed;
  readonly current_at_ms: number;
  /** Known once it has a successor. */
  readonly gone_at_ms: number | null;
}

export type KeyState = "next" | "current" | "retiring";

export interface PublishedKey {
  readonly key_id: number;
  readonly pubkey: Uint8Array;
  readonly state: KeyState;
  readonly not_after_at_ms: number | null;
}

export interface SigningKeysParts {
  readonly records: Records;
  readonly clock: Clock;
  readonly bytes: (count: number) => Uint8Array;
  readonly passphrase?: string;
}

interface Loaded {
  readonly record: KeyRecord;
  readonly key: SigningKey;
}

const SEED_BYTES = 32;

export class SigningKeys {
  readonly #parts: SigningKeysParts;
  readonly #limits: RealmLimits["identity"];
  /** By number, rising. */
  #keys: readonly Loaded[] = [];
  #rotating: Promise<PublishedKey> | undefined;

  constructor(parts: SigningKeysParts, limits: RealmLimits["identity"]) {
    this.#parts = parts;
    this.#limits = limits;
  }

  /** Loads the keys; makes the first. */
  async open(): Promise<void> {
    const keys: Loaded[] = [];
    for await (const [, record] of this.#parts.records.all<KeyRecord>("keys")) {
      keys.push({ record, key: await toSigningKey(await openSeed(record.stored, this.#parts.passphrase)) });
    }
    this.#keys = keys.sort((a, b) => a.record.key_id - b.record.key_id);
    if (this.#keys.length === 0) await this.#add(1, this.#parts.clock.now(), "first");
  }

  /** All that a credential may still be signed with, by rising number. */
  published(): readonly PublishedKey[] {
    const current = this.#current().record.key_id;
    return this.#valid().map(({ record }) => ({
      key_id: record.key_id, pubkey: fromBase64(record.pubkey), not_after_at_ms: record.gone_at_ms,
      state: record.key_id === current ? "current" : record.key_id > current ? "next" : "retiring",
    }));
  }

  find(keyId: number): PublishedKey | undefined {
    return this.published().find(({ key_id }) => key_id === keyId);
  }

  current(): PublishedKey {
    const { record } = this.#current();
    return { key_id: record.key_id, pubkey: fromBase64(record.pubkey), state: "current", not_after_at_ms: record.gone_at_ms };
  }

  /** The key that signs now; makes its successor when it is old enough. */
  async signer(): Promise<{ readonly key_id: number; readonly key: SigningKey }> {
    const { record, key } = this.#current();
    const newest = this.#keys.at(-1)?.record ?? record;
    const dueAtMs = record.current_at_ms + this.#limits.keyRotationMs - this.#limits.keyNextMs;
    if (newest === record && this.#parts.clock.now() >= dueAtMs) await this.rotate("time");
    return { key_id: record.key_id, key };
  }

  /** The successor of the present key, which will sign when everybody could have read it. Asked twice it is the same. */
  rotate(why: string): Promise<PublishedKey> {
    this.#rotating ??= this.#rotate(why).finally(() => {
      this.#rotating = undefined;
    });
    return this.#rotating;
  }

  async #rotate(why: string): Promise<PublishedKey> {
    const { clock } = this.#parts;
    const newest = this.#keys.at(-1)?.record;
    const isNext = newest !== undefined && newest.current_at_ms > clock.now();
    if (!isNext) await this.#add((newest?.key_id ?? 0) + 1, clock.now() + this.#limits.keyNextMs, why);
    const [next] = this.published().slice(-1);
    return next ?? this.current();
  }

  async #add(keyId: number, currentAtMs: number, why: string): Promise<void> {
    const { records, bytes, passphrase, clock } = this.#parts;
    const seed = bytes(SEED_BYTES);
    const key = await toSigningKey(seed);
    const record: KeyRecord = {
      key_id: keyId, pubkey: toBase64(key.publicKey), current_at_ms: currentAtMs, gone_at_ms: null,
      stored: await sealSeed(seed, passphrase, bytes),
    };
    const before = this.#keys.at(-1);
    const retired = before === undefined ? [] : [{
      ...before, record: {
        ...before.record, gone_at_ms: currentAtMs + this.#limits.credentialMs + this.#limits.skewMs,
      },
    }];
    const gone = this.#keys.filter((one) => (one.record.gone_at_ms ?? Infinity) <= clock.now());
    await records.commit([
      put("keys", toKey(keyId), record, 0),
      ...retired.map((one) => put("keys", toKey(one.record.key_id), one.record)),
      ...gone.map((one) => put("keys", toKey(one.record.key_id), null)),
      audit("key_rotated", { key_id: keyId, current_at_ms: currentAtMs, why }),
    ]);
    const kept = this.#keys.filter((one) => one !== before && !gone.includes(one));
    this.#keys = [...kept, ...retired, { record, key }];
  }

  #valid(): readonly Loaded[] {
    const now = this.#parts.clock.now();
    return this.#keys.filter(({ record }) => (record.gone_at_ms ?? Infinity) > now);
  }

  #current(): Loaded {
    const now = this.#parts.clock.now();
    // With a clock that went back behind its own beginning the first key is still the one.
    const found = this.#keys.findLast(({ record }) => record.current_at_ms <= now) ?? this.#keys[0];
    if (found === undefined) throw new Error("the keys are not open");
    return found;
  }
}

function toKey(keyId: number): string {
  return String(keyId).padStart(10, "0");
}
