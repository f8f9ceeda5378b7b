/**
 * A connection to a proved peer (spec: node 6.2 to 6.6; wire 5).
 * takes bodies; gives one binary message for each, and hears the same; promises order and one end; refuses what is no
 * frame; reads nothing for a while from who sends too fast; never looks into a body.
 *
 * There may be ten thousand that do nothing: no timer, no queue and no closure here lives longer than it is needed.
 */
import type { Socket as RawSocket } from "node:net";
import { type Clock, type Lane, type Link, type LinkEnd, type LinkPeer, type Receive } from "@atoll-run/core";
import { cutText, FRAME_HEADER_BYTES, readFrame, writeFrameInto } from "@atoll-run/core/internal";
import type { Chance } from "../../identity/chance.ts";
import type { TokenBucket } from "../token-bucket.ts";
import { isBroken } from "./refusal.ts";
import { MASK_BYTES, maskWhole, wholeHeadBytes, writeWholeHead, type Ears, type RawData, type Socket } from "./ws.ts";

export interface WebSocketLinkParts {
  readonly clock: Clock;
  readonly socket: Socket;
  /** The stream below it. */
  readonly raw: RawSocket;
  readonly peer: LinkPeer;
  readonly inbound: boolean;
  readonly remote_address: string | undefined;
  readonly opening: Uint8Array | undefined;
  /** Shared by all links of the peer. */
  readonly rate: TokenBucket;
  readonly bounds: LinkBounds;
  /** Nobody can guess them. */
  readonly masks: Pick<Chance, "u32">;
  /** Hears when the socket is closed. */
  readonly left: (link: WebSocketLink) => void;
}

export interface LinkBounds {
  readonly messageBytesMax: number;
  readonly highBytes: number;
  readonly lowBytes: number;
}

/** A body that is so much smaller than what it came in is copied, so that it does not keep the rest alive. */
const VIEW_SHARE = 4;
const REASON_BYTES_MAX = 123;
const UNHEARD: Receive = () => undefined;

export class WebSocketLink implements Link, Ears {
  readonly wire = "websocket";
  readonly peer: LinkPeer;
  readonly inbound: boolean;
  declare readonly remote_address?: string;
  declare readonly opening?: Uint8Array;
  readonly ended: Promise<LinkEnd>;
  /** Monotonic: when anything came in, when it was last asked. */
  heardAtMs: number;
  askedAtMs = 0;
  readonly #clock: Clock;
  readonly #socket: Socket;
  readonly #raw: RawSocket;
  readonly #rate: TokenBucket;
  readonly #bounds: LinkBounds;
  readonly #masks: Pick<Chance, "u32">;
  readonly #end: (end: LinkEnd) => void;
  readonly #left: (link: WebSocketLink) => void;
  #gone: PromiseWithResolvers<void> | undefined;
  #receive: Receive = UNHEARD;
  #over = false;
  #corked = false;
  /** Messages that came since the last send. */
  #heard = 0;
  #high = false;
  #room: PromiseWithResolvers<void> | undefined;
  #probes: Set<() => void> | undefined;
  #resting: Disposable | undefined;

  constructor(parts: WebSocketLinkParts) {
    this.peer = parts.peer;
    this.inbound = parts.inbound;
    if (parts.remote_address !== undefined) this.remote_address = parts.remote_address;
    if (parts.opening !== undefined) this.opening = parts.opening;
    this.#clock = parts.clock;
    this.#socket = parts.socket;
    this.#raw = parts.raw;
    this.#rate = parts.rate;
    this.#bounds = parts.bounds;
    this.#masks = parts.masks;
    this.heardAtMs = parts.clock.monotonic();
    const ended = Promise.withResolvers<LinkEnd>();
    this.ended = ended.promise;
    this.#end = ended.resolve;
    this.#left = parts.left;
  }

