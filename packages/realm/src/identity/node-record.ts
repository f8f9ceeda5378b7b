/** Nodes that have an id in this realm, and who holds their records in memory. */
import type { Rule } from "@atoll-run/core/internal";
import type { Kept, Records } from "../store/records.ts";

export interface StoredToken {
  /** SHA-256 of the token, base64. */
  readonly hash: string;
  /** Unix seconds. */
  readonly expires_at: number;
}

export type AuthMode = "linked" | "package" | "guest";

export interface NodeRecord {
  /** Its text form is the key. */
  readonly id: string;
  readonly mode: AuthMode;
  /** Public key of the node, base64; null = a bearer. */
  readonly node_key: string | null;
  /** Credentials below that are revoked. */
  readonly epoch: number;
  /** Revoked for good: it gets no credential any more. */
  readonly revoked: boolean;
  /** As the node registered them; null = none. */
  readonly rules: readonly Rule[] | null;
  /** Set by an operator, instead of those of the node. */
  readonly admin_rules: readonly Rule[] | null;
  /** Oldest first, at most two. */
  readonly tokens: readonly StoredToken[];
  readonly made_at_ms: number;
  readonly seen_at_ms: number;
}

export function rulesOf(record: NodeRecord): readonly Rule[] | undefined {
  return record.admin_rules ?? record.rules ?? undefined;
}

/** Records by id, those used last in memory. This process is the only writer, so what is held is true. */
export class NodeRecords {
  readonly #records: Records;
  readonly #max: number;
  readonly #held = new Map<string, Kept<NodeRecord>>();

  constructor(records: Records, max: number) {
    this.#records = records;
    this.#max = max;
  }

  async get(id: string): Promise<Kept<NodeRecord> | undefined> {
    const held = this.#held.get(id);
    if (held !== undefined) return held;
    const found = await this.#records.get<NodeRecord>("nodes", id);
    // Meanwhile it may have been written: that is newer than what was read.
    const newer = this.#held.get(id);
    if (newer !== undefined) return newer;
    if (found !== undefined) this.hold(found);
    return found;
  }

  /** As it was committed just now. */
  hold(kept: Kept<NodeRecord>): void {
    this.#held.delete(kept.value.id);
    this.#held.set(kept.value.id, kept);
    if (this.#held.size <= this.#max) return;
    const [oldest] = this.#held.keys();
    if (oldest !== undefined) this.#held.delete(oldest);
  }

  forget(id: string): void {
    this.#held.delete(id);
  }
}
