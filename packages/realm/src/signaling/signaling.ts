/**
 * Signaling (spec: node 7.6, 7.7; wire 9): nodes ask the realm, and speak to each other while they connect.
 *
 * takes upgrades and frames; gives answers, presence and relayed messages; promises that identity is proved once per
 * connection and that every message bears it; refuses floods by telling, then by closing; never keeps a message.
 */
import { formatNodeId, type Clock, type Log } from "@atoll-run/core";
import {
  fromActrId, readSignaling, type ActrRelay, type ActrToSignaling, type SignalingEnvelope,
} from "@atoll-run/core/internal";
import type { Credentials } from "../identity/credentials.ts";
import type { RealmLimits } from "../limits.ts";
import { Limiter, type Origin } from "../rate/limiter.ts";
import { Turnstile } from "../rate/turnstile.ts";
import { refuse, type Answer, type Refusal } from "../refusal.ts";
import type { Background } from "../store/background.ts";
import { CLOSE, Connection, type SignalingOut } from "./connection.ts";
import type { Connections } from "./connections.ts";
import type { Control } from "./control.ts";
import type { Accepted, Handshakes, Proved, UpgradeAsk } from "./handshakes.ts";
import type { Relay, Trace } from "./relay.ts";
import { Session, type SignalingIn } from "./session.ts";

export interface SignalingParts {
  readonly handshakes: Handshakes;
  readonly credentials: Credentials;
  readonly connections: Connections;
  readonly control: Control;
  readonly relay: Relay;
  readonly background: Background;
  readonly clock: Clock;
  readonly log: Log;
  /** Origins of web pages that may connect. */
  readonly origins: ReadonlySet<string>;
}

export type Upgrade =
  | {
    readonly ok: true;
    /** For the 101. */
    readonly headers: Readonly<Record<string, string>>;
    open(out: SignalingOut): SignalingIn;
    /** The client went away before 101. */
    abandon(): void;
  }
  | Refusal;

export class Signaling {
  readonly #parts: SignalingParts;
  readonly #limits: RealmLimits;
  /** Connections that failed or proved nothing, by address. */
  readonly #failed: Limiter;
  readonly #unproven = new Map<string, number>();
  readonly #sessions = new Set<Session>();
  readonly #begins: Turnstile;
  /** Whoever was let in does not wait behind those who were not: its time runs. */
  readonly #steps: Turnstile;
  /** By id, so that a new connection is no new start. */
  readonly #control: Limiter;
  readonly #relay: Limiter;
  #draining = false;
  messages = 0;
  refused = 0;

  constructor(parts: SignalingParts, limits: RealmLimits) {
    this.#parts = parts;
    this.#limits = limits;
    const { clock } = parts;
    const { rate, signaling: { connectionsMax, handshakesMax } } = limits;
    this.#begins = new Turnstile(clock, handshakesMax, connectionsMax);
    this.#steps = new Turnstile(clock, handshakesMax, connectionsMax);
    this.#failed = new Limiter(clock, { perSecond: rate.failedPerMinute / 60, burst: rate.failedBurst }, rate.sourcesMax);
    this.#control = new Limiter(clock, { perSecond: rate.controlPerSecond, burst: rate.controlBurst }, connectionsMax);
    this.#relay = new Limiter(clock, { perSecond: rate.relayPerSecond, burst: rate.relayBurst }, connectionsMax);
  }

  get sessions(): number {
    return this.#sessions.size;
  }

