/**
 * The frames of one connection, one after the other: first the handshake, then messages.
 * A session begins unproved with a deadline, is proved once, and ends once: by either side, or because its queue is full.
 */
import { BoundedQueue, type Clock } from "@atoll-run/core";
import { HELLO_LIMITS } from "@atoll-run/core/internal";
import type { RealmLimits } from "../limits.ts";
import type { Background } from "../store/background.ts";
import { CLOSE, type Connection, type SignalingOut } from "./connection.ts";
import type { Handshake, Handshakes, Proved } from "./handshakes.ts";

/** What a connection is to whoever carries its frames. */
export interface SignalingIn {
  frame(bytes: Uint8Array): void;
  /** A text frame, or anything else that is no binary frame. */
  wrong(): void;
  closed(): void;
}

export interface SessionParts {
  readonly out: SignalingOut;
  readonly handshake: Handshake;
  /** One frame of the handshake, when it is its turn. */
  readonly step: Handshakes["step"];
  readonly background: Background;
  readonly clock: Clock;
  readonly limits: RealmLimits;
  readonly proved: (proved: Proved, out: SignalingOut) => Connection;
  /** Contract: never throws. */
  readonly message: (connection: Connection, frame: Uint8Array) => Promise<void>;
  /** Once. Undefined: it never proved anything. */
  readonly ended: (connection: Connection | undefined) => void;
}

export class Session implements SignalingIn {
  readonly #parts: SessionParts;
  readonly #waiting: BoundedQueue<Uint8Array>;
  #handshake: Handshake;
  #connection: Connection | undefined;
  #timer: Disposable | undefined;
  #bytes = 0;
  #heardAtMs = 0;
  #working = false;
  #over = false;

  constructor(parts: SessionParts) {
    this.#parts = parts;
    this.#handshake = parts.handshake;
    this.#waiting = new BoundedQueue(parts.limits.signaling.waitingMax);
  }

  start(): void {
    if (this.#handshake.kind === "done") this.#prove(this.#handshake.proved);
    else {
      this.#timer = this.#parts.clock.after(this.#parts.limits.signaling.helloMsMax, () => {
        this.end(CLOSE.late, "nothing was proved in time");
      });
    }
  }

  frame(bytes: Uint8Array): void {
    if (this.#over || this.#connection?.closed) return;
    const { clock, limits: { signaling } } = this.#parts;
    this.#heardAtMs = clock.monotonic();
    this.#bytes += bytes.length;
    const bytesMax = this.#connection === undefined ? HELLO_LIMITS.helloBytesMax : signaling.frameBytesMax;
    if (bytes.length > bytesMax) return this.end(CLOSE.large, "the frame is too large");
    const isFull = this.#bytes > signaling.waitingBytesMax || !this.#waiting.push(bytes);
    if (isFull) return this.end(CLOSE.rate, "too many messages at once");
    if (this.#working) return;
    this.#working = true;
    this.#parts.background.run("a message on signaling", () => this.#work());
  }

  wrong(): void {
    this.end(CLOSE.protocol, "only binary frames are read here");
  }

  closed(): void {
    if (this.#connection !== undefined) this.#connection.closed = true;
    this.#finish();
  }

  end(code: number, reason: string): void {
    if (this.#over) return;
    if (this.#connection === undefined) this.#parts.out.close(code, reason);
    else this.#connection.close(code, reason);
    this.#finish();
  }

  async #work(): Promise<void> {
    try {
      for (let frame = this.#waiting.shift(); frame !== undefined && !this.#over; frame = this.#waiting.shift()) {
        this.#bytes -= frame.length;
        if (this.#connection === undefined) await this.#shake(frame);
        else if (!this.#connection.closed) await this.#parts.message(this.#connection, frame);
      }
    } catch (error) {
      this.end(CLOSE.draining, "the realm cannot go on now");
      throw error;
    } finally {
      this.#working = false;
    }
  }

  async #shake(frame: Uint8Array): Promise<void> {
    const step = await this.#parts.step(this.#handshake, frame);
    if (this.#over) return;
    if (!step.ok) return this.end(toCloseCode(step.code), step.text);
    this.#handshake = step.value.next;
    if (step.value.reply !== undefined) this.#parts.out.send(step.value.reply);
    if (this.#handshake.kind === "done") this.#prove(this.#handshake.proved);
  }

  #prove(proved: Proved): void {
    this.#timer?.[Symbol.dispose]();
    const { out } = this.#parts;
    this.#connection = this.#parts.proved(proved, {
      send: (frame) => out.send(frame), buffered: () => out.buffered(),
      close: (code, reason) => {
        out.close(code, reason);
        this.#finish();
      },
    });
    this.#heardAtMs = this.#parts.clock.monotonic();
    this.#watch();
  }

  /** A node pings; whose line is dead without a word is found here. */
  #watch(): void {
    if (this.#over) return;
    const { clock, limits: { signaling } } = this.#parts;
    const leftMs = this.#heardAtMs + signaling.silentMsMax - clock.monotonic();
    if (leftMs <= 0) this.end(CLOSE.late, "nothing was heard for too long");
    else this.#timer = clock.after(leftMs, () => this.#watch());
  }

  #finish(): void {
    if (this.#over) return;
    this.#over = true;
    this.#timer?.[Symbol.dispose]();
    this.#waiting.drain();
    this.#parts.ended(this.#connection);
  }
}

function toCloseCode(code: number): number {
  if (code === 401) return CLOSE.credential;
  if (code === 403) return CLOSE.denied;
  if (code === 429) return CLOSE.rate;
  return code >= 500 ? CLOSE.draining : CLOSE.protocol;
}
