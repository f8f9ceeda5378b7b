/**
 * Who is at the other end of a connection (spec: node 8.1, 8.2, 8.5; wire 6.1 to 6.3), without a socket.
 *
 * takes what both ends show, as bytes; gives the peer, or the answer that it must prove; promises that a credential
 * which names a key counts only with proof of that key on this very connection; refuses by a `NodeError`; never lets
 * one nonce of a key count twice.
 */
import { FEATURES, formatNodeId, nodeError, type Clock, type Feature, type LinkPeer, type NodeError, type NodeId } from "@atoll-run/core";
import {
  AIdCredentialSchema, HELLO_LIMITS, HelloNonces, isFresh, makeHelloProof, makeHelloS, openingHash, readFields, readHelloC,
  readHelloS, readNodeId, verifyHelloProof, verifyHelloS, writeHelloC, type AIdCredential, type Hellos,
} from "@atoll-run/core/internal";
import { Chance } from "./chance.ts";
import { idBytes, idText } from "./id-text.ts";
import type { CredentialVerifier, Session, SessionSource, VerifiedCredential } from "./session.ts";

/** Which peers may come with a credential that names no key: those of this machine, all, none. */
export type BearerRule = "loopback" | "on" | "off";

export interface GreetingParts {
  readonly clock: Clock;
  /** So many bytes that nobody can guess. */
  readonly bytes: (count: number) => Uint8Array;
  readonly session: SessionSource;
  readonly verifier: CredentialVerifier;
}

/** Who waits while a key of the realm is fetched; the signal is asked for only then. */
export interface Waits {
  readonly signal?: AbortSignal | undefined;
}

/** A credential that is the realm's; whose it is has to be proved. */
export interface Shown {
  readonly credential: VerifiedCredential;
  readonly bytes: Uint8Array;
}

/** The first word of a node that dials. `hello_c` is absent when it has no key: it is a bearer. */
export interface Begun {
  readonly session: Session;
  readonly hello_c: Uint8Array | undefined;
}

/** What is to be signed by the one who dialled. */
export interface Answered extends Hellos {
  readonly nonce: Uint8Array;
  readonly features: readonly string[];
}

export interface Proved {
  readonly peer: LinkPeer;
  readonly opening: Uint8Array;
}

/** What this node can do on a link that was greeted. */
const OWN_FEATURES: readonly Feature[] = ["rpc1", "stream1", "refresh1"];
const NO_FEATURES: ReadonlySet<Feature> = new Set();
const CREDENTIAL_BYTES_MAX = 8_192;
/** Then all are forgotten, which costs one reading each. */
const KNOWN_MAX = 1_024;

export class Greetings {
  readonly #parts: GreetingParts;
  readonly #bearer: BearerRule;
  readonly #nonces = new HelloNonces();
  readonly #chance: Chance;
  /** Credentials of the realm that were shown before, by their bytes: who comes back shows the same. */
  readonly #known = new Map<string, AIdCredential>();

  constructor(parts: GreetingParts, bearer: BearerRule) {
    this.#parts = parts;
    this.#bearer = bearer;
    this.#chance = new Chance(parts.bytes);
  }

  /** Reads and verifies a credential. `source`: the id that is claimed beside it, as bytes. */
  async show(bytes: Uint8Array, source: Uint8Array | undefined, attempt: Waits): Promise<Shown> {
    const credential = await this.#verify(bytes, attempt);
    if (source !== undefined && !names(source, credential.id)) throw mismatch("the credential is that of another node");
    return { credential, bytes };
  }

  async #verify(bytes: Uint8Array, attempt: Waits): Promise<VerifiedCredential> {
    const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("latin1");
    const known = this.#known.get(text);
    if (known !== undefined) return this.#parts.verifier.verify(known, attempt);
    const read = readFields<typeof AIdCredentialSchema, keyof AIdCredential>(AIdCredentialSchema, bytes, CREDENTIAL_BYTES_MAX);
    if (!read.ok) throw nodeError("node.permission_denied", "the credential cannot be read", { cause: read.fault });
    const verified = await this.#parts.verifier.verify(read.value, attempt);
    if (this.#known.size >= KNOWN_MAX) this.#known.clear();
    this.#known.set(text, read.value);
    return verified;
  }

  /** The peer that comes with nothing but its credential. */
  bearer({ credential }: Shown, fromLoopback: boolean): LinkPeer {
    if (credential.node_key !== undefined) {
      throw unproved("this credential names a key: it counts only with a proof of that key");
    }
    this.#allowBearer(fromLoopback);
    return { id: credential.id, proof: "bearer", features: NO_FEATURES, expires_at_ms: credential.expires_at_ms, epoch: credential.epoch };
  }

