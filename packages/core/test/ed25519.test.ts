// Ed25519 and SHA-256 against the vectors of RFC 8032, 7.1.
import assert from "node:assert/strict";
import { test } from "node:test";
import { sha256, toSigningKey, verifySignature } from "@atoll-run/core/internal";
import { webSigningKey, webVerify } from "../src/protocol/ed25519-web.ts";
import { sha256Now } from "../src/protocol/sha256.ts";

const hex = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, "hex"));
const VECTORS = [
  {
    seed: "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60", message: "",
    key: "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
    signature: "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
  },
  {
    seed: "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb", message: "72",
    key: "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
    signature: "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
  },
] as const;

for (const { seed, message, key, signature } of VECTORS) {
  test(`the key ${key.slice(0, 8)} signs as the standard says, and only the true bytes verify`, async () => {
    const signing = await toSigningKey(hex(seed));
    assert.deepEqual(signing.publicKey, hex(key));
    assert.deepEqual(await signing.sign(hex(message)), hex(signature));
    assert.equal(await verifySignature(hex(key), hex(signature), hex(message)), true);
    assert.equal(await verifySignature(hex(key), hex(signature), hex(`${message}00`)), false);
    assert.equal(await verifySignature(hex(key).subarray(1), hex(signature), hex(message)), false);
    assert.equal(await verifySignature(hex(key), hex(signature).subarray(1), hex(message)), false);
  });

  test(`where there is Web Crypto only, the key ${key.slice(0, 8)} does the same`, async () => {
    const signing = await webSigningKey(hex(seed));
    assert.deepEqual(signing.publicKey, hex(key));
    assert.deepEqual(await signing.sign(hex(message)), hex(signature));
    assert.equal(await webVerify(hex(key), hex(signature), new Uint8Array(hex(message))), true);
    assert.equal(await webVerify(hex(key), hex(signature), new Uint8Array(hex(`${message}00`))), false);
    assert.equal(await webVerify(hex(key), hex(signature).subarray(1), new Uint8Array(hex(message))), false);
    await assert.rejects(webVerify(hex(key).subarray(1), hex(signature), new Uint8Array(hex(message))));
  });
}

test("a seed that is none is our own bug", async () => {
  await assert.rejects(toSigningKey(new Uint8Array(31)), RangeError);
});

test("the hash of parts is that of the whole", async () => {
  const whole = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
  assert.deepEqual(await sha256(Buffer.from("a"), Buffer.from("bc")), hex(whole));
});

test("the hash of any length is that of the platform", async () => {
  for (const length of [0, 1, 54, 55, 56, 57, 63, 64, 65, 119, 120, 128, 500, 1_000, 8_191, 8_192, 20_000]) {
    const bytes = Uint8Array.from({ length }, (_, at) => at * 31 + length);
    const wanted = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
    assert.deepEqual(await sha256(bytes), wanted, `${length} bytes`);
    assert.deepEqual(sha256Now(bytes), wanted, `${length} bytes, our own`);
  }
});

test("a hundred keys verify, each its own signatures, in any order", async () => {
  const seeds = Array.from({ length: 100 }, (_, at) => new Uint8Array(32).fill(at + 1));
  const signing = await Promise.all(seeds.map((seed) => toSigningKey(seed)));
  const message = Buffer.from("x");
  for (const [at, key] of [...signing.entries(), ...signing.entries()]) {
    const signature = await key.sign(message);
    assert.equal(await verifySignature(key.publicKey, signature, message), true);
    assert.equal(await verifySignature((signing[(at + 1) % 100] ?? key).publicKey, signature, message), false);
  }
});
