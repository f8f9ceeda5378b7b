/** One client on signaling: what is known of it, and how it is spoken to. */
import { formatNodeId, type Clock, type NodeId } from "@atoll-run/core";
import {
  envelopeIds, toActrId, writeSignaling, type MessageInitShape, type SignalingEnvelopeSchema,
  type SignalingToActrSchema,
} from "@atoll-run/core/internal";
import type { Credential, Verified } from "../identity/credentials.ts";
import type { RealmLimits } from "../limits.ts";
import type { Origin } from "../rate/limiter.ts";
import { fullBucket, take, type Bucket, type BucketRate } from "../rate/token-bucket.ts";
import type { Refusal } from "../refusal.ts";
import type { Asker } from "../registry/registry.ts";

/** Close codes (spec: wire 6.5). */
export const CLOSE = {
  protocol: 4_400, credential: 4_401, denied: 4_403, late: 4_408, replaced: 4_409, large: 4_413, rate: 4_429,
  draining: 4_503,
} as const;

/** The way to a client: a socket, or a function call inside this process. */
export interface SignalingOut {
  /** Never throws; after `close` nothing arrives. */
  send(frame: Uint8Array): void;
  close(code: number, reason: string): void;
  /** Bytes that wait to be read. */
  buffered(): number;
}

export type EnvelopeInit = Omit<
  MessageInitShape<typeof SignalingEnvelopeSchema>, "$typeName" | "envelopeVersion" | "envelopeId"
>;
export type SignalingPayload = NonNullable<MessageInitShape<typeof SignalingToActrSchema>["payload"]>;

export interface ConnectionParts {
  readonly out: SignalingOut;
  readonly origin: Origin;
  readonly verified: Verified;
  readonly proof: "key" | "bearer";
  /** It asked to answer, never to offer. */
  readonly answers: boolean;
  readonly clock: Clock;
  readonly limits: RealmLimits;
}

/** Refused messages are told to the client this often; those of a flood are dropped. */
const TELL_RATE: BucketRate = { perSecond: 10, burst: 20 };

export class Connection {
  readonly id: NodeId;
  readonly text: string;
  readonly proof: "key" | "bearer";
  readonly answers: boolean;
  readonly origin: Origin;
  /** Types whose presence it follows. */
  readonly follows = new Set<string>();
  verified: Verified;
  closed = false;
  /** Rises with each pong. */
  pongs = 0n;
  /** Newest revocation that it was told of. */
  told = 0;
  readonly #parts: ConnectionParts;
  readonly #nextId = envelopeIds();
  readonly #buckets = new Map<BucketRate, Bucket>();
  readonly #refused: BucketRate;

  constructor(parts: ConnectionParts) {
    this.#parts = parts;
    this.verified = parts.verified;
    this.id = parts.verified.id;
    this.text = formatNodeId(this.id);
    this.proof = parts.proof;
    this.answers = parts.answers;
    this.origin = parts.origin;
    const { refusedMax } = parts.limits.signaling;
    this.#refused = { perSecond: refusedMax / 60, burst: refusedMax };
  }

  /** It has shown our extensions: it made a hello. */
  get aware(): boolean {
    return this.proof === "key";
  }

  get asker(): Asker {
    return { kind: "peer", id: this.id, proof: this.proof };
  }

  get credential(): Credential {
    return this.verified.credential;
  }

  /** Half of what may wait for it does: nothing more should be sent to it unasked. */
  get busy(): boolean {
    return this.#parts.out.buffered() > this.#parts.limits.signaling.bufferedBytesMax / 2;
  }

  send(envelope: EnvelopeInit): void {
    if (this.closed) return;
    if (this.#parts.out.buffered() > this.#parts.limits.signaling.bufferedBytesMax) {
      this.close(CLOSE.rate, "reads too slowly");
      return;
    }
    this.#parts.out.send(writeSignaling({ ...envelope, envelopeId: this.#nextId() }));
  }

  /** An answer, or with no `replyFor` news. */
  tell(payload: SignalingPayload, replyFor?: string): void {
    this.send({
      ...replyFor === undefined ? {} : { replyFor },
      flow: { case: "serverToActr", value: { target: toActrId(this.id), payload } },
    });
  }

  /** Tells why not; whoever goes on and on is cut. */
  refuse(refusal: Refusal, replyFor: string): void {
    if (!this.#mayBeRefused()) return;
    this.tell({ case: "error", value: toError(refusal, this.aware) }, replyFor);
  }

  /** The same about the connection as a whole. */
  refuseEnvelope(refusal: Refusal, replyFor: string): void {
    if (!this.#mayBeRefused()) return;
    this.send({ replyFor, flow: { case: "envelopeError", value: toError(refusal, this.aware) } });
  }

  close(code: number, reason: string): void {
    if (this.closed) return;
    this.closed = true;
    this.#parts.out.close(code, reason);
  }

  /** This machine is not limited. */
  #mayBeRefused(): boolean {
    if (this.closed || this.origin.loopback) return !this.closed;
    if (!this.#hasToken(this.#refused)) {
      this.close(CLOSE.rate, "too many messages that were refused");
      return false;
    }
    return this.#hasToken(TELL_RATE);
  }

  #hasToken(rate: BucketRate): boolean {
    const now = this.#parts.clock.monotonic();
    const took = take(this.#buckets.get(rate) ?? fullBucket(rate, now), rate, now);
    if (took.taken) this.#buckets.set(rate, took.bucket);
    return took.taken;
  }
}

function toError({ code, text, retry_after_ms: waitMs }: Refusal, aware: boolean): {
  code: number; message: string; detail?: { kind: number; retryAfterMs: bigint };
} {
  const detail = aware && waitMs !== undefined ? { kind: 0, retryAfterMs: BigInt(Math.ceil(waitMs)) } : undefined;
  return { code, message: text, ...detail === undefined ? {} : { detail } };
}