  /** The server's answer to the hello of a client. */
  async answer(helloC: Uint8Array): Promise<Answered> {
    const read = readHelloC(helloC);
    if (!read.ok) throw nodeError("node.decode_failure", "the hello cannot be read", { cause: read.fault });
    const { target, sentAtMs, nonce, features } = read.value;
    this.#checkTime(sentAtMs);
    const session = this.#parts.session.current();
    if (target === undefined || !names(target, session.id)) throw mismatch("the hello is for another node");
    if (session.key === undefined) throw unproved("this node has no key, so it cannot greet");
    const hello_s = await makeHelloS(session.key, helloC, {
      nonce: this.#chance.bytes(HELLO_LIMITS.nonceBytes), source: idBytes(session.id), credential: session.credential_bytes,
      features: [...OWN_FEATURES], sentAtMs: BigInt(this.#parts.clock.now()),
    });
    return { hello_c: helloC, hello_s, nonce, features };
  }

  /** The client that has signed both hellos with the key in its credential. */
  async admit(answered: Answered, { credential, bytes }: Shown, proof: Uint8Array): Promise<Proved> {
    const { node_key } = credential;
    if (node_key === undefined) throw unproved("this credential names no key, so nothing can be proved with it");
    if (!await verifyHelloProof(node_key, proof, { ...answered, credential: bytes })) throw mismatch("the proof is not of the key in the credential");
    this.#once(node_key, answered.nonce);
    return { peer: toPeer(credential, answered.features), opening: await openingHash(answered.hello_c, answered.hello_s) };
  }

  /** The hello of this node, when it dials. Throws `node.unavailable` before the first registration. */
  begin(target: NodeId): Begun {
    const session = this.#parts.session.current();
    if (session.key === undefined) return { session, hello_c: undefined };
    return {
      session, hello_c: writeHelloC({
        nonce: this.#chance.bytes(HELLO_LIMITS.nonceBytes), target: idBytes(target), sentAtMs: BigInt(this.#parts.clock.now()),
        features: [...OWN_FEATURES],
      }),
    };
  }

  /** What a server has answered; `proof` goes to it as the last word. */
  async finish(
    { session, hello_c }: Begun, helloS: Uint8Array,
    o: { readonly id: NodeId; readonly node_key?: Uint8Array | undefined; readonly attempt: Waits },
  ): Promise<Proved & { readonly proof: Uint8Array }> {
    if (hello_c === undefined || session.key === undefined) throw unproved("the server greets, and this node has no key");
    const read = readHelloS(helloS);
    if (!read.ok) throw nodeError("node.decode_failure", "the hello of the server cannot be read", { cause: read.fault });
    const { hello } = read.value;
    this.#checkTime(hello.sentAtMs);
    const wanted = idText(o.id);
    if (hello.source === undefined || !names(hello.source, o.id) || hello.credential === undefined) throw mismatch(`the server is not ${wanted}`);
    const credential = await this.#verify(hello.credential, o.attempt);
    const { node_key } = credential;
    if (idText(credential.id) !== wanted) throw mismatch("the credential of the server is that of another node");
    if (node_key === undefined || o.node_key !== undefined && !isSame(node_key, o.node_key)) {
      throw mismatch("the key of the server is not the one that the realm names");
    }
    if (!await verifyHelloS(node_key, hello_c, read.value)) throw mismatch("the server has not proved its key");
    this.#once(node_key, hello.nonce);
    return {
      peer: toPeer(credential, hello.features), opening: await openingHash(hello_c, helloS),
      proof: await makeHelloProof(session.key, { hello_c, hello_s: helloS }, session.credential_bytes),
    };
  }

  /** The server that was asked and did not greet: nothing is known of it but its address. */
  unproved(id: NodeId, o: { readonly node_key?: Uint8Array | undefined; readonly onLoopback: boolean }): LinkPeer {
    if (o.node_key !== undefined) throw unproved(`${formatNodeId(id)} has a key and did not prove it`);
    this.#allowBearer(o.onLoopback);
    return { id, proof: "bearer", features: NO_FEATURES, expires_at_ms: Infinity };
  }

  #allowBearer(loopback: boolean): void {
    if (this.#bearer === "on" || this.#bearer === "loopback" && loopback) return;
    throw unproved("only peers that prove a key are let in", "Peers without a key: set security.bearer.");
  }

  #checkTime(sentAtMs: bigint): void {
    if (isFresh(sentAtMs, this.#parts.clock.now())) return;
    throw unproved("the hello was not made now", "Are the clocks of both machines right?");
  }

  #once(key: Uint8Array, nonce: Uint8Array): void {
    const seen = this.#nonces.take(key, nonce, this.#parts.clock.monotonic());
    if (seen === "used") throw unproved("this hello was used before");
    if (seen === "full") throw nodeError("node.overloaded", "too many connections in ten minutes", { retry_after_ms: 60_000 });
  }
}

function toPeer(credential: VerifiedCredential, features: readonly string[]): LinkPeer {
  return {
    id: credential.id, proof: "key", features: featureSet(features),
    expires_at_ms: credential.expires_at_ms, epoch: credential.epoch,
  };
}

/** There are few sets, and many peers. */
const SETS = new Map<string, ReadonlySet<Feature>>();

function featureSet(names: readonly string[]): ReadonlySet<Feature> {
  const known = FEATURES.filter((one) => names.includes(one));
  const set = SETS.get(known.join()) ?? new Set(known);
  SETS.set(known.join(), set);
  return set;
}

/** Whether these are the bytes of that id. */
function names(bytes: Uint8Array, id: NodeId): boolean {
  if (isSame(bytes, idBytes(id))) return true;
  const read = readNodeId(bytes);
  return read.ok && formatNodeId(read.value) === idText(id);
}

function isSame(one: Uint8Array, other: Uint8Array): boolean {
  return Buffer.compare(one, other) === 0;
}

function mismatch(text: string): NodeError {
  return nodeError("node.identity_mismatch", text);
}

function unproved(text: string, hint?: string): NodeError {
  return nodeError("node.proof_required", text, hint === undefined ? {} : { hint });
}
