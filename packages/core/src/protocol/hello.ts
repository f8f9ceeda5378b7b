/**
 * Proofs of possession of a key (spec: wire 6.3): what is signed in the hello of a connection, in a request to the
 * identity service, in an SDP line and for a renewed credential.
 *
 * takes the bytes as they went over the wire; gives proofs and verdicts; promises that a proof stands for exactly one
 * connection, one purpose and both ends; refuses messages whose proof is not their last field; never looks at a clock:
 * times, nonces and the truth of a credential are for who asks.
 */
import { malformed } from "../core-fault.ts";
import { toRead, type Read } from "../codec/read.ts";
import { concat, sha256, verifySignature, type SigningKey } from "./ed25519.ts";
import { HelloCSchema, HelloProofSchema, HelloSSchema, type HelloC, type HelloS } from "./generated/actr/hello_pb.ts";
import type { KeyProof, KeyProofSchema } from "./generated/actr/identity_pb.ts";
import { readFields, readParts, writeFields, type FieldsInit } from "./message.ts";
import type { MessageInitShape } from "./protobuf.ts";
import { bytesBeforeField } from "./signed-part.ts";

export const HELLO_LIMITS = {
  version: 1,
  nonceBytes: 32,
  /** How far the clock of a peer may be off, each way, milliseconds. */
  windowMsMax: 120_000,
  /** How long a nonce is remembered, milliseconds: longer than any message that carries it is fresh. */
  nonceMsMax: 600_000,
  /** A hello has one credential at most. */
  helloBytesMax: 8_192,
} as const;

/** Name of the in-band form as a WebSocket subprotocol. */
export const HELLO_SUBPROTOCOL = "atoll.hello.1";

/** What is read of a hello; ids and credentials as they came. */
export type HelloCFields = Pick<HelloC, "version" | "nonce" | "sentAtMs" | "features" | "realmId"> & {
  readonly target?: Uint8Array;
};
export type HelloSFields = Pick<HelloS, "version" | "nonce" | "features" | "sentAtMs" | "keyId" | "proof"> & {
  readonly source?: Uint8Array;
  readonly credential?: Uint8Array;
};

type Signer = Pick<SigningKey, "sign">;
export type ProofPurpose = "register" | "renew";

/** What each signature begins with. */
const LABELS = {
  "hello/s": label("hello/s"), "hello/c": label("hello/c"), register: label("register"), renew: label("renew"),
  refresh: label("refresh"), sdp: label("sdp"),
} as const;
const KEY_PROOF_FIELD = 1_001;
const PROOF_FIELD = 15;
const SIGNATURE_BYTES = 64;

/** The two hellos of a connection, as they were sent. */
export interface Hellos {
  readonly hello_c: Uint8Array;
  readonly hello_s: Uint8Array;
}

/** What the server signs; `before` is its hello up to field 15. */
export async function helloServerTranscript(helloC: Uint8Array, before: Uint8Array): Promise<Uint8Array> {
  return concat(LABELS["hello/s"], await sha256(helloC), await sha256(before));
}

/** What the client signs; `credential` is its AIdCredential. */
export async function helloClientTranscript(hellos: Hellos, credential: Uint8Array): Promise<Uint8Array> {
  return concat(LABELS["hello/c"], await sha256(hellos.hello_c), await sha256(hellos.hello_s), await sha256(credential));
}

/** What a node signs to register or to renew; `before` is the request up to field 1001. */
export async function keyTranscript(
  purpose: ProofPurpose, before: Uint8Array, proof: Pick<KeyProof, "publicKey" | "signedAtMs" | "nonce">,
): Promise<Uint8Array> {
  const at = new Uint8Array(8);
  new DataView(at.buffer).setBigUint64(0, proof.signedAtMs);
  return concat(LABELS[purpose], await sha256(before), proof.publicKey, at, proof.nonce);
}

/** How two ends greeted, in 32 bytes: HelloC and HelloS, or the SdpIdentity of offer and answer. */
export async function openingHash(first: Uint8Array, second: Uint8Array): Promise<Uint8Array> {
  return sha256(first, second);
}

/** What a node signs to show a renewed credential on a connection that stands. */
export async function refreshTranscript(opening: Uint8Array, credential: Uint8Array): Promise<Uint8Array> {
  return concat(LABELS.refresh, opening, await sha256(credential));
}

/** What a node signs in an SDP line; `before` is the SdpIdentity up to field 15. */
export async function sdpTranscript(before: Uint8Array): Promise<Uint8Array> {
  return concat(LABELS.sdp, await sha256(before));
}

