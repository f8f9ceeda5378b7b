/** What a node gets when it registers or renews (spec: node 7.2 to 7.5, 7.9). */
import { REALM_FEATURES, type Clock, type Log, type NodeId } from "@atoll-run/core";
import { toActrId, type MessageInitShape, type RegisterOkSchema } from "@atoll-run/core/internal";
import type { RealmLimits } from "../limits.ts";
import type { Credentials } from "./credentials.ts";
import type { NodeRecord } from "./node-record.ts";
import type { TokenStep } from "./renewal-tokens.ts";
import { turnAccess } from "./secrets.ts";
import type { SigningKeys } from "./signing-keys.ts";

export type RegisterOkInit = Omit<MessageInitShape<typeof RegisterOkSchema>, "$typeName">;

export interface GrantsParts {
  readonly keys: SigningKeys;
  readonly credentials: Credentials;
  readonly clock: Clock;
  readonly log: Log;
  /** Shared with the TURN server. */
  readonly turnSecret: string;
}

/** A node as it was committed just now. */
export interface Made {
  readonly id: NodeId;
  readonly record: NodeRecord;
  readonly token: TokenStep | undefined;
}

export class Grants {
  readonly #parts: GrantsParts;
  readonly #heartbeatSecs: number;

  constructor(parts: GrantsParts, limits: RealmLimits) {
    this.#parts = parts;
    this.#heartbeatSecs = Math.round(limits.registry.heartbeatMs / 1_000);
  }

  async give({ id, record, token }: Made): Promise<RegisterOkInit> {
    const { credentials, keys, clock, turnSecret, log } = this.#parts;
    const { credential, expires_at: expiresAt } = await credentials.issue(record, id.realm);
    const key = keys.current();
    log.write({ level: "debug", target: "realm", msg: "gave a credential", fields: { id: record.id } });
    return {
      actrId: toActrId(id), credential, credentialExpiresAt: toTimestamp(expiresAt),
      turnCredential: { ...turnAccess(turnSecret, record.id, expiresAt), expiresAt: BigInt(expiresAt) },
      signalingHeartbeatIntervalSecs: this.#heartbeatSecs, signingPubkey: key.pubkey, signingKeyId: key.key_id,
      ...token === undefined ? {} : {
        renewalToken: token.token, renewalTokenExpiresAt: toTimestamp(token.expires_at),
      },
      realmFeatures: [...REALM_FEATURES], serverAtMs: BigInt(clock.now()),
      keys: keys.published().map(({ key_id: keyId, pubkey, not_after_at_ms }) => ({
        keyId, pubkey, ...not_after_at_ms === null ? {} : { notAfterAtMs: BigInt(not_after_at_ms) },
      })),
    };
  }
}

function toTimestamp(seconds: number): { seconds: bigint; nanos: number } {
  return { seconds: BigInt(seconds), nanos: 0 };
}
