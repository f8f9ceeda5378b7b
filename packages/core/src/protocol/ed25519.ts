/**
 * Ed25519 (RFC 8032) and SHA-256 by the platform: on Node by its own crypto, which answers at once (Web Crypto asks
 * another thread, and a handshake has four such questions one after the other), in browsers by Web Crypto.
 *
 * takes raw keys and bytes; gives signatures and verdicts; promises that a bad key or signature is `false`, never a
 * throw; never makes randomness: a seed is given.
 */
import type * as NodeCrypto from "node:crypto";
import { concat, PKCS8_PREFIX, RecentKeys, type SigningKey } from "./ed25519-keys.ts";
import { webSigningKey, webVerify } from "./ed25519-web.ts";
import { sha256Now } from "./sha256.ts";

export { concat, type SigningKey } from "./ed25519-keys.ts";

const SEED_BYTES = 32;
/** Undefined in browsers. */
const NODE: typeof NodeCrypto | undefined = globalThis.process?.getBuiltinModule?.("node:crypto");

/** The key of a seed of 32 bytes. */
export async function toSigningKey(seed: Uint8Array): Promise<SigningKey> {
  if (seed.length !== SEED_BYTES) throw new RangeError(`a seed has ${SEED_BYTES} bytes, got ${seed.length}`);
  return NODE === undefined ? webSigningKey(seed) : nodeSigningKey(NODE, seed);
}

function nodeSigningKey(node: typeof NodeCrypto, seed: Uint8Array): SigningKey {
  const key = node.createPrivateKey({ key: Buffer.from(concat(PKCS8_PREFIX, seed)), format: "der", type: "pkcs8" });
  const { x = "" } = node.createPublicKey(key).export({ format: "jwk" });
  return {
    publicKey: new Uint8Array(Buffer.from(x, "base64url")),
    sign: async (...parts) => new Uint8Array(node.sign(null, concat(...parts), key)),
  };
}

const keys = new RecentKeys((raw) => NODE?.createPublicKey({
  key: { kty: "OKP", crv: "Ed25519", x: Buffer.from(raw).toString("base64url") }, format: "jwk",
}));

/** Whether this is the signature of the parts, one after the other. */
export async function verifySignature(
  publicKey: Uint8Array, signature: Uint8Array, ...parts: readonly Uint8Array[]
): Promise<boolean> {
  try {
    const message = concat(...parts);
    const key = keys.of(publicKey);
    if (NODE === undefined || key === undefined) return await webVerify(publicKey, signature, message);
    return NODE.verify(null, message, key, signature);
  } catch {
    return false;
  }
}

/** So many bytes Web Crypto hashes sooner than we do, its answer from another thread included. */
const WORTH_ASKING_BYTES = 8_192;

/** 32 bytes. */
export async function sha256(...parts: readonly Uint8Array[]): Promise<Uint8Array> {
  const whole = concat(...parts);
  if (NODE !== undefined) return new Uint8Array(NODE.hash("sha256", whole, "buffer"));
  if (whole.length < WORTH_ASKING_BYTES) return sha256Now(whole);
  return new Uint8Array(await crypto.subtle.digest("SHA-256", whole));
}
