/** Signaling of one page behind the door of a node: it greets, answers, and can be told to misbehave. */
import { nodeError, NodeError, parseNodeId, type Clock, type NodeId } from "@atoll-run/core";
import {
  AIdCredentialSchema, envelopeIds, IdentityClaimsSchema, makeHelloS, readMessage, readSignaling, toActrId,
  verifyHelloProof, writeSignaling, type ActrToSignaling, type MessageInitShape, type SignalingToActrSchema,
} from "@atoll-run/core/internal";
import type { RealmDoor, SignalingDial, SignalingPipe } from "@atoll-run/node/internal";
import type { tinyRealm } from "../identity/tiny-realm.ts";

type Payload = NonNullable<MessageInitShape<typeof SignalingToActrSchema>["payload"]>;

export interface SignalingKnobs {
  /** Dials and questions are never answered. */
  silent: boolean;
  refuse: { readonly status: number; readonly retry_after_ms?: number } | undefined;
  /** The hello is signed by somebody else. */
  impostor: boolean;
  /** Questions are answered with that. */
  fail: { readonly code: number; readonly as?: "envelope" } | undefined;
  suggest_secs: number | undefined;
  warn: boolean;
  /** Who is offered, with address and key. */
  offered: readonly { readonly id: NodeId; readonly address?: string; readonly node_key?: Uint8Array }[];
}

export function tinySignaling(clock: Clock, realm: Awaited<ReturnType<typeof tinyRealm>>) {
  const knobs: SignalingKnobs = { silent: false, refuse: undefined, impostor: false, fail: undefined, suggest_secs: undefined, warn: false, offered: [] };
  const asked: string[] = [];
  const open = new Set<Session>();
  const dials: number[] = [];
  const pings: number[] = [];
  const dialled: SignalingDial[] = [];
  const world = { clock, realm, knobs, asked, pings, open };
  const door: RealmDoor = {
    remote: false,
    ask: realm.door.ask,
    async dial(o) {
      dials.push(clock.now());
      dialled.push(o);
      if (knobs.silent) return new Promise((_, reject) => o.signal.addEventListener("abort", () => reject(o.signal.reason)));
      if (knobs.refuse !== undefined) {
        const { status, retry_after_ms } = knobs.refuse;
        throw new NodeError({
          ...status < 429 ? { code: "node.permission_denied" as const } : { code: "node.overloaded" as const, retry: "later" as const },
          facts: { wire_code: status }, text: "refused", ...retry_after_ms === undefined ? {} : { retry_after_ms },
        });
      }
      if (realm.knobs.away !== false) throw nodeError("node.unavailable", "connection refused");
      return new Session(o, world).greet();
    },
  };
  /** News to everybody, or the end of every connection. */
  const tell = (payload: Payload): void => open.forEach((session) => session.tell(payload));
  const cut = (code: number, reason: string): void => open.forEach((session) => session.cut(code, reason));
  return { door, knobs, asked, dials, dialled, pings, open, tell, cut };
}

interface World {
  readonly clock: Clock;
  readonly realm: Awaited<ReturnType<typeof tinyRealm>>;
  readonly knobs: SignalingKnobs;
  readonly asked: string[];
  readonly pings: number[];
  readonly open: Set<Session>;
}

class Session {
  readonly #dial: SignalingDial;
  readonly #world: World;
  readonly #nextId = envelopeIds();
  readonly #credential: Uint8Array;
  readonly #id: string;
  readonly #key: Uint8Array;
  #hello: { hello_c: Uint8Array; hello_s: Uint8Array } | undefined;
  #proved = false;
  /** Frames are read one after the other. */
  #turn: Promise<void> = Promise.resolve();

