/** What a realm gives at registration and renewal, checked before anything of it is used (spec: node 3.1 step 8, 5.7). */
import { formatNodeId, nodeError, type ActorType, type NodeError, type NodeId } from "@atoll-run/core";
import {
  AIdCredentialSchema, fromActrId, isFieldSet, RegisterOkSchema, verifySignature, writeMessage,
  type AIdCredential, type RegisterOk,
} from "@atoll-run/core/internal";
import type { RealmKey } from "./realm-keys.ts";
import type { NodeKey, TurnAccess } from "./session.ts";
import { readClaims } from "./verifier.ts";

export interface Grant {
  readonly id: NodeId;
  readonly credential: AIdCredential;
  readonly credential_bytes: Uint8Array;
  readonly expires_at_ms: number;
  /** Whether the credential names our key. */
  readonly has_key: boolean;
  readonly turn: TurnAccess;
  /** Seconds between two pings; 0 = not said. */
  readonly heartbeat_secs: number;
  readonly realm_features: readonly string[];
  readonly keys: ReadonlyMap<number, RealmKey>;
  readonly renewal_token?: Uint8Array;
  readonly renewal_token_expires_at_ms?: number;
  /** Clock of the realm when it answered. */
  readonly server_at_ms?: number;
}

export interface Expected {
  readonly realm: number;
  readonly type: ActorType;
  readonly key: NodeKey | undefined;
  /** A renewal must give this one. */
  readonly id?: NodeId;
}

const CLAIMS_BYTES_MAX = 4_096;

/** Throws `node.identity_mismatch` when it is another's, `node.decode_failure` when it makes no sense. */
export async function toGrant(ok: RegisterOk, expected: Expected): Promise<Grant> {
  const id = ok.actrId === undefined ? undefined : fromActrId(ok.actrId);
  const { credential, turnCredential: turn } = ok;
  if (id === undefined || credential === undefined || turn === undefined) throw senseless("it names no node");
  const { said, idText } = readClaims(credential, CLAIMS_BYTES_MAX);
  if (expected.id !== undefined && formatNodeId(expected.id) !== formatNodeId(id)) throw mismatch("another id");
  if (idText !== formatNodeId(id)) throw mismatch("a credential of another id");
  if (id.realm !== expected.realm) throw mismatch("an id of another realm");
  if (formatNodeId({ ...id, type: expected.type }) !== formatNodeId(id)) throw mismatch("an id of another type");
  if (said.node_key !== undefined && !isSame(said.node_key, expected.key?.publicKey)) throw mismatch("another key");
  const keys = readKeys(ok);
  const signer = keys.get(credential.keyId);
  if (signer === undefined || !await verifySignature(signer.publicKey, credential.signature, credential.claims)) {
    throw senseless("none of its keys has signed the credential");
  }
  const hasToken = isFieldSet(ok, RegisterOkSchema.field.renewalToken);
  const tokenEnd = toMs(ok.renewalTokenExpiresAt?.seconds);
  return {
    id, credential, credential_bytes: writeMessage(AIdCredentialSchema, credential), expires_at_ms: said.expires_at_ms,
    has_key: said.node_key !== undefined, keys, realm_features: ok.realmFeatures,
    turn: { username: turn.username, password: turn.password, expires_at_ms: Number(turn.expiresAt) * 1_000 },
    heartbeat_secs: ok.signalingHeartbeatIntervalSecs,
    ...hasToken ? { renewal_token: ok.renewalToken } : {},
    ...hasToken && tokenEnd !== undefined ? { renewal_token_expires_at_ms: tokenEnd } : {},
    ...isFieldSet(ok, RegisterOkSchema.field.serverAtMs) ? { server_at_ms: Number(ok.serverAtMs) } : {},
  };
}

function readKeys(ok: RegisterOk): ReadonlyMap<number, RealmKey> {
  const keys = new Map<number, RealmKey>([[ok.signingKeyId, { publicKey: ok.signingPubkey }]]);
  for (const { keyId, pubkey, notAfterAtMs } of ok.keys) {
    keys.set(keyId, { publicKey: pubkey, ...notAfterAtMs > 0n ? { not_after_at_ms: Number(notAfterAtMs) } : {} });
  }
  return keys;
}

function toMs(seconds: bigint | undefined): number | undefined {
  return seconds === undefined ? undefined : Number(seconds) * 1_000;
}

function isSame(a: Uint8Array, b: Uint8Array | undefined): boolean {
  return b !== undefined && a.length === b.length && a.every((byte, at) => byte === b[at]);
}

function mismatch(what: string): NodeError {
  return nodeError("node.identity_mismatch", `the realm answered with ${what}`);
}

function senseless(why: string): NodeError {
  return nodeError("node.decode_failure", `the answer of the realm makes no sense: ${why}`);
}