/** A HelloC of our version. */
export function readHelloC(bytes: Uint8Array): Read<HelloCFields> {
  const read = readParts<HelloCFields>(HelloCSchema, bytes, HELLO_LIMITS.helloBytesMax);
  return read.ok ? toRead(() => ({ ...checkHello("actr.HelloC", read.value), realmId: read.value.realmId ?? 0 })) : read;
}

export function writeHelloC(init: Omit<FieldsInit<typeof HelloCSchema>, "version">): Uint8Array {
  return writeFields(HelloCSchema, { ...init, version: HELLO_LIMITS.version });
}

/** A HelloS, and what its proof stands for. */
export function readHelloS(bytes: Uint8Array): Read<{ readonly hello: HelloSFields; readonly before: Uint8Array }> {
  const read = readParts<HelloSFields>(HelloSSchema, bytes, HELLO_LIMITS.helloBytesMax);
  if (!read.ok) return read;
  const before = bytesBeforeField(bytes, PROOF_FIELD);
  if (!before.ok) return before;
  const hello = { ...read.value, keyId: read.value.keyId ?? 0 };
  return toRead(() => ({ hello: checkHello("actr.HelloS", hello), before: before.value }));
}

/** The whole HelloS, signed. */
export async function makeHelloS(
  key: Signer, helloC: Uint8Array, init: Omit<FieldsInit<typeof HelloSSchema>, "version" | "proof">,
): Promise<Uint8Array> {
  const whole = writeFields(HelloSSchema, { ...init, version: HELLO_LIMITS.version, proof: new Uint8Array(SIGNATURE_BYTES) });
  // It is the last field: its tag, its length, and what is signed before them.
  const before = whole.subarray(0, whole.length - SIGNATURE_BYTES - 2);
  whole.set(await key.sign(await helloServerTranscript(helloC, before)), whole.length - SIGNATURE_BYTES);
  return whole;
}

/** Whether the holder of that key answered this HelloC. */
export async function verifyHelloS(
  publicKey: Uint8Array, helloC: Uint8Array, answer: { readonly hello: Pick<HelloS, "proof">; readonly before: Uint8Array },
): Promise<boolean> {
  return verifySignature(publicKey, answer.hello.proof, await helloServerTranscript(helloC, answer.before));
}

/** The bytes of a HelloProof, the last word of the client. */
export async function makeHelloProof(key: Signer, hellos: Hellos, credential: Uint8Array): Promise<Uint8Array> {
  const proof = await key.sign(await helloClientTranscript(hellos, credential));
  return writeFields(HelloProofSchema, { proof });
}

/** Whether those bytes are a HelloProof of the holder of that key on this connection. */
export async function verifyHelloProof(
  publicKey: Uint8Array, bytes: Uint8Array, shown: Hellos & { readonly credential: Uint8Array },
): Promise<boolean> {
  const read = readFields<typeof HelloProofSchema, "proof">(HelloProofSchema, bytes, HELLO_LIMITS.helloBytesMax);
  if (!read.ok) return false;
  return verifySignature(publicKey, read.value.proof, await helloClientTranscript(shown, shown.credential));
}

/**
 * The key proof of a request. `request` is the message without it, written: field 1001 is the last, so what is signed
 * stays the beginning of the whole.
 */
export async function makeKeyProof(
  key: SigningKey, purpose: ProofPurpose, request: Uint8Array, o: { readonly at_ms: number; readonly nonce: Uint8Array },
): Promise<Omit<MessageInitShape<typeof KeyProofSchema>, "$typeName">> {
  const fields = { publicKey: key.publicKey, signedAtMs: BigInt(o.at_ms), nonce: o.nonce };
  return { ...fields, proof: await key.sign(await keyTranscript(purpose, request, fields)) };
}

/** Whether the holder of the key in the proof made this request; `request` is the whole message as it came. */
export async function verifyKeyProof(purpose: ProofPurpose, request: Uint8Array, proof: KeyProof): Promise<boolean> {
  const before = bytesBeforeField(request, KEY_PROOF_FIELD);
  if (!before.ok) return false;
  return verifySignature(proof.publicKey, proof.proof, await keyTranscript(purpose, before.value, proof));
}

/** Whether a time that a peer wrote is near enough to ours. */
export function isFresh(atMs: bigint, nowMs: number): boolean {
  const off = Number(atMs) - nowMs;
  return Math.abs(off) <= HELLO_LIMITS.windowMsMax;
}

function checkHello<H extends { readonly version: number }>(what: string, hello: H): H {
  if (hello.version !== HELLO_LIMITS.version) throw malformed({ what, field: "version", rule: "value" });
  return hello;
}

function label(purpose: string): Uint8Array {
  return new TextEncoder().encode(`atoll/${purpose}/1\0`);
}
