/**
 * Messages of a data channel: `u32 message id, u16 index, u16 total, part`, big-endian (spec: wire 5, node
 * 6.5).
 *
 * takes messages, or parts in any order; gives the other; promises that a message comes out once and whole;
 * refuses parts that contradict each other and whatever passes a cap, and is dead from then on; never looks
 * into the bytes.
 */
import { malformed, tooLarge } from "../core-fault.ts";
import type { Fault } from "../fault.ts";
import { WIRE_LIMITS } from "../protocol/wire-limits.ts";
import { plainBytes } from "./read.ts";

export const PART_HEADER_BYTES = 8;
const U16_COUNT = 0x1_0000;
const WHAT = "a message in parts";

/** Cuts messages of one lane in one direction. */
export class MessageCutter {
  readonly #partBytes: number;
  #next: number;

  /** `partBytes`: bytes of one part with its header, at most 65,535. `first` is the first message id. */
  constructor(partBytes: number = WIRE_LIMITS.partBytesMax, first = 0) {
    this.#partBytes = Math.min(partBytes, WIRE_LIMITS.partBytesMax) - PART_HEADER_BYTES;
    this.#next = first >>> 0;
  }

  /** The parts of a message, in order. Throws `codec.too_large` when there would be more than 65,535. */
  cut(message: Uint8Array): Uint8Array[] {
    const total = Math.max(1, Math.ceil(message.length / this.#partBytes));
    if (total >= U16_COUNT) throw tooLarge(WHAT, message.length, this.#partBytes * (U16_COUNT - 1));
    const id = this.#next;
    this.#next = (id + 1) >>> 0;
    return Array.from({ length: total }, (_, index) => {
      const body = message.subarray(index * this.#partBytes, (index + 1) * this.#partBytes);
      const part = new Uint8Array(PART_HEADER_BYTES + body.length);
      const view = new DataView(part.buffer);
      view.setUint32(0, id);
      view.setUint16(4, index);
      view.setUint16(6, total);
      part.set(body, PART_HEADER_BYTES);
      return part;
    });
  }
}

/** What the lanes of one peer may hold together. */
export interface ReassemblyBudget {
  readonly bytesMax: number;
  used: number;
}

export interface JoinerLimits {
  /** One message. */
  readonly messageBytesMax: number;
  readonly openMessagesMax: number;
  /** From the first part of a message to its last. */
  readonly ageMsMax: number;
  /** What is too old is lost there, and no fault. */
  readonly lossy: boolean;
}

interface Open {
  readonly total: number;
  readonly startedAtMs: number;
  readonly parts: Map<number, Uint8Array>;
  bytes: number;
}

/** Joins the parts of one lane in one direction. */
export class MessageJoiner {
  readonly #limits: JoinerLimits;
  readonly #budget: ReassemblyBudget;
  readonly #open = new Map<number, Open>();
  #used = 0;
  #fault: Fault | undefined;

  constructor(limits: JoinerLimits, budget: ReassemblyBudget) {
    this.#limits = limits;
    this.#budget = budget;
  }

  /** What the messages that are not whole count for: their bytes, and 256 for each part. */
  get pending(): number {
    return this.#used;
  }

  /**
   * The message that this part completes. Times are milliseconds of one clock. Throws `codec.malformed` or
   * `codec.too_large`; then everything that was held is let go, and every later call throws the same.
   */
  push(part: Uint8Array, nowMs: number): Uint8Array | undefined {
    if (this.#fault !== undefined) throw this.#fault;
    try {
      return this.#take(plainBytes(part), nowMs);
    } catch (error) {
      throw this.#die(error as Fault);
    }
  }

  /**
   * Lets go of messages that are too old and tells how many they were. On a lane that loses nothing that is a
   * fault, thrown as by `push`.
   */
  expire(nowMs: number): number {
    if (this.#fault !== undefined) throw this.#fault;
    const old = [...this.#open].filter(([, { startedAtMs }]) => nowMs - startedAtMs > this.#limits.ageMsMax);
    if (old.length > 0 && !this.#limits.lossy) throw this.#die(wrong("age"));
    for (const [id, open] of old) this.#drop(id, open);
    return old.length;
  }

  /** Lets go of everything; the budget is free again. */
  close(): void {
    for (const [id, open] of this.#open) this.#drop(id, open);
  }

  #take(part: Uint8Array, nowMs: number): Uint8Array | undefined {
    if (part.length < PART_HEADER_BYTES) throw wrong("truncated");
    const { partBytesMax } = WIRE_LIMITS;
    if (part.length > partBytesMax) throw tooLarge("a part", part.length, partBytesMax);
    const view = new DataView(part.buffer, part.byteOffset);
    const id = view.getUint32(0);
    const index = view.getUint16(4);
    const total = view.getUint16(6);
    const body = part.subarray(PART_HEADER_BYTES);
    if (total === 0 || index >= total) throw wrong("index");
    if (body.length > this.#limits.messageBytesMax) throw this.#tooLarge(body.length);
    const open = this.#open.get(id);
    if (open !== undefined && open.total !== total) throw wrong("total");
    if (total === 1) return body;
    const held = open?.parts.get(index);
    if (held === undefined) return this.#keep(open ?? this.#start(id, total, nowMs), { id, index, body });
    if (!sameBytes(held, body)) throw wrong("repeat");
    return undefined;
  }

  #start(id: number, total: number, nowMs: number): Open {
    if (this.#open.size >= this.#limits.openMessagesMax) throw wrong("open_messages");
    const open: Open = { total, startedAtMs: nowMs, parts: new Map(), bytes: 0 };
    this.#open.set(id, open);
    return open;
  }

  #keep(
    open: Open, { id, index, body }: { id: number; index: number; body: Uint8Array },
  ): Uint8Array | undefined {
    const cost = body.length + WIRE_LIMITS.partCostBytes;
    const { used, bytesMax } = this.#budget;
    const bytes = open.bytes + body.length;
    if (bytes > this.#limits.messageBytesMax) throw this.#tooLarge(bytes);
    if (used + cost > bytesMax) throw tooLarge("messages in parts", used + cost, bytesMax);
    // A copy: the carrier may use its buffer again, and a view would keep all of it.
    open.parts.set(index, body.slice());
    open.bytes = bytes;
    this.#count(cost);
    if (open.parts.size < open.total) return undefined;
    const message = new Uint8Array(open.bytes);
    let at = 0;
    for (let next = 0; next < open.total; next++) {
      const part = open.parts.get(next) as Uint8Array;
      message.set(part, at);
      at += part.length;
    }
    this.#drop(id, open);
    return message;
  }

  #drop(id: number, open: Open): void {
    this.#open.delete(id);
    this.#count(-(open.bytes + open.parts.size * WIRE_LIMITS.partCostBytes));
  }

  #count(bytes: number): void {
    this.#used += bytes;
    this.#budget.used += bytes;
  }

  #tooLarge(bytes: number): Fault {
    return tooLarge(WHAT, bytes, this.#limits.messageBytesMax);
  }

  #die(fault: Fault): Fault {
    // The message that broke a cap was counted before its part was kept: count anew from what is held.
    this.#budget.used -= this.#used;
    this.#used = 0;
    this.#open.clear();
    return this.#fault = fault;
  }
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, index) => byte === b[index]);
}

function wrong(rule: string): Fault {
  return malformed({ what: "part", rule });
}
