/** A realm as far as nodes see it: a key that signs credentials, and who verifies them. */
import { randomBytes } from "node:crypto";
import { formatNodeId, type NodeId } from "@atoll-run/core";
import {
  AIdCredentialSchema, create, IdentityClaimsSchema, toSigningKey, writeMessage, type AIdCredential, type SigningKey,
} from "@atoll-run/core/internal";
import { createVerifier, NODE_LIMITS, type Session, type SessionSource, type Verifier } from "@atoll-run/node/internal";
import { realClock } from "./clock.ts";

export const bytes = (count: number): Uint8Array => new Uint8Array(randomBytes(count));

export interface IssueOptions {
  /** Absent: a bearer's. */
  readonly key?: SigningKey | undefined;
  readonly expires_at_ms?: number;
  readonly epoch?: bigint;
  readonly realm?: number;
}

export interface TestRealm {
  readonly verifier: Verifier;
  issue(id: NodeId, o?: IssueOptions): Promise<AIdCredential>;
}

export const KEY_ID = 3;

export async function testRealm(): Promise<TestRealm> {
  const signer = await toSigningKey(bytes(32));
  const verifier = createVerifier({
    clock: realClock, fetchKey: async (keyId) => keyId === KEY_ID ? { publicKey: signer.publicKey } : undefined,
  }, NODE_LIMITS.identity);
  return {
    verifier,
    issue: async (id, { key, expires_at_ms = Date.now() + 3_600_000, epoch = 1n, realm = id.realm } = {}) => {
      const claims = writeMessage(IdentityClaimsSchema, {
        realmId: realm, actorId: formatNodeId(id), expiresAt: BigInt(Math.floor(expires_at_ms / 1_000)), epoch,
        ...key === undefined ? {} : { nodeKey: key.publicKey },
      });
      return create(AIdCredentialSchema, { keyId: KEY_ID, claims, signature: await signer.sign(claims) });
    },
  };
}

let serial = 0n;

export function newId(realm = 101): NodeId {
  return { realm, serial: ++serial, type: { manufacturer: "acme", name: "echo", version: "1.0.0" } };
}

export async function newSession(realm: TestRealm, o: IssueOptions & { readonly id?: NodeId; readonly bearer?: boolean } = {}): Promise<Session> {
  const id = o.id ?? newId();
  const key = o.bearer === true ? undefined : o.key ?? await toSigningKey(bytes(32));
  const credential = await realm.issue(id, { ...o, key });
  return {
    id, credential, credential_bytes: writeMessage(AIdCredentialSchema, credential), key, expires_at_ms: o.expires_at_ms ?? Date.now() + 3_600_000,
    generation: 1,
  };
}

export function sourceOf(session: Session): SessionSource {
  return { current: () => session, onRenewed: () => ({ [Symbol.dispose]: () => undefined }) };
}
