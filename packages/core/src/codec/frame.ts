/**
 * Frames of the direct WebSocket: `u8 payload type, u32 big-endian length, body` (spec: wire 5).
 *
 * takes whole messages, or bytes in any cuts; gives frames; promises the same frames wherever the bytes are
 * cut; refuses an unknown type and a body over its limit before room is made for it; never looks into the
 * body.
 */
import { malformed, tooLarge } from "../core-fault.ts";
import type { Fault } from "../fault.ts";
import { assert } from "../must.ts";
import { plainBytes, toRead, type Read } from "./read.ts";

/** In the order of their numbers; the upper-case name is the label of a data channel. */
export const LANES = [
  "rpc_reliable", "rpc_signal", "stream_reliable", "stream_latency_first", "media_rtp",
] as const;
export type Lane = (typeof LANES)[number];

export interface Frame {
  readonly lane: Lane;
  readonly body: Uint8Array;
}

export const FRAME_HEADER_BYTES = 5;

/** `RPC_RELIABLE` and so on. */
export function laneLabel(lane: Lane): string {
  return lane.toUpperCase();
}

/** The lane of a data channel's label; an unknown one is closed. Media has none: it is a track. */
export function laneOfLabel(label: string): Lane | undefined {
  return LANES.slice(0, 4).find((lane) => laneLabel(lane) === label);
}

/** Reads one WebSocket message, which must be exactly one frame. The body is a view of it. */
export function readFrame(message: Uint8Array, bytesMax: number): Read<Frame> {
  return toRead(() => {
    if (message.length < FRAME_HEADER_BYTES) throw wrong("truncated", message.length);
    const { lane, length } = readHeader(message, bytesMax);
    if (message.length !== FRAME_HEADER_BYTES + length) throw wrong("length", 1);
    return { lane, body: new Uint8Array(message.buffer, message.byteOffset + FRAME_HEADER_BYTES, length) };
  });
}

export function writeFrame(frame: Frame): Uint8Array {
  return writeFrameInto(new Uint8Array(FRAME_HEADER_BYTES + frame.body.length), frame);
}

/** `bytes` have room for it and nothing more: {@link FRAME_HEADER_BYTES} before the body. Gives them back. */
export function writeFrameInto(bytes: Uint8Array, { lane, body }: Frame): Uint8Array {
  const { length } = body;
  bytes[0] = LANES.indexOf(lane);
  bytes[1] = length >>> 24;
  bytes[2] = length >>> 16;
  bytes[3] = length >>> 8;
  bytes[4] = length;
  bytes.set(body, FRAME_HEADER_BYTES);
  return bytes;
}

/** The same frames over a carrier that keeps no boundaries. */
export class FrameDecoder {
  readonly #limit: number;
  /** Header and body of the frame that is not whole yet. */
  #head = new Uint8Array(FRAME_HEADER_BYTES);
  #headBytes = 0;
  #lane: Lane = "rpc_reliable";
  #body: Uint8Array | undefined;
  #length = 0;
  #bodyBytes = 0;
  #fault: Fault | undefined;

  /** `bodyBytesMax`: bytes of one body. */
  constructor(bodyBytesMax: number) {
    assert(bodyBytesMax >= 0, "a limit is not negative");
    this.#limit = bodyBytesMax;
  }

  /** Bytes that wait for the rest of their frame. */
  get pending(): number {
    return this.#headBytes + this.#bodyBytes;
  }

  /**
   * The frames that these bytes complete. Throws `codec.malformed` or `codec.too_large`; frames that were
   * whole before it are given first, the fault then comes with the next call and all later ones.
   */
  push(chunk: Uint8Array): Frame[] {
    const frames: Frame[] = [];
    let rest = plainBytes(chunk);
    while (this.#fault === undefined && rest.length > 0) rest = this.#take(rest, frames);
    if (this.#fault !== undefined && frames.length === 0) throw this.#fault;
    return frames;
  }

  /** At a clean end: throws when a frame is not whole. */
  end(): void {
    if (this.#fault === undefined && this.pending > 0) this.#fault = wrong("truncated", this.pending);
    if (this.#fault !== undefined) throw this.#fault;
  }

  #take(bytes: Uint8Array, frames: Frame[]): Uint8Array {
    if (this.#headBytes < FRAME_HEADER_BYTES) {
      const part = bytes.subarray(0, FRAME_HEADER_BYTES - this.#headBytes);
      this.#head.set(part, this.#headBytes);
      this.#headBytes += part.length;
      if (this.#headBytes === FRAME_HEADER_BYTES) this.#open(frames);
      return bytes.subarray(part.length);
    }
    const part = bytes.subarray(0, this.#length - this.#bodyBytes);
    this.#room(part.length).set(part, this.#bodyBytes);
    this.#bodyBytes += part.length;
    if (this.#bodyBytes === this.#length) this.#give(frames);
    return bytes.subarray(part.length);
  }

  #open(frames: Frame[]): void {
    const head = toRead(() => readHeader(this.#head, this.#limit));
    if (!head.ok) {
      this.#fault = head.fault;
      return;
    }
    this.#lane = head.value.lane;
    this.#length = head.value.length;
    if (this.#length === 0) this.#give(frames);
  }

  /** Grows with what arrives: a length that is only claimed takes no memory. */
  #room(more: number): Uint8Array {
    const need = this.#bodyBytes + more;
    const body = this.#body ?? new Uint8Array(Math.min(this.#length, Math.max(need, 1_024)));
    if (body.length >= need) return this.#body = body;
    const wider = new Uint8Array(Math.min(this.#length, Math.max(need, body.length * 2)));
    wider.set(body.subarray(0, this.#bodyBytes));
    return this.#body = wider;
  }

  #give(frames: Frame[]): void {
    frames.push({ lane: this.#lane, body: this.#body?.subarray(0, this.#length) ?? new Uint8Array() });
    this.#body = undefined;
    this.#headBytes = this.#bodyBytes = this.#length = 0;
  }
}

function readHeader(bytes: Uint8Array, limit: number): { lane: Lane; length: number } {
  const lane = LANES[bytes[0] ?? LANES.length];
  if (lane === undefined) throw wrong("payload_type", 0);
  const at = (index: number): number => bytes[index] ?? 0;
  const length = (at(1) << 24 | at(2) << 16 | at(3) << 8 | at(4)) >>> 0;
  if (length > limit) throw tooLarge("the body of a frame", length, limit);
  return { lane, length };
}

function wrong(rule: string, at: number): Fault {
  return malformed({ what: "frame", rule, at });
}
