/**
 * What a realm remembers, as documents of one scope of the `StateStore`.
 *
 * takes and gives plain records; promises that a batch is durable when its promise resolves, and that only the process
 * that opened the scope last can write; refuses, as `moved`, what another batch made impossible; never keeps a secret
 * or a token as it is: only their hashes. Signing keys are the exception, they must be used (see `identity/keys.ts`).
 */
import type { Clock, StateOp, StateStore, StoreCall } from "@atoll-run/core";
import { replaced } from "../errors.ts";
import type { RealmLimits } from "../limits.ts";

/** Where each kind of record lives: what, by which key, for how long. `realm.ts` shows it as a table. */
export const SPACES = {
  realms: "realms", nodes: "nodes", registry: "registry", specs: "specs", keys: "keys", invites: "invites",
  nonces: "nonces",
  revoked: "revoked", fading: "fading", packages: "packages", own: "own",
} as const;
export type Space = keyof typeof SPACES;

const JOURNAL = "audit";

export interface Kept<T> {
  readonly value: T;
  readonly version: number;
}

/** `moved`: the space in which a record was not what the batch counted on. */
export type Done =
  | { readonly ok: true; readonly values: readonly number[] }
  | { readonly ok: false; readonly moved: string };

export type StoreLimits = RealmLimits["store"] & { readonly auditMs: number };

export interface RecordsParts {
  readonly store: StateStore;
  readonly clock: Clock;
}

const PAGE = 500;

export class Records {
  readonly #parts: RecordsParts;
  readonly #scope: string;
  readonly #limits: StoreLimits;
  readonly #call: StoreCall;
  #epoch: number | null = null;
  #appended = 0;

  constructor(parts: RecordsParts, scope: string, limits: StoreLimits) {
    this.#parts = parts;
    this.#scope = scope;
    this.#limits = limits;
    this.#call = { timeoutMs: limits.callMsMax };
  }

  /** Takes the scope: an older process can write no more. */
  async open(): Promise<void> {
    const done = await this.#parts.store.commit(
      { scope: this.#scope, epoch: null, at_ms: this.#parts.clock.now(), ops: [{ op: "attach" }] }, this.#call,
    );
    if (!done.ok) throw replaced();
    this.#epoch = done.values[0] ?? null;
  }

  /** The record as it was put. Nobody but this class writes it, so its shape is known. */
  async get<T>(space: Space, key: string): Promise<Kept<T> | undefined> {
    const found = await this.#parts.store.get(this.#scope, space, key, this.#call);
    return found === undefined ? undefined : { value: JSON.parse(found.value) as T, version: found.version };
  }

  /** False when a record that was named with its version has moved. Throws `realm.replaced`, and faults of the store. */
  async commit(ops: readonly StateOp[]): Promise<Done> {
    const done = await this.#parts.store.commit(
      { scope: this.#scope, epoch: this.#epoch, at_ms: this.#parts.clock.now(), ops }, this.#call,
    );
    if (done.ok) {
      const appended = ops.filter(({ op }) => op === "append").length;
      this.#appended += appended;
      if (appended > 0 && this.#appended >= this.#limits.trimEach) await this.trim();
      return done;
    }
    if (done.refusal.why !== "moved") throw replaced();
    return { ok: false, moved: done.refusal.space };
  }

  /** Keys that begin with `prefix`, in their order, at most `limit`. */
  keys(space: Space, o: { prefix?: string; after?: string | null; limit: number }): Promise<readonly string[]> {
    const query = { prefix: o.prefix ?? "", after: o.after ?? null, limit: o.limit };
    return this.#parts.store.keys(this.#scope, space, query, this.#call);
  }

  /** Every record of a space, page by page. */
  async *all<T>(space: Space): AsyncGenerator<readonly [string, T]> {
    for (let after: string | null = null; ;) {
      const keys = await this.keys(space, { after, limit: PAGE });
      const found = await Promise.all(keys.map(async (key) => [key, await this.get<T>(space, key)] as const));
      for (const [key, record] of found) if (record !== undefined) yield [key, record.value];
      const last = keys.at(-1);
      if (last === undefined || keys.length < PAGE) return;
      after = last;
    }
  }

  /** Entries of the journal of changes, of this realm alone, from `after` on. */
  async journal(after: number, limit: number): Promise<readonly { seq: number; at_ms: number; body: string }[]> {
    const found: { seq: number; at_ms: number; body: string }[] = [];
    for (let last = after; ;) {
      const entries = await this.#parts.store.journal(JOURNAL, { after: last, limit }, this.#call);
      found.push(...entries.filter(({ scope }) => scope === this.#scope));
      last = entries.at(-1)?.seq ?? last;
      if (entries.length === 0 || found.length >= limit) return found.slice(0, limit);
    }
  }

  /**
   * Drops entries of the journal that are older than it is kept. Those of others who use its
   * name are as old, so they go too.
   */
  async trim(): Promise<void> {
    this.#appended = 0;
    const before = this.#parts.clock.now() - this.#limits.auditMs;
    const oldest = await this.journal(0, this.#limits.trimMax);
    const last = oldest.findLast(({ at_ms }) => at_ms < before);
    if (last === undefined) return;
    await this.commit([{ op: "trim", journal: JOURNAL, below: last.seq + 1, limit: this.#limits.trimMax }]);
  }
}


/** Puts a record; null removes it. With `version` only when it is still that one (0 = there is none). */
export function put(space: Space, key: string, value: object | null, version: number | null = null): StateOp {
  return { op: "put", space, key, value: value === null ? null : JSON.stringify(value), if_version: version };
}

/** A line in the journal of changes. `what` is plain data without secrets. */
export function audit(event: string, what: Readonly<Record<string, unknown>>): StateOp {
  return { op: "append", journal: JOURNAL, body: JSON.stringify({ event, ...what }) };
}

/** Bytes as text, and back. */
export function toBase64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("base64");
}

export function fromBase64(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, "base64"));
}
