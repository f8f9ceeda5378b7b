/**
 * Ed25519 (RFC 8032) and SHA-256 by the platform's Web Crypto, so that machines and browsers share one code.
 *
 * takes raw keys and bytes; gives signatures and verdicts; promises that a bad key or signature is `false`, never a
 * throw; never makes randomness: a seed is given.
 */
import { sha256Now } from "./sha256.ts";

/** Before the 32 bytes of a seed in PKCS #8 (RFC 8410). */
const PKCS8_PREFIX = Uint8Array.from([
  0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
]);
const SEED_BYTES = 32;

export interface SigningKey {
  /** 32 bytes. */
  readonly publicKey: Uint8Array;
  /** 64 bytes. */
  sign(...parts: readonly Uint8Array[]): Promise<Uint8Array>;
}

/** The key of a seed of 32 bytes. */
export async function toSigningKey(seed: Uint8Array): Promise<SigningKey> {
  if (seed.length !== SEED_BYTES) throw new RangeError(`a seed has ${SEED_BYTES} bytes, got ${seed.length}`);
  const key = await crypto.subtle.importKey("pkcs8", concat(PKCS8_PREFIX, seed), "Ed25519", true, ["sign"]);
  const { x = "" } = await crypto.subtle.exportKey("jwk", key);
  return {
    publicKey: Uint8Array.from(atob(x.replaceAll("-", "+").replaceAll("_", "/")), (char) => char.charCodeAt(0)),
    sign: async (...parts) => new Uint8Array(await crypto.subtle.sign("Ed25519", key, concat(...parts))),
  };
}

/** Whether this is the signature of the parts, one after the other. */
export async function verifySignature(
  publicKey: Uint8Array, signature: Uint8Array, ...parts: readonly Uint8Array[]
): Promise<boolean> {
  try {
    const key = await verifyingKey(publicKey);
    return await crypto.subtle.verify("Ed25519", key, concat(signature), concat(...parts));
  } catch {
    return false;
  }
}

/** The keys that were used last: that of the realm is used for every credential. */
const KEYS_MAX = 64;
const keys = new Map<string, ReturnType<typeof crypto.subtle.importKey>>();

async function verifyingKey(publicKey: Uint8Array): ReturnType<typeof crypto.subtle.importKey> {
  const name = String.fromCharCode(...publicKey);
  const key = keys.get(name) ?? crypto.subtle.importKey("raw", concat(publicKey), "Ed25519", false, ["verify"]);
  keys.delete(name);
  keys.set(name, key);
  for (const oldest of keys.keys()) {
    if (keys.size <= KEYS_MAX) break;
    keys.delete(oldest);
  }
  return key;
}

/** So many bytes the platform hashes sooner than we do, its answer from another thread included. */
const WORTH_ASKING_BYTES = 8_192;

/** 32 bytes. */
export async function sha256(...parts: readonly Uint8Array[]): Promise<Uint8Array> {
  const whole = concat(...parts);
  if (whole.length < WORTH_ASKING_BYTES) return sha256Now(whole);
  return new Uint8Array(await crypto.subtle.digest("SHA-256", whole));
}

/** A copy of the parts, one after the other. */
export function concat(...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
