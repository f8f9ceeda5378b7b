/** Signing keys at rest: as they are, or sealed with a passphrase (scrypt, then AES-256-GCM). */
import { createCipheriv, createDecipheriv, scrypt } from "node:crypto";
import { invalidRealm } from "../errors.ts";
import { fromBase64, toBase64 } from "../store/records.ts";

export type StoredSeed =
  | { readonly seed: string }
  | { readonly sealed: string; readonly salt: string; readonly iv: string; readonly tag: string };

const SALT_BYTES = 16;
const IV_BYTES = 12;
const CIPHER = "aes-256-gcm";

export async function sealSeed(
  seed: Uint8Array, passphrase: string | undefined, bytes: (count: number) => Uint8Array,
): Promise<StoredSeed> {
  if (passphrase === undefined) return { seed: toBase64(seed) };
  const [salt, iv] = [bytes(SALT_BYTES), bytes(IV_BYTES)];
  const cipher = createCipheriv(CIPHER, await toKey(passphrase, salt), iv);
  const sealed = Buffer.concat([cipher.update(seed), cipher.final()]);
  return { sealed: toBase64(sealed), salt: toBase64(salt), iv: toBase64(iv), tag: toBase64(cipher.getAuthTag()) };
}

/** Throws `realm.invalid_argument` when the passphrase is not the one. */
export async function openSeed(stored: StoredSeed, passphrase: string | undefined): Promise<Uint8Array> {
  if ("seed" in stored) return fromBase64(stored.seed);
  if (passphrase === undefined) throw invalidRealm(["its signing keys need a passphrase"]);
  const decipher = createDecipheriv(CIPHER, await toKey(passphrase, fromBase64(stored.salt)), fromBase64(stored.iv));
  decipher.setAuthTag(fromBase64(stored.tag));
  try {
    return new Uint8Array(Buffer.concat([decipher.update(fromBase64(stored.sealed)), decipher.final()]));
  } catch {
    throw invalidRealm(["the passphrase does not open its signing keys"]);
  }
}

function toKey(passphrase: string, salt: Uint8Array): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    scrypt(passphrase, salt, 32, (error, key) => error === null ? resolve(key) : reject(error));
  });
}
