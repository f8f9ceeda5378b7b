/** Ed25519 by Web Crypto, which all platforms have; its answers come from another thread. For `ed25519.ts`. */
import { concat, PKCS8_PREFIX, RecentKeys, type SigningKey } from "./ed25519-keys.ts";

type Key = Awaited<ReturnType<typeof crypto.subtle.importKey>>;

export async function webSigningKey(seed: Uint8Array): Promise<SigningKey> {
  const key = await crypto.subtle.importKey("pkcs8", concat(PKCS8_PREFIX, seed), "Ed25519", true, ["sign"]);
  const { x = "" } = await crypto.subtle.exportKey("jwk", key);
  return {
    publicKey: Uint8Array.from(atob(x.replaceAll("-", "+").replaceAll("_", "/")), (char) => char.charCodeAt(0)),
    sign: async (...parts) => new Uint8Array(await crypto.subtle.sign("Ed25519", key, concat(...parts))),
  };
}

const keys = new RecentKeys<Promise<Key>>((raw) => crypto.subtle.importKey("raw", concat(raw), "Ed25519", false, ["verify"]));

/** Throws for what is no key. */
export async function webVerify(publicKey: Uint8Array, signature: Uint8Array, message: Uint8Array<ArrayBuffer>): Promise<boolean> {
  return crypto.subtle.verify("Ed25519", await keys.of(publicKey), concat(signature), message);
}
