/**
 * One open connection to signaling: from the first word to its end.
 *
 * takes envelopes to send; gives what the realm says; promises that each question ends and that its end is told once;
 * refuses to be used after the end; never connects again: that is for the client.
 */
import { nodeError, withDeadline, type Clock, type Fault, type NodeError } from "@atoll-run/core";
import {
  envelopeIds, readSignaling, toActrId, writeSignaling, type ActrRelay, type ActrRelaySchema, type MessageInitShape,
  type SignalingEnvelope,
} from "@atoll-run/core/internal";
import { fromErrorResponse, realmStatus } from "../identity/realm-errors.ts";
import type { RealmDoor, SignalingPipe } from "../identity/realm-door.ts";
import type { Session, SessionSource } from "../identity/session.ts";
import type { LimitsOf } from "../limits.ts";
import { Questions, type Ask, type Told } from "./questions.ts";
import { finishSignaling, openSignaling, type RealmHelloParts } from "./realm-hello.ts";

export interface ConnectionParts extends RealmHelloParts {
  readonly door: RealmDoor;
  readonly clock: Clock;
  readonly session: SessionSource;
}

/** Contract: none throws. */
export interface ConnectionHear {
  /** News that nobody asked for: presence, revocations. */
  news(told: Told): void;
  relay(relay: ActrRelay): void;
  /** The realm wants us to be silent for so long. */
  pause(ms: number): void;
  ended(why: Ended): void;
}

export interface Ended {
  readonly code: number;
  readonly reason: string;
}

export type RelayPayload = NonNullable<MessageInitShape<typeof ActrRelaySchema>["payload"]>;

const PAUSE_MS = 1_000;

export class Connection {
  readonly session: Session;
  readonly #parts: ConnectionParts;
  readonly #hear: ConnectionHear;
  readonly #limits: LimitsOf<"signaling">;
  readonly #questions: Questions;
  readonly #nextId = envelopeIds();
  #pipe: SignalingPipe | undefined;
  #ended: Ended | undefined;
  /** Answers nobody waited for, frames that made no sense. */
  dropped = 0;

  private constructor(parts: ConnectionParts, hear: ConnectionHear, limits: LimitsOf<"signaling">) {
    this.session = parts.session.current();
    this.#parts = parts;
    this.#hear = hear;
    this.#limits = limits;
    this.#questions = new Questions(limits.pendingMax);
  }

