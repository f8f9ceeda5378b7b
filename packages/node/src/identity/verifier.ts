/**
 * Whether a credential is the realm's (spec: wire 6.1; node 6.8, 8.6).
 *
 * takes credentials that strangers show; gives what they say; promises to ask for a key once, however many wait, and
 * to let an unknown one delay nobody else; refuses what is malformed, expired, revoked or not signed by the realm;
 * never proves that the shower holds the key in it: that is for the hello.
 */
import { formatNodeId, nodeError, parseNodeId, type NodeError, type NodeId } from "@atoll-run/core";
import {
  IdentityClaimsSchema, readFields, verifySignature, type AIdCredential, type IdentityClaims,
} from "@atoll-run/core/internal";
import type { LimitsOf } from "../limits.ts";
import { RealmKeys, type RealmKey, type RealmKeyParts, type RealmKeyStats } from "./realm-keys.ts";
import type { CredentialVerifier, VerifiedCredential } from "./session.ts";

export interface Verifier extends CredentialVerifier {
  /** A key of the realm that is known already. */
  seed(keyId: number, key: RealmKey): void;
  /** Ends questions for keys that are under way; keys that are known go on to count. */
  close(): void;
  stats(): RealmKeyStats & { readonly revoked: number };
}

const KEY_BYTES = 32;
type ClaimsRead = "realmId" | "actorId" | "expiresAt" | "epoch" | "nodeKey";

export function createVerifier(parts: RealmKeyParts, limits: LimitsOf<"identity">): Verifier {
  const keys = new RealmKeys(parts, limits);
  const revoked = new Map<string, bigint>();
  const signed = new SignedBefore(limits.signedMax);

  return {
    async verify(credential, o = {}) {
      // What needs no key first: strangers can make these, and none of them asks the realm anything.
      const text = textOf(credential);
      const before = signed.get(text);
      const read = before?.read ?? readClaims(credential, limits.claimsBytesMax);
      if (read.said.expires_at_ms + limits.skewMs <= parts.clock.now()) throw refused("it has expired");
      const publicKey = await keys.get(credential.keyId, o);
      // By the very key that counts now: one that was exchanged meanwhile has signed nothing yet.
      if (before?.publicKey !== publicKey) {
        if (!await verifySignature(publicKey, credential.signature, credential.claims)) throw refused("the realm did not sign it");
        signed.add(text, { read, publicKey });
      }
      const below = revoked.get(read.idText);
      if (below !== undefined && read.said.epoch < below) throw refused("it was revoked");
      return read.said;
    },
    revoke(id, epoch) {
      const known = revoked.get(id) ?? 0n;
      revoked.delete(id);
      revoked.set(id, epoch > known ? epoch : known);
      for (const oldest of revoked.keys()) {
        if (revoked.size <= limits.revokedMax) break;
        revoked.delete(oldest);
      }
    },
    realmKey: (keyId, o = {}) => keys.get(keyId, o),
    seed: (keyId, key) => keys.seed(keyId, key),
    close: () => keys.close(),
    stats: () => ({ ...keys.stats(), revoked: revoked.size }),
  };
}

interface ReadClaims {
  readonly said: VerifiedCredential;
  readonly idText: string;
}

interface Signed {
  readonly read: ReadClaims;
  /** Of the realm, with which it was verified. */
  readonly publicKey: Uint8Array;
}

/** Credentials whose signature was found good: a peer that comes back shows the same bytes for an hour. */
class SignedBefore {
  readonly #max: number;
  /** Last used is last. */
  readonly #known = new Map<string, Signed>();

  constructor(max: number) {
    this.#max = max;
  }

  get(text: string): Signed | undefined {
    const known = this.#known.get(text);
    if (known !== undefined) this.add(text, known);
    return known;
  }

  add(text: string, signed: Signed): void {
    this.#known.delete(text);
    this.#known.set(text, signed);
    for (const oldest of this.#known.keys()) {
      if (this.#known.size <= this.#max) break;
      this.#known.delete(oldest);
    }
  }
}

/** The same for the same bytes alone. */
function textOf({ signature, claims }: AIdCredential): string {
  return `${signature.length} ${latin(signature)}${latin(claims)}`;
}

function latin({ buffer, byteOffset, length }: Uint8Array): string {
  return Buffer.from(buffer, byteOffset, length).toString("latin1");
}

/** The claims as they are written, believed or not. Throws `node.permission_denied`. */
export function readClaims(
  credential: Pick<AIdCredential, "claims">, bytesMax: number,
): ReadClaims {
  const read = readFields<typeof IdentityClaimsSchema, ClaimsRead>(IdentityClaimsSchema, credential.claims, bytesMax);
  if (!read.ok) throw refused("its claims cannot be read", read.fault);
  const claims: Pick<IdentityClaims, "realmId" | "actorId" | "expiresAt"> & Partial<Pick<IdentityClaims, "epoch" | "nodeKey">> = read.value;
  const id = parseNodeId(claims.actorId);
  if (id === undefined) throw refused("it names no node");
  if (id.realm !== claims.realmId) throw refused("it is of another realm than the node it names");
  const expires_at_ms = Number(claims.expiresAt) * 1_000;
  if (!Number.isSafeInteger(expires_at_ms)) throw refused("its end is no time");
  return { idText: claims.actorId, said: { id, expires_at_ms, epoch: claims.epoch ?? 0n, ...keyOf(claims.nodeKey) } };
}

/** The one that was asked for: throws `node.identity_mismatch` for any other. */
export function checkShownId(said: Pick<VerifiedCredential, "id">, shown: NodeId): void {
  if (formatNodeId(said.id) === formatNodeId(shown)) return;
  throw nodeError("node.identity_mismatch", "the credential is that of another node");
}

/** A copy: it may be remembered longer than the message that it came in. */
function keyOf(key: Uint8Array | undefined): { readonly node_key?: Uint8Array } {
  if (key === undefined) return {};
  if (key.length !== KEY_BYTES) throw refused("its key is no key");
  return { node_key: key.slice() };
}

function refused(why: string, cause?: unknown): NodeError {
  return nodeError("node.permission_denied", `the credential is refused: ${why}`, cause === undefined ? {} : { cause });
}
