/** A key that signs credentials as a realm does, for tests of a node alone. */
import { formatNodeId, parseNodeId, type NodeId } from "@atoll-run/core";
import {
  AIdCredentialSchema, IdentityClaimsSchema, readMessage, toSigningKey, writeMessage, type AIdCredential,
} from "@atoll-run/core/internal";

export interface ClaimsInit {
  readonly id?: NodeId;
  readonly realm_id?: number;
  readonly actor_id?: string;
  readonly expires_at_ms: number;
  readonly node_key?: Uint8Array;
  readonly epoch?: bigint;
}

export const ECHO = parseNodeId("1a2b3c@101/acme:echo:1.0.0") as NodeId;

export async function tinyRealmKey(seed: number, keyId: number) {
  const key = await toSigningKey(new Uint8Array(32).fill(seed));
  return {
    keyId,
    key,
    publicKey: key.publicKey,
    async sign(init: ClaimsInit): Promise<AIdCredential> {
      const id = init.id ?? ECHO;
      const claims = writeMessage(IdentityClaimsSchema, {
        realmId: init.realm_id ?? id.realm, actorId: init.actor_id ?? formatNodeId(id),
        expiresAt: BigInt(Math.floor(init.expires_at_ms / 1_000)),
        ...init.node_key === undefined ? {} : { nodeKey: init.node_key },
        ...init.epoch === undefined ? {} : { epoch: init.epoch },
      });
      const bytes = writeMessage(AIdCredentialSchema, { keyId, claims, signature: await key.sign(claims) });
      const read = readMessage(AIdCredentialSchema, bytes);
      if (!read.ok) throw read.fault;
      return read.value;
    },
  };
}