  constructor(dial: SignalingDial, world: World) {
    this.#dial = dial;
    this.#world = world;
    this.#credential = Uint8Array.from(Buffer.from(dial.headers["x-actr-credential"] ?? "", "base64"));
    const credential = readMessage(AIdCredentialSchema, this.#credential);
    if (!credential.ok) throw credential.fault;
    const claims = readMessage(IdentityClaimsSchema, credential.value.claims);
    if (!claims.ok) throw claims.fault;
    [this.#id, this.#key] = [claims.value.actorId, claims.value.nodeKey];
  }

  async greet(): Promise<SignalingPipe> {
    const hello_c = Uint8Array.from(Buffer.from(this.#dial.headers["x-atoll-hello"] ?? "", "base64url"));
    const { realm, clock, knobs } = this.#world;
    const key = knobs.impostor ? { sign: async () => new Uint8Array(64) } : realm.signer.key;
    const hello_s = await makeHelloS(key, hello_c, {
      nonce: new Uint8Array(32).fill(5), keyId: realm.signer.keyId, sentAtMs: BigInt(clock.now()), features: [],
    });
    this.#hello = { hello_c, hello_s };
    return {
      headers: { "x-atoll-hello": Buffer.from(hello_s).toString("base64url") }, bufferedBytes: 0,
      send: (frame) => {
        this.#turn = this.#turn.then(() => this.#take(frame));
      },
      close: (code, reason) => this.cut(code, reason),
    };
  }

  raw(bytes: Uint8Array): void {
    this.#dial.hear.frame(bytes);
  }

  tell(payload: Payload, replyFor?: string): void {
    const target = toActrId(parseNodeId(this.#id) as NodeId);
    this.#dial.hear.frame(writeSignaling({
      envelopeId: this.#nextId(), ...replyFor === undefined ? {} : { replyFor }, flow: { case: "serverToActr", value: { target, payload } },
    }));
  }

  cut(code: number, reason: string): void {
    if (!this.#world.open.delete(this) && this.#proved) return;
    this.#dial.hear.ended(code, reason);
  }

  async #take(frame: Uint8Array): Promise<void> {
    if (!this.#proved) {
      const isGood = this.#hello !== undefined && await verifyHelloProof(this.#key, frame, { ...this.#hello, credential: this.#credential });
      if (!isGood) return this.cut(4_401, "the proof is wrong");
      this.#proved = true;
      this.#world.open.add(this);
      return;
    }
    this.#envelope(frame);
  }

  #envelope(frame: Uint8Array): void {
    const read = readSignaling(frame, 1_000_000);
    if (!read.ok || read.value.flow.case !== "actrToServer") return this.cut(4_400, "protocol");
    const { envelopeId, flow } = read.value;
    const { payload, source } = flow.value;
    this.#world.asked.push(String(payload.case));
    if (payload.case === "ping") this.#world.pings.push(this.#world.clock.now());
    if (this.#world.knobs.silent) return;
    const { fail } = this.#world.knobs;
    const value = { code: fail?.code ?? 0, message: "no", ...fail?.code === 429 ? { detail: { kind: 0, retryAfterMs: 3_000n } } : {} };
    if (fail?.as === "envelope") {
      this.#dial.hear.frame(writeSignaling({ envelopeId: this.#nextId(), replyFor: envelopeId, flow: { case: "envelopeError", value } }));
    } else if (fail !== undefined) this.tell({ case: "error", value }, envelopeId);
    else if (source !== undefined) this.tell(this.#answer(payload), envelopeId);
  }

  #answer(payload: ActrToSignaling["payload"]): Payload {
    const { knobs, realm } = this.#world;
    switch (payload.case) {
      case "getSigningKeyRequest":
        if (payload.value.keyId !== realm.signer.keyId) return { case: "error", value: { code: 404, message: "no such key" } };
        return { case: "getSigningKeyResponse", value: { keyId: payload.value.keyId, pubkey: realm.signer.publicKey } };
      case "ping": return { case: "pong", value: {
        seq: 1n, ...knobs.suggest_secs === undefined ? {} : { suggestIntervalSecs: knobs.suggest_secs },
        ...knobs.warn ? { credentialWarning: { type: 0, message: "a newer key signs now" } } : {},
      } };
      case "routeCandidatesRequest": return { case: "routeCandidatesResponse", value: { result: { case: "success", value: {
        candidates: knobs.offered.map(({ id }) => toActrId(id)),
        wsAddressMap: knobs.offered.map(({ id, address }) => ({ candidateId: toActrId(id), ...address === undefined ? {} : { wsAddress: address } })),
        info: knobs.offered.map(({ id, node_key: nodeKey }) => ({ id: toActrId(id), availability: 0, powerReserve: 5, mailboxBacklog: 0, ...nodeKey === undefined ? {} : { nodeKey } })),
      } } } };
      case "subscribeActrUpRequest": return { case: "subscribeActrUpResponse", value: { result: { case: "success", value: {} } } };
      case "unsubscribeActrUpRequest": return { case: "unsubscribeActrUpResponse", value: { result: { case: "success", value: {} } } };
      case "unregisterRequest": return { case: "unregisterResponse", value: { result: { case: "success", value: {} } } };
      default: return { case: "error", value: { code: 400, message: "not here" } };
    }
  }
}