  /** From now on bodies are heard; before it the socket must be paused. `early`: messages that came before. */
  start(receive: Receive, early: readonly Uint8Array[] = []): void {
    this.#receive = receive;
    this.#socket.hearBy(this);
    for (const message of early) this.message(message, true);
    if (this.#socket.readyState === this.#socket.CLOSED) this.closed(1000);
    else this.#socket.resume();
  }

  get bufferedBytes(): number {
    // The library keeps nothing back: it compresses nothing.
    return this.#over ? 0 : this.#raw.writableLength;
  }

  /** True while nothing is read because the peer sent too fast. */
  get resting(): boolean {
    return this.#resting !== undefined;
  }

  send(lane: Lane, body: Uint8Array): boolean {
    if (this.#over || this.#socket.readyState !== this.#socket.OPEN) return false;
    // All that is sent in one turn leaves with one call of the system. Who sends one for one that came has a lone
    // message: it leaves at once.
    const lone = this.#heard === 1;
    this.#heard = 0;
    if (!this.#corked && !lone) {
      this.#corked = true;
      this.#raw.cork();
      process.nextTick(() => this.#uncork());
    }
    if (this.#raw.writableLength + FRAME_HEADER_BYTES + body.length <= this.#bounds.lowBytes) {
      this.#write(lane, body);
      return true;
    }
    this.#write(lane, body, () => this.#written());
    if (this.#raw.writableLength > this.#bounds.highBytes) this.#high = true;
    return true;
  }

  drained(): Promise<void> {
    if (!this.#high || this.#over) return Promise.resolve();
    this.#room ??= Promise.withResolvers<void>();
    return this.#room.promise;
  }

  async probe(withinMs: number): Promise<boolean> {
    if (this.#over) return false;
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const alive = (): void => resolve(true);
    this.#probes ??= new Set();
    this.#probes.add(alive);
    const timer = this.#clock.after(withinMs, () => resolve(false));
    this.ask();
    try {
      return await Promise.race([promise, this.ended.then(() => false)]);
    } finally {
      timer[Symbol.dispose]();
      this.#probes.delete(alive);
    }
  }

  ask(): void {
    if (this.#over || this.#socket.readyState !== this.#socket.OPEN) return;
    this.askedAtMs = this.#clock.monotonic();
    this.#socket.ping();
  }

  async close(code: number, reason: string): Promise<void> {
    if (!this.#over) {
      this.#finish({ code, reason, broken: isBroken(code) });
      this.#socket.close(code, cutText(reason, REASON_BYTES_MAX));
      // Nothing would be read of its goodbye.
      this.#socket.resume();
    }
    if (this.#socket.readyState === this.#socket.CLOSED) return;
    this.#gone ??= Promise.withResolvers<void>();
    await this.#gone.promise;
  }

  /** Ends it without a word. */
  break(reason: string): void {
    this.#finish({ code: 1006, reason, broken: true });
    this.#socket.terminate();
  }

  /** What the socket tells. */
  message(data: RawData | Uint8Array, isBinary: boolean): void {
    if (this.#over) return;
    const now = this.#clock.monotonic();
    this.heardAtMs = now;
    if (!isBinary || !(data instanceof Uint8Array)) {
      void this.close(4400, "text messages are not for nodes");
      return;
    }
    const read = readFrame(data, this.#bounds.messageBytesMax);
    if (!read.ok) {
      void this.close(read.fault.code === "codec.too_large" ? 4413 : 4400, read.fault.message);
      return;
    }
    if (!this.#rate.take(now) && this.#resting === undefined) this.#rest();
    const { lane, body } = read.value;
    this.#heard++;
    this.#receive(lane, body.length * VIEW_SHARE < body.buffer.byteLength ? body.slice() : body);
  }

  ping(): void {
    this.heardAtMs = this.#clock.monotonic();
  }

  pong(): void {
    this.heardAtMs = this.#clock.monotonic();
    for (const alive of this.#probes ?? []) alive();
  }

  /** All that waits for an end need not wait until the connection is closed on both sides too. */
  leaving(code: number, reason?: Buffer): void {
    this.#finish({ code: code === 1005 ? 1000 : code, reason: reason?.toString() ?? "", broken: isBroken(code) });
  }

  closed(code: number, reason?: Buffer): void {
    this.leaving(code, reason);
    this.#gone?.resolve();
    this.#left(this);
  }

  #write(lane: Lane, body: Uint8Array, written?: () => void): void {
    // One piece of the pool's room, which is let go as soon as it has left; the library would copy the body once more, or
    // write its header apart.
    const length = FRAME_HEADER_BYTES + body.length;
    const headBytes = wholeHeadBytes(length);
    const begin = this.inbound ? headBytes : headBytes + MASK_BYTES;
    const message = Buffer.allocUnsafe(begin + length);
    writeWholeHead(message, length);
    writeFrameInto(message.subarray(begin), { lane, body });
    if (!this.inbound) maskWhole(message, headBytes, this.#masks.u32());
    this.#raw.write(message, written);
  }

  #uncork(): void {
    this.#corked = false;
    this.#raw.uncork();
  }

  #written(): void {
    if (!this.#high || this.#raw.writableLength > this.#bounds.lowBytes) return;
    this.#high = false;
    this.#room?.resolve();
    this.#room = undefined;
  }

  /** Reads nothing until what was taken on credit is paid, also by what came in the same piece of the stream. */
  #rest(): void {
    this.#socket.pause();
    this.#resting = this.#clock.after(this.#rate.debtMs(this.#clock.monotonic()), () => {
      this.#resting = undefined;
      if (this.#rate.debtMs(this.#clock.monotonic()) > 0) this.#rest();
      else this.#socket.resume();
    });
  }

  #finish(end: LinkEnd): void {
    if (this.#over) return;
    this.#over = true;
    this.#resting?.[Symbol.dispose]();
    this.#room?.resolve();
    this.#end(end);
  }
}