  async upgrade(ask: UpgradeAsk): Promise<Upgrade> {
    const refusal = this.#checkRoom(ask);
    if (refusal !== undefined) return this.#count(refusal);
    const release = this.#enter(ask.origin);
    const begun = await this.#begin(ask);
    if (!begun.ok) {
      release();
      if (begun.code < 500) this.#charge(ask.origin);
      return this.#count(begun);
    }
    const { headers, handshake } = begun.value;
    return {
      ok: true, headers, abandon: release,
      open: (out) => {
        const session: Session = new Session({
          ...this.#parts, out, handshake, limits: this.#limits,
          step: (before, frame) => this.#inTurn(this.#steps, () => this.#parts.handshakes.step(before, frame)),
          proved: (proved, own) => {
            release();
            return this.#admit(proved, ask, own);
          },
          message: (connection, frame) => this.#message(connection, frame),
          ended: (connection) => {
            release();
            this.#sessions.delete(session);
            if (connection === undefined) this.#charge(ask.origin);
            else this.#parts.connections.remove(connection);
          },
        });
        this.#sessions.add(session);
        // The realm may have been closed while the credential was looked at: no session outlives it.
        if (this.#draining) session.end(CLOSE.draining, "the realm stops");
        else session.start();
        return session;
      },
    };
  }

  /** Ends every connection; new ones get 503. */
  close(): void {
    this.#draining = true;
    for (const session of this.#sessions) session.end(CLOSE.draining, "the realm stops");
  }

  async #begin(ask: UpgradeAsk): Promise<Answer<Accepted>> {
    try {
      return await this.#inTurn(this.#begins, () => this.#parts.handshakes.begin(ask));
    } catch (error) {
      return this.#failure(error);
    }
  }

  /** Work of a handshake, a few at a time. */
  async #inTurn<T>(turnstile: Turnstile, work: () => Promise<Answer<T>>): Promise<Answer<T>> {
    return await turnstile.run(this.#limits.signaling.helloMsMax, work)
      ?? refuse(503, "too many connections at once", { why: "overloaded", retry_after_ms: 2_000 });
  }

  #checkRoom({ headers, origin }: UpgradeAsk): Refusal | undefined {
    const { rate, signaling } = this.#limits;
    if (this.#draining) return refuse(503, "the realm stops", { why: "draining", retry_after_ms: 1_000 });
    if (headers["origin"] !== undefined && !this.#parts.origins.has(headers["origin"])) {
      return refuse(403, "this web page may not connect", { why: "permission_denied" });
    }
    if (this.#sessions.size >= signaling.connectionsMax) {
      return refuse(503, "too many connections", { why: "overloaded", retry_after_ms: 5_000 });
    }
    if (origin.loopback) return undefined;
    const waitMs = this.#failed.waitMs(origin.address);
    const isFull = (this.#unproven.get(origin.address) ?? 0) >= rate.unprovenMax;
    if (waitMs === 0 && !isFull) return undefined;
    const retry_after_ms = Math.max(1_000, waitMs);
    return refuse(429, "too many connections that proved nothing", { why: "overloaded", retry_after_ms });
  }

  /** Counts it as unproven until the given function is called. */
  #enter({ address }: Origin): () => void {
    this.#unproven.set(address, (this.#unproven.get(address) ?? 0) + 1);
    let inside = true;
    return () => {
      if (!inside) return;
      inside = false;
      const left = (this.#unproven.get(address) ?? 1) - 1;
      if (left > 0) this.#unproven.set(address, left);
      else this.#unproven.delete(address);
    };
  }

  #charge(origin: Origin): void {
    if (!origin.loopback) this.#failed.take(origin.address);
  }

  #admit({ verified, proof }: Proved, ask: UpgradeAsk, out: SignalingOut): Connection {
    const { clock, connections } = this.#parts;
    const connection = new Connection({
      out, verified, proof, clock, limits: this.#limits, origin: ask.origin,
      answers: ask.query.get("webrtc_role") === "answer",
    });
    connections.add(connection);
    // A proof costs two signatures: who connects again and again pays for it as for a request.
    if (!ask.origin.loopback && this.#control.take(connection.text) > 0) connection.close(CLOSE.rate, "connects too often");
    return connection;
  }

  async #message(connection: Connection, frame: Uint8Array): Promise<void> {
    this.messages++;
    const read = readSignaling(frame, this.#limits.signaling.frameBytesMax);
    if (!read.ok) {
      connection.close(CLOSE.protocol, read.fault.message.slice(0, 100));
      return;
    }
    const envelope = read.value;
    const refusal = await this.#take(connection, envelope).catch((error: unknown) => this.#failure(error));
    if (refusal === undefined) return;
    this.#count(refusal);
    // About the connection, not about what was asked.
    const isConnection = refusal.code === 429 || refusal.code === 410;
    if (isConnection) connection.refuseEnvelope(refusal, envelope.envelopeId);
    else connection.refuse(refusal, envelope.envelopeId);
  }

  async #take(
    connection: Connection, { flow, envelopeId, traceparent, tracestate }: SignalingEnvelope,
  ): Promise<Refusal | undefined> {
    if (flow.case === "peerToServer") return refuse(410, "registration is by HTTP only: POST /ais/register");
    if (flow.case !== "actrToServer" && flow.case !== "actrRelay") {
      return refuse(400, "a node does not send that");
    }
    const isRelay = flow.case === "actrRelay";
    const waitMs = connection.origin.loopback ? 0 : (isRelay ? this.#relay : this.#control).take(connection.text);
    if (waitMs > 0) return refuse(429, "too many messages: pause", { retry_after_ms: waitMs });
    const wrong = await this.#checkSource(connection, flow.value);
    if (wrong !== undefined) return wrong;
    if (flow.case === "actrToServer") {
      await this.#parts.control.take(connection, flow.value.payload, envelopeId);
      return undefined;
    }
    const trace: Trace = { ...traceparent === "" ? {} : { traceparent }, ...tracestate === "" ? {} : { tracestate } };
    const done = await this.#parts.relay.take(connection, flow.value, trace);
    return done.ok ? undefined : done;
  }

  /** The source is who proved itself; a newer credential of the same identity takes the place of the old one. */
  async #checkSource(connection: Connection, message: ActrToSignaling | ActrRelay): Promise<Refusal | undefined> {
    const source = message.source === undefined ? undefined : fromActrId(message.source);
    if (source === undefined || formatNodeId(source) !== connection.text) {
      return refuse(403, "the source is not who proved itself on this connection", { why: "identity_mismatch" });
    }
    const { credential } = message;
    if (credential !== undefined && Buffer.compare(credential.claims, connection.credential.claims) !== 0) {
      const verified = await this.#parts.credentials.verify(credential);
      if (!verified.ok) return verified;
      const [key = new Uint8Array(), own = new Uint8Array()] = [verified.value.node_key, connection.verified.node_key];
      const isSame = verified.value.text === connection.text && Buffer.compare(key, own) === 0;
      if (!isSame) return refuse(403, "the credential is that of another", { why: "identity_mismatch" });
      if (verified.value.expires_at_ms > connection.verified.expires_at_ms) connection.verified = verified.value;
    }
    return this.#checkExpiry(connection);
  }

  #checkExpiry(connection: Connection): Refusal | undefined {
    const { skewMs, graceMs } = this.#limits.identity;
    const overMs = this.#parts.clock.now() - connection.verified.expires_at_ms;
    if (overMs < skewMs) return undefined;
    if (overMs >= graceMs) connection.close(CLOSE.credential, "the credential is over");
    return refuse(401, "the credential is over: renew it", { why: "permission_denied" });
  }

  /** The world failed: the store, most likely. */
  #failure(error: unknown): Refusal {
    const reason = error instanceof Error ? error.message : String(error);
    this.#parts.log.write({ level: "error", target: "realm", msg: "signaling failed", fields: { reason } });
    return refuse(503, "the realm cannot store anything now", { why: "unavailable", retry_after_ms: 1_000 });
  }

  #count(refusal: Refusal): Refusal {
    this.refused++;
    return refusal;
  }
}
