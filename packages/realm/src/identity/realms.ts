/**
 * The realms that this process serves, and their secrets (spec: node 7.2, 7.5).
 *
 * takes the number of a realm and a secret that somebody shows; gives whether it is right; promises that the secret
 * before the present one is good for 4 hours; refuses realms that it does not know; never stores or logs a secret.
 */
import type { Clock } from "@atoll-run/core";
import type { RealmLimits } from "../limits.ts";
import { audit, put, type Records } from "../store/records.ts";
import { hashOf, isHashOf, newSecret } from "./secrets.ts";

export interface RealmRecord {
  readonly realm: number;
  readonly name: string;
  /** Null: whoever speaks on this machine may register. */
  readonly secret: string | null;
  readonly old_secret: { readonly hash: string; readonly until_at_ms: number } | null;
  readonly made_at_ms: number;
}

export interface RealmsParts {
  readonly records: Records;
  readonly clock: Clock;
  readonly bytes: (count: number) => Uint8Array;
}

export class Realms {
  readonly #parts: RealmsParts;
  readonly #limits: RealmLimits["identity"];
  readonly #realms = new Map<number, RealmRecord>();

  constructor(parts: RealmsParts, limits: RealmLimits["identity"]) {
    this.#parts = parts;
    this.#limits = limits;
  }

  /** Loads what there is and adds what is missing, without secrets. */
  async open(wanted: readonly number[]): Promise<void> {
    for await (const [, record] of this.#parts.records.all<RealmRecord>("realms")) this.#realms.set(record.realm, record);
    for (const realm of wanted) if (!this.#realms.has(realm)) await this.add(realm, "");
  }

  get(realm: number): RealmRecord | undefined {
    return this.#realms.get(realm);
  }

  list(): readonly RealmRecord[] {
    return [...this.#realms.values()].sort((a, b) => a.realm - b.realm);
  }

  async add(realm: number, name: string): Promise<RealmRecord> {
    const record = { realm, name, secret: null, old_secret: null, made_at_ms: this.#parts.clock.now() };
    await this.#keep(record, audit("realm_added", { realm, name }));
    return record;
  }

  /** A new secret, told once; undefined when there is no such realm. */
  async rotateSecret(realm: number): Promise<string | undefined> {
    const record = this.#realms.get(realm);
    if (record === undefined) return undefined;
    const secret = newSecret(this.#parts.bytes);
    const untilAtMs = this.#parts.clock.now() + this.#limits.oldSecretMs;
    await this.#keep({
      ...record, secret: hashOf(secret),
      old_secret: record.secret === null ? null : { hash: record.secret, until_at_ms: untilAtMs },
    }, audit("secret_rotated", { realm }));
    return secret;
  }

  /** Whether that is a secret of the realm that is good now. */
  isSecret({ secret, old_secret: old }: RealmRecord, shown: string): boolean {
    const isOld = old !== null && isHashOf(old.hash, shown) && this.#parts.clock.now() < old.until_at_ms;
    const isPresent = secret !== null && isHashOf(secret, shown);
    return isPresent || isOld;
  }

  async #keep(record: RealmRecord, entry: ReturnType<typeof audit>): Promise<void> {
    await this.#parts.records.commit([put("realms", String(record.realm), record), entry]);
    this.#realms.set(record.realm, record);
  }
}