  /** Resolves when the realm has answered for the first time. Throws what refused it; nothing is left open then. */
  static async open(
    parts: ConnectionParts, hear: ConnectionHear,
    o: { readonly limits: LimitsOf<"signaling">; readonly features: readonly string[]; readonly signal: AbortSignal },
  ): Promise<Connection> {
    const { clock } = parts;
    const connection = new Connection(parts, hear, o.limits);
    const what = "the connection to signaling";
    try {
      await withDeadline((signal) => connection.#open(o.features, signal), { clock, ms: o.limits.connectMsMax, signal: o.signal, what });
      return connection;
    } catch (error) {
      connection.close(1_000, "given up");
      throw error;
    }
  }

  get ended(): boolean {
    return this.#ended !== undefined;
  }

  /** Throws `node.timed_out`, `node.overloaded`, `node.unavailable`, or what the realm refused it with. */
  async ask(payload: Ask, o: { readonly ms?: number; readonly signal?: AbortSignal | undefined } = {}): Promise<Told> {
    if (this.#pipe === undefined || this.#ended !== undefined) throw notConnected();
    if (this.#pipe.bufferedBytes > this.#limits.bufferedBytesMax) throw slow();
    const id = this.#nextId();
    const source = this.#source();
    const frame = writeSignaling({ envelopeId: id, flow: { case: "actrToServer", value: { ...source, payload } } });
    const send = (): void => this.#pipe?.send(frame);
    const told = await this.#questions.ask(id, send, { clock: this.#parts.clock, ms: o.ms ?? this.#limits.replyMsMax, signal: o.signal });
    if (told.case === "error") throw fromErrorResponse(told.value);
    return told;
  }

  /** False when it could not be sent. */
  relay(target: Parameters<typeof toActrId>[0], payload: RelayPayload): boolean {
    if (this.#pipe === undefined || this.#ended !== undefined) return false;
    if (this.#pipe.bufferedBytes > this.#limits.bufferedBytesMax) return false;
    const value = { ...this.#source(), target: toActrId(target), payload };
    this.#pipe.send(writeSignaling({ envelopeId: this.#nextId(), flow: { case: "actrRelay", value } }));
    return true;
  }

  close(code: number, reason: string): void {
    if (this.#ended !== undefined) return;
    this.#pipe?.close(code, reason);
    this.#end({ code, reason });
  }

  async #open(features: readonly string[], signal: AbortSignal): Promise<void> {
    const opening = openSignaling(this.session, features, this.#parts);
    const pipe = await this.#parts.door.dial({
      headers: opening.headers, query: opening.query, signal,
      hear: { frame: (bytes) => this.#frame(bytes), ended: (code, reason) => this.#end({ code, reason }) },
    });
    if (signal.aborted || this.#ended !== undefined) {
      pipe.close(1_000, "given up");
      throw signal.aborted ? signal.reason : this.#fault();
    }
    this.#pipe = pipe;
    const proof = await finishSignaling(this.session, opening, pipe.headers, { ...this.#parts, signal });
    if (proof !== undefined) pipe.send(proof);
    // Whether the proof was good is known by the first answer only.
    const { keyId } = this.session.credential;
    await this.ask({ case: "getSigningKeyRequest", value: { keyId } }, { signal }).catch((error: unknown) => {
      if (realmStatus(error) !== 404) throw error;
    });
  }

  /** The newest session of the same id: so a renewed credential is shown with the next message. */
  #source(): { source: ReturnType<typeof toActrId>; credential: { keyId: number; claims: Uint8Array; signature: Uint8Array } } {
    const { id, credential } = this.#parts.session.current();
    const { keyId, claims, signature } = credential;
    return { source: toActrId(id), credential: { keyId, claims, signature } };
  }

  #frame(bytes: Uint8Array): void {
    if (this.#ended !== undefined) return;
    const read = readSignaling(bytes, this.#limits.frameBytesMax);
    if (!read.ok) {
      this.dropped++;
      this.close(4_400, "protocol");
      return;
    }
    this.#envelope(read.value);
  }

  #envelope({ flow, replyFor }: SignalingEnvelope): void {
    switch (flow.case) {
      case "serverToActr": {
        const { payload } = flow.value;
        if (replyFor === "") this.#hear.news(payload);
        else if (!this.#questions.answer(replyFor, payload)) this.dropped++;
        return;
      }
      case "envelopeError": {
        const fault = fromErrorResponse(flow.value);
        if (flow.value.code === 429) this.#hear.pause(fault.retry_after_ms ?? PAUSE_MS);
        if (replyFor === "" || !this.#questions.fail(replyFor, fault)) this.dropped++;
        return;
      }
      case "actrRelay": return this.#hear.relay(flow.value);
      default: this.dropped++;
    }
  }

  #end(ended: Ended): void {
    if (this.#ended !== undefined) return;
    this.#ended = ended;
    this.#questions.failAll(this.#fault());
    this.#hear.ended(ended);
  }

  #fault(): NodeError {
    const { code, reason } = this.#ended ?? { code: 1_006, reason: "" };
    const denied = code === 4_401 || code === 4_403;
    return nodeError(denied ? "node.permission_denied" : "node.unavailable", `signaling has ended (${code} ${reason})`.trim(), {
      facts: { close_code: code }, ...denied ? { retry: "never" } : {},
    });
  }
}

export function notConnected(): Fault {
  return nodeError("node.unavailable", "signaling is not connected", {
    hint: "The node connects again by itself; look whether the realm can be reached.",
  });
}

function slow(): Fault {
  return nodeError("node.overloaded", "the realm reads too slowly", { retry_after_ms: 1_000 });
}
