/**
 * How a connection proves who it is (spec: node 8.1, 8.2, 8.5; wire 6.2, 6.3, 6.5).
 *
 * takes the headers of an upgrade, then the first frames; gives a proved identity; promises that a credential that
 * names a key counts only with a proof of that key made for this very connection; refuses before 101 where it can, by a
 * close code after; never lets anything else through before.
 */
import { formatNodeId, type Clock } from "@atoll-run/core";
import {
  AIdCredentialSchema, fromActrId, ActrIdSchema, HELLO_LIMITS, HELLO_SUBPROTOCOL, HelloNonces, isFresh, makeHelloS,
  readHelloC, readMessage, verifyHelloProof, writeMessage, type HelloCFields,
} from "@atoll-run/core/internal";
import type { Credentials, Verified } from "../identity/credentials.ts";
import type { Realms } from "../identity/realms.ts";
import type { SigningKeys } from "../identity/signing-keys.ts";
import type { Origin } from "../rate/limiter.ts";
import { granted, refuse, type Answer } from "../refusal.ts";

export interface UpgradeAsk {
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly query: URLSearchParams;
  readonly origin: Origin;
}

export interface HandshakeParts {
  readonly credentials: Credentials;
  readonly realms: Realms;
  readonly keys: SigningKeys;
  readonly clock: Clock;
  readonly bytes: (count: number) => Uint8Array;
}

/** Who may come with a credential alone. */
export type BearerRule = "loopback" | "on" | "off";

export interface Proved {
  readonly verified: Verified;
  readonly proof: "key" | "bearer";
}

/** What is still to come on an open connection. */
export type Handshake =
  | { readonly kind: "done"; readonly proved: Proved }
  | { readonly kind: "proof"; readonly hello: HelloPair; readonly credential: Uint8Array; readonly verified: Verified }
  | { readonly kind: "hello" }
  | { readonly kind: "credential"; readonly hello: HelloPair; readonly realm: number | undefined };

export interface HelloPair {
  readonly hello_c: Uint8Array;
  readonly hello_s: Uint8Array;
}

/** What a frame of the handshake leads to. */
export interface Step {
  readonly next: Handshake;
  readonly reply?: Uint8Array;
}

export interface Accepted {
  /** For the 101. */
  readonly headers: Readonly<Record<string, string>>;
  readonly handshake: Handshake;
}

const CREDENTIAL_BYTES_MAX = 8_192;

export class Handshakes {
  readonly #parts: HandshakeParts;
  readonly #bearer: BearerRule;
  readonly #features: readonly string[];
  readonly #nonces = new HelloNonces();

  constructor(parts: HandshakeParts, bearer: BearerRule, features: readonly string[]) {
    this.#parts = parts;
    this.#bearer = bearer;
    this.#features = features;
  }

  /** Before 101. */
  async begin(ask: UpgradeAsk): Promise<Answer<Accepted>> {
    const offered = (ask.headers["sec-websocket-protocol"] ?? "").split(",").map((one) => one.trim());
    if (offered.includes(HELLO_SUBPROTOCOL)) {
      return granted({ headers: { "sec-websocket-protocol": HELLO_SUBPROTOCOL }, handshake: { kind: "hello" } });
    }
    const credential = readShown(ask);
    if (!credential.ok) return credential;
    const read = readMessage(AIdCredentialSchema, credential.value.bytes, CREDENTIAL_BYTES_MAX);
    if (!read.ok) return refuse(401, "the credential cannot be read", { why: "permission_denied" });
    const verified = await this.#parts.credentials.verify(read.value);
    if (!verified.ok) return verified;
    if (credential.value.id !== verified.value.text) {
      return refuse(401, "the credential is that of another id", { why: "identity_mismatch" });
    }
    const helloHeader = ask.headers["x-atoll-hello"];
    if (helloHeader === undefined) return this.#bearerOf(verified.value, ask.origin);
    const answered = await this.#answerHello(fromBase64Url(helloHeader));
    if (!answered.ok) return answered;
    const { hello, pair } = answered.value;
    const known = this.#checkKeyed(verified.value, hello);
    if (!known.ok) return known;
    return granted({
      headers: { "x-atoll-hello": Buffer.from(pair.hello_s).toString("base64url") },
      handshake: { kind: "proof", hello: pair, credential: credential.value.bytes, verified: verified.value },
    });
  }

