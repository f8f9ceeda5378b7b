/** Who this node is, and how it learns who others are (spec: node 6.8, 8; wire 6). Types only: the seam of the room. */
import type { NodeId } from "@atoll-run/core";
import type { AIdCredential } from "@atoll-run/core/internal";

export interface NodeKey {
  /** 32 bytes, Ed25519. */
  readonly publicKey: Uint8Array;
  sign(...parts: readonly Uint8Array[]): Promise<Uint8Array>;
}

export interface TurnAccess {
  readonly username: string;
  readonly password: string;
  readonly expires_at_ms: number;
}

/** One registration. The only source of identity in a node; a renewal makes a new one with the same id. */
export interface Session {
  readonly id: NodeId;
  /** As the realm signed it. */
  readonly credential: AIdCredential;
  readonly credential_bytes: Uint8Array;
  /** Undefined: a bearer, because the realm named no key. */
  readonly key: NodeKey | undefined;
  readonly expires_at_ms: number;
  /** Rises with each renewal. */
  readonly generation: number;
  readonly turn?: TurnAccess;
}

export interface SessionSource {
  /** Throws `node.unavailable` before the first registration. */
  current(): Session;
  /** Hears each later session. */
  onRenewed(hear: (session: Session) => void): Disposable;
}

/** What a credential says, once its signature is known to be the realm's. */
export interface VerifiedCredential {
  readonly id: NodeId;
  /** 32 bytes; absent = a bearer's. */
  readonly node_key?: Uint8Array;
  readonly expires_at_ms: number;
  readonly epoch: bigint;
}

export interface CredentialVerifier {
  /** Throws `node.permission_denied`, or `node.unavailable` when the key of the realm cannot be had in 3 s. */
  verify(credential: AIdCredential, o?: { readonly signal?: AbortSignal | undefined }): Promise<VerifiedCredential>;
  /** From now on credentials of that id below that epoch are refused. */
  revoke(id: string, epoch: bigint): void;
  /** Public key of the realm under this number, from the cache or fetched once. */
  realmKey(keyId: number, o?: { readonly signal?: AbortSignal | undefined }): Promise<Uint8Array>;
}
