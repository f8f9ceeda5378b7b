/** Credentials: signed over the exact bytes of their claims, and read back (spec: wire 6.1). */
import { formatNodeId, parseNodeId, type Clock, type NodeId } from "@atoll-run/core";
import {
  IdentityClaimsSchema, isFieldSet, readMessage, verifySignature, writeMessage, type AIdCredential,
} from "@atoll-run/core/internal";
import type { RealmLimits } from "../limits.ts";
import { granted, refuse, type Answer } from "../refusal.ts";
import { fromBase64, toBase64 } from "../store/records.ts";
import type { NodeRecord, NodeRecords } from "./node-record.ts";
import type { SigningKeys } from "./signing-keys.ts";

/** The parts of an `AIdCredential`. */
export interface Credential {
  readonly keyId: number;
  readonly claims: Uint8Array;
  readonly signature: Uint8Array;
}

export interface Verified {
  readonly id: NodeId;
  readonly text: string;
  /** Absent = a bearer's. */
  readonly node_key: Uint8Array | undefined;
  readonly expires_at_ms: number;
  readonly credential: Credential;
  readonly record: NodeRecord;
}

export interface CredentialsParts {
  readonly keys: SigningKeys;
  readonly nodes: NodeRecords;
  readonly clock: Clock;
}

const CLAIMS_BYTES_MAX = 4_096;

export class Credentials {
  readonly #parts: CredentialsParts;
  readonly #limits: RealmLimits["identity"];

  constructor(parts: CredentialsParts, limits: RealmLimits["identity"]) {
    this.#parts = parts;
    this.#limits = limits;
  }

  async issue(record: NodeRecord, realm: number): Promise<{ credential: Credential; expires_at: number }> {
    const { key_id: keyId, key } = await this.#parts.keys.signer();
    const now = this.#parts.clock.now();
    const expiresAt = Math.floor((now + this.#limits.credentialMs) / 1_000);
    const claims = writeMessage(IdentityClaimsSchema, {
      realmId: realm, actorId: record.id, expiresAt: BigInt(expiresAt), issuedAtMs: BigInt(now),
      epoch: BigInt(record.epoch),
      ...record.node_key === null ? {} : { nodeKey: fromBase64(record.node_key) },
    });
    return { credential: { keyId, claims, signature: await key.sign(claims) }, expires_at: expiresAt };
  }

  /** Whether we signed it, it is not over and its id stands. Says nothing about who shows it. */
  async verify(credential: AIdCredential | Credential): Promise<Answer<Verified>> {
    const { keys, nodes, clock } = this.#parts;
    const key = keys.find(credential.keyId);
    const claims = readMessage(IdentityClaimsSchema, credential.claims, CLAIMS_BYTES_MAX);
    if (key === undefined || !claims.ok) return denied("the credential is none of this realm");
    if (!await verifySignature(key.pubkey, credential.signature, credential.claims)) {
      return denied("the signature of the credential is wrong");
    }
    const { realmId, actorId, expiresAt, epoch } = claims.value;
    const id = parseNodeId(actorId);
    if (id === undefined || id.realm !== realmId) {
      return denied("the claims of the credential contradict each other");
    }
    const expiresAtMs = Number(expiresAt) * 1_000;
    if (clock.now() >= expiresAtMs + this.#limits.skewMs) return denied("the credential is over");
    const record = (await nodes.get(actorId))?.value;
    if (record === undefined || record.revoked || epoch < BigInt(record.epoch)) {
      return denied("the credential was revoked");
    }
    const nodeKey = isFieldSet(claims.value, IdentityClaimsSchema.field.nodeKey) ? claims.value.nodeKey : undefined;
    if ((nodeKey === undefined ? null : toBase64(nodeKey)) !== record.node_key) {
      return denied("the credential names another key than the realm knows");
    }
    const { keyId, signature } = credential;
    return granted({
      id, text: formatNodeId(id), node_key: nodeKey, expires_at_ms: expiresAtMs, record,
      credential: { keyId, claims: credential.claims, signature },
    });
  }
}

function denied(text: string): Answer<never> {
  return refuse(401, text, { why: "permission_denied" });
}