  /** One frame of a connection that has not proved itself. */
  async step(state: Handshake, frame: Uint8Array): Promise<Answer<Step>> {
    switch (state.kind) {
      case "hello": {
        const answered = await this.#answerHello(frame);
        if (!answered.ok) return answered;
        const { hello, pair } = answered.value;
        return granted({ reply: pair.hello_s, next: { kind: "credential", hello: pair, realm: hello.realmId } });
      }
      case "credential": {
        const read = readMessage(AIdCredentialSchema, frame, CREDENTIAL_BYTES_MAX);
        if (!read.ok) return refuse(400, "the credential cannot be read");
        const verified = await this.#parts.credentials.verify(read.value);
        if (!verified.ok) return verified;
        const known = this.#checkKeyed(verified.value, { realmId: state.realm });
        if (!known.ok) return known;
        const credential = Uint8Array.from(frame);
        return granted({ next: { kind: "proof", hello: state.hello, credential, verified: verified.value } });
      }
      case "proof": return this.#checkProof(state, frame);
      case "done": return refuse(500, "the handshake is over");
    }
  }

  async #checkProof(state: Extract<Handshake, { kind: "proof" }>, frame: Uint8Array): Promise<Answer<Step>> {
    const { verified, hello, credential } = state;
    const isOwn = verified.node_key !== undefined
      && await verifyHelloProof(verified.node_key, frame, { ...hello, credential });
    if (!isOwn) return refuse(401, "the proof of the key is wrong", { why: "permission_denied" });
    return granted({ next: { kind: "done", proved: { verified, proof: "key" } } });
  }

  async #answerHello(helloC: Uint8Array): Promise<Answer<{ hello: HelloCFields; pair: HelloPair }>> {
    const { keys, clock, bytes, realms } = this.#parts;
    const read = readHelloC(helloC);
    if (!read.ok) return refuse(400, read.fault.message);
    const hello = read.value;
    if (!isFresh(hello.sentAtMs, clock.now())) {
      return refuse(401, "the hello was not made just now: look at the clock of this machine", { why: "skew" });
    }
    if (hello.nonce.length !== HELLO_LIMITS.nonceBytes) {
      return refuse(400, "the nonce of the hello has 32 bytes");
    }
    if (realms.get(hello.realmId) === undefined) return refuse(403, "the hello is for another realm");
    // The nonce of the server makes each proof new; this keeps one hello from being answered again and again.
    const used = this.#nonces.take(new Uint8Array(), hello.nonce, clock.monotonic());
    if (used === "full") return refuse(503, "too many hellos", { retry_after_ms: 10_000, why: "overloaded" });
    if (used === "used") return refuse(401, "the hello was used before", { why: "replayed" });
    const { key_id: keyId, key } = await keys.signer();
    const helloS = await makeHelloS(key, helloC, {
      nonce: bytes(HELLO_LIMITS.nonceBytes), sentAtMs: BigInt(clock.now()), keyId, features: [...this.#features],
    });
    return granted({ hello, pair: { hello_c: helloC, hello_s: helloS } });
  }

  #checkKeyed(verified: Verified, { realmId }: { readonly realmId: number | undefined }): Answer<void> {
    if (verified.node_key === undefined) {
      return refuse(403, "the credential names no key, so there is nothing to prove");
    }
    return verified.id.realm === realmId ? granted(undefined) : refuse(403, "the hello is for another realm");
  }

  #bearerOf(verified: Verified, origin: Origin): Answer<Accepted> {
    if (verified.node_key !== undefined) {
      return refuse(403, "the credential names a key: prove it", { why: "proof_required" });
    }
    const isAllowed = this.#bearer === "on" || (this.#bearer === "loopback" && origin.loopback);
    if (!isAllowed) return refuse(403, "a credential alone does not count here", { why: "proof_required" });
    return granted({ headers: {}, handshake: { kind: "done", proved: { verified, proof: "bearer" } } });
  }
}

/** The credential of the headers, or of the old query. */
function readShown({ headers, query }: UpgradeAsk): Answer<{ bytes: Uint8Array; id: string }> {
  const credential = headers["x-actr-credential"];
  const source = headers["x-actr-source-id"];
  if (credential !== undefined && source !== undefined) {
    const read = readMessage(ActrIdSchema, new Uint8Array(Buffer.from(source, "hex")), CREDENTIAL_BYTES_MAX);
    const id = read.ok ? fromActrId(read.value) : undefined;
    if (id === undefined) return refuse(401, "the source is no id", { why: "permission_denied" });
    return granted({ bytes: new Uint8Array(Buffer.from(credential, "base64")), id: formatNodeId(id) });
  }
  return readQuery(query);
}

function readQuery(query: URLSearchParams): Answer<{ bytes: Uint8Array; id: string }> {
  const [id, keyId, claims, signature] = ["actor_id", "key_id", "claims", "signature"].map((name) => query.get(name));
  if (!id || !keyId || !claims || !signature || !/^\d{1,10}$/.test(keyId) || Number(keyId) > 0xffff_ffff) {
    return refuse(401, "a credential is missing", { why: "permission_denied" });
  }
  const bytes = writeMessage(AIdCredentialSchema, {
    keyId: Number(keyId), claims: Buffer.from(claims, "base64"), signature: Buffer.from(signature, "base64"),
  });
  return granted({ id, bytes });
}

function fromBase64Url(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, "base64url"));
}
