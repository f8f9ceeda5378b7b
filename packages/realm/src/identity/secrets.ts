/** Things that only their holder knows: realm secrets, invites, renewal tokens. Stored as hashes (spec: node 7.5). */
import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import { toBase64 } from "../store/records.ts";

const SECRET_BYTES = 32;

/** Base64 of the SHA-256. The secrets are random and long, so a plain hash cannot be guessed back. */
export function hashOf(secret: Uint8Array | string): string {
  return createHash("sha256").update(secret).digest("base64");
}

/** The same as a key of a record. */
export function hashKey(secret: Uint8Array | string): string {
  return createHash("sha256").update(secret).digest("hex");
}

/** Whether the hash is that of the secret, in a time that tells nothing. */
export function isHashOf(hash: string, secret: Uint8Array | string): boolean {
  const own = createHash("sha256").update(secret).digest();
  const other = Buffer.from(hash, "base64");
  return other.length === own.length && timingSafeEqual(own, other);
}

/** A secret that can be shown and typed into a file. */
export function newSecret(bytes: (count: number) => Uint8Array): string {
  return Buffer.from(bytes(SECRET_BYTES)).toString("base64url");
}

/** The one successor of a renewal token (spec: wire 8.3): whoever renews twice at once gets it twice. */
export function renewalSuccessor(
  tokenSecret: Uint8Array, token: Uint8Array, id: string, oldExpiresAt: number,
): Uint8Array {
  const expiry = Buffer.alloc(8);
  expiry.writeBigInt64BE(BigInt(oldExpiresAt));
  return new Uint8Array(createHmac("sha256", tokenSecret)
    .update("actrix/ais/renewal/v1").update(token).update(id).update(expiry).digest());
}

/** What a TURN server with the shared secret lets in (spec: node 7.9). */
export function turnAccess(secret: string, id: string, expiresAt: number): { username: string; password: string } {
  const username = `${expiresAt}:${id}`;
  const password = toBase64(createHmac("sha1", secret).update(username).digest());
  return { username, password };
}
