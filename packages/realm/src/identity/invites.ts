/** Invites: leave for a guest, such as a browser, to register under one type for a short time (spec: node 7.2). */
import { formatType, type ActorType, type Clock, type StateOp } from "@atoll-run/core";
import type { RealmLimits } from "../limits.ts";
import { granted, refuse, type Answer } from "../refusal.ts";
import { audit, put, type Records } from "../store/records.ts";
import { hashKey, newSecret } from "./secrets.ts";

interface InviteRecord {
  readonly realm: number;
  readonly type: string;
  readonly expires_at_ms: number;
  readonly uses_left: number;
}

export interface NewInvite {
  readonly realm: number;
  readonly type: ActorType;
  readonly ttl_ms: number;
  readonly uses: number;
}

export interface InvitesParts {
  readonly records: Records;
  readonly clock: Clock;
  readonly bytes: (count: number) => Uint8Array;
}

export class Invites {
  readonly #parts: InvitesParts;
  readonly #limits: RealmLimits["admin"];

  constructor(parts: InvitesParts, limits: RealmLimits["admin"]) {
    this.#parts = parts;
    this.#limits = limits;
  }

  /** The token, told once. */
  async make({ realm, type, ttl_ms, uses }: NewInvite): Promise<Answer<{ token: string; expires_at_ms: number }>> {
    const { records, bytes, clock } = this.#parts;
    const now = clock.now();
    const over: StateOp[] = [];
    let count = 0;
    for await (const [key, invite] of records.all<InviteRecord>("invites")) {
      count++;
      if (invite.expires_at_ms <= now && over.length < this.#limits.pageMax / 4) over.push(put("invites", key, null));
    }
    if (count - over.length >= this.#limits.invitesMax) {
      return refuse(429, "there are too many open invites", { retry_after_ms: 60_000 });
    }
    const token = newSecret(bytes);
    const record: InviteRecord = { realm, type: formatType(type), expires_at_ms: now + ttl_ms, uses_left: uses };
    await records.commit([
      ...over, put("invites", hashKey(token), record, 0),
      audit("invite_made", { realm, type: record.type, expires_at_ms: record.expires_at_ms, uses }),
    ]);
    return granted({ token, expires_at_ms: record.expires_at_ms });
  }

  /** One use of it, to be committed with the registration. */
  async use(token: string, realm: number, type: ActorType): Promise<Answer<StateOp>> {
    const { records, clock } = this.#parts;
    const key = hashKey(token);
    const found = await records.get<InviteRecord>("invites", key);
    const isGood = found !== undefined && found.value.realm === realm && found.value.expires_at_ms > clock.now();
    if (!isGood || found.value.uses_left < 1) return refuse(403, "the invite is not good (any more)");
    if (found.value.type !== formatType(type)) {
      return refuse(403, `the invite is for the type ${found.value.type}`);
    }
    const left = { ...found.value, uses_left: found.value.uses_left - 1 };
    return granted(put("invites", key, left.uses_left === 0 ? null : left, found.version));
  }
}
