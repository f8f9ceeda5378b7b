/** Proofs of wire 6.3: the vectors, and that a proof of one thing never is the proof of another. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { parseNodeId } from "@atoll-run/core";
import {
  AIdCredentialSchema, concat, HelloCSchema, HelloNonces, HelloSSchema, helloClientTranscript, helloServerTranscript, isFresh, keyTranscript,
  makeHelloProof, makeHelloS, makeKeyProof, openingHash, readHelloC, readHelloS, readMessage, refreshTranscript,
  RenewCredentialRequestSchema, sdpTranscript, sha256, toActrId, toSigningKey, verifyHelloProof, verifyHelloS,
  verifyKeyProof, verifySignature, writeFields, writeHelloC, writeMessage,
} from "@atoll-run/core/internal";
import { fromHex, readVectors, toHex } from "../codec/vectors.ts";

interface Vectors {
  readonly server_seed: string;
  readonly client_seed: string;
  readonly hello_c: string;
  readonly hello_s: string;
  readonly credential: string;
  readonly hello_proof: string;
  readonly renew_request: string;
  readonly refresh_proof: string;
  readonly sdp_proof: string;
}

const vectors = readVectors<Vectors>("hello");
const server = await toSigningKey(fromHex(vectors.server_seed));
const client = await toSigningKey(fromHex(vectors.client_seed));
const id = parseNodeId("1a2b3c@101/acme:echo:1.0.0");
assert.ok(id);
const actrId = toActrId(id);
const nonce = (byte: number): Uint8Array => new Uint8Array(32).fill(byte);
const helloC = writeHelloC({ nonce: nonce(1), target: actrId, sentAtMs: 1_800_000_000_000n, features: ["rpc1", "stream1"] });
const credential = { keyId: 7, claims: Uint8Array.of(1, 2, 3), signature: new Uint8Array(64).fill(9) };
const shown = writeMessage(AIdCredentialSchema, credential);
const helloS = await makeHelloS(server, helloC, {
  nonce: nonce(2), source: actrId, credential, features: ["rpc1"], sentAtMs: 1_800_000_000_001n,
});
const hellos = { hello_c: helloC, hello_s: helloS };

test("the two hellos and the proof have the bytes of the vectors", async () => {
  assert.equal(toHex(helloC), vectors.hello_c);
  assert.equal(toHex(helloS), vectors.hello_s);
  assert.equal(toHex(shown), vectors.credential);
  assert.equal(toHex(await makeHelloProof(client, hellos, shown)), vectors.hello_proof);
  const refresh = await refreshTranscript(await openingHash(helloC, helloS), shown);
  assert.equal(toHex(await client.sign(refresh)), vectors.refresh_proof);
  assert.equal(toHex(await client.sign(await sdpTranscript(helloC))), vectors.sdp_proof);
});

test("what is signed begins with its purpose and a zero byte, and then has the hashes that the rule names", async () => {
  const read = readHelloS(helloS);
  assert.ok(read.ok);
  const expect = (label: string, ...parts: Uint8Array[]): Uint8Array => concat(Buffer.from(`atoll/${label}/1\0`), ...parts);
  const [c, s, before, own] = await Promise.all([helloC, helloS, read.value.before, shown].map((one) => sha256(one)));
  assert.ok(c && s && before && own);
  assert.deepEqual(await helloServerTranscript(helloC, read.value.before), expect("hello/s", c, before));
  assert.deepEqual(await helloClientTranscript(hellos, shown), expect("hello/c", c, s, own));
  assert.deepEqual(await sdpTranscript(helloC), expect("sdp", c));
  assert.deepEqual(await refreshTranscript(await openingHash(helloC, helloS), shown), expect("refresh", await sha256(helloC, helloS), own));
  const proof = { publicKey: client.publicKey, signedAtMs: 258n, nonce: nonce(3) };
  assert.deepEqual(await keyTranscript("renew", helloC, proof),
    expect("renew", c, client.publicKey, Uint8Array.of(0, 0, 0, 0, 0, 0, 1, 2), nonce(3)));
});

test("the hello of a server verifies for this hello of the client and for its key alone", async () => {
  const answer = readHelloS(helloS);
  assert.ok(answer.ok);
  assert.equal(await verifyHelloS(server.publicKey, helloC, answer.value), true);
  assert.equal(await verifyHelloS(client.publicKey, helloC, answer.value), false);
  const other = writeHelloC({ nonce: nonce(4), target: actrId, sentAtMs: 1_800_000_000_000n });
  assert.equal(await verifyHelloS(server.publicKey, other, answer.value), false);
  for (let at = 0; at < helloS.length; at += 7) {
    const bent = Uint8Array.from(helloS);
    bent[at] = (bent[at] ?? 0) ^ 1;
    const read = readHelloS(bent);
    assert.equal(read.ok && await verifyHelloS(server.publicKey, helloC, read.value), false, `byte ${at}`);
  }
});

test("the proof of a client stands for both hellos and for the credential it shows", async () => {
  const proof = await makeHelloProof(client, hellos, shown);
  const verify = (more: object = {}, bytes = proof): Promise<boolean> =>
    verifyHelloProof(client.publicKey, bytes, { ...hellos, credential: shown, ...more });
  assert.equal(await verify(), true);
  assert.equal(await verify({ hello_c: helloS }), false);
  assert.equal(await verify({ hello_s: helloC }), false);
  assert.equal(await verify({ credential: helloC }), false);
  assert.equal(await verify({}, proof.subarray(1)), false);
  assert.equal(await verify({}, new Uint8Array()), false);
});

test("a key proof stands for one request and one purpose", async () => {
  const fields = { actrId, renewalToken: new Uint8Array() };
  const at = { at_ms: 1_800_000_000_000, nonce: nonce(5) };
  const made = await makeKeyProof(client, "renew", writeMessage(RenewCredentialRequestSchema, fields), at);
  const request = writeMessage(RenewCredentialRequestSchema, { ...fields, keyProof: made });
  assert.equal(toHex(request), vectors.renew_request);
  const read = readMessage(RenewCredentialRequestSchema, request);
  assert.ok(read.ok && read.value.keyProof);
  assert.equal(await verifyKeyProof("renew", request, read.value.keyProof), true);
  assert.equal(await verifyKeyProof("register", request, read.value.keyProof), false);
  const other = writeMessage(RenewCredentialRequestSchema, { ...fields, renewalToken: nonce(1), keyProof: made });
  assert.equal(await verifyKeyProof("renew", other, read.value.keyProof), false);
  const trailing = concat(request, Uint8Array.of(0xf8, 0x3f, 1));
  assert.equal(await verifyKeyProof("renew", trailing, read.value.keyProof), false);
});

test("a hello is written and read as the general ways of the protocol do it", () => {
  const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
  const u64 = fc.bigInt({ min: 0n, max: (1n << 64n) - 1n });
  const shownCredential = fc.record({ keyId: fc.nat(), claims: fc.uint8Array(), signature: bytes(64) });
  const hello = fc.record({
    version: fc.constant(1), nonce: bytes(32), source: fc.constant(actrId), credential: shownCredential, proof: bytes(64),
    features: fc.array(fc.string({ unit: "grapheme" })), sentAtMs: u64, keyId: fc.nat(),
  }, { requiredKeys: ["version", "nonce", "features", "sentAtMs", "proof"] });
  fc.assert(fc.property(hello, (one) => {
    const whole = writeMessage(HelloSSchema, one);
    assert.deepEqual(writeFields(HelloSSchema, one), whole);
    const [read, general] = [readHelloS(whole), readMessage(HelloSSchema, whole)];
    assert.ok(read.ok && general.ok);
    assert.deepEqual(writeFields(HelloSSchema, { ...read.value.hello, keyId: one.keyId as number }), whole);
    assert.equal(read.value.hello.keyId, general.value.keyId);
    assert.deepEqual(whole.subarray(0, whole.length - 66), read.value.before);
  }));
});

test("a hello of another version, without a whole nonce, or too large is refused", () => {
  const at = { sentAtMs: 1n };
  const short = { version: 1, nonce: nonce(1).subarray(1), ...at };
  assert.equal(readHelloC(writeMessage(HelloCSchema, short)).ok, false);
  assert.throws(() => writeHelloC(short), { code: "codec.malformed" });
  assert.equal(readHelloC(Uint8Array.from(helloC, (byte, index) => index === 1 ? 2 : byte)).ok, false);
  assert.equal(readHelloC(writeHelloC({ nonce: nonce(1), ...at, features: ["x".repeat(9_000)] })).ok, false);
  assert.equal(readHelloC(new Uint8Array()).ok, false);
  assert.equal(readHelloS(concat(helloS, Uint8Array.of(0xf8, 0x3f, 1))).ok, false);
});

test("a time counts as fresh for 120 s each way", () => {
  for (const [off, fresh] of [[0, true], [120_000, true], [-120_000, true], [120_001, false], [-120_001, false]] as const) {
    assert.equal(isFresh(BigInt(1_800_000_000_000 + off), 1_800_000_000_000), fresh);
  }
  assert.equal(isFresh((1n << 64n) - 1n, 1_800_000_000_000), false);
});

test("a nonce counts once for a key in ten minutes, and a full memory takes none", () => {
  const nonces = new HelloNonces(3);
  assert.equal(nonces.take(nonce(1), nonce(2), 0), "new");
  assert.equal(nonces.take(nonce(1), nonce(2), 599_999), "used");
  assert.equal(nonces.take(nonce(2), nonce(2), 599_999), "new");
  assert.equal(nonces.take(nonce(1), nonce(2), 600_000), "new");
  assert.equal(nonces.take(nonce(1), nonce(3), 600_000), "new");
  assert.equal(nonces.take(nonce(1), nonce(4), 600_000), "full");
  assert.equal(nonces.take(nonce(1), nonce(4), 1_199_999), "new");
  assert.equal(nonces.size, 3);
});

test("a signature of one purpose is none of another", async () => {
  const refresh = await client.sign(await refreshTranscript(await openingHash(helloC, helloS), shown));
  const hello = await helloClientTranscript(hellos, shown);
  assert.equal(await verifySignature(client.publicKey, refresh, hello), false);
});
