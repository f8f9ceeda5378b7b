/** Writes protobuf primitives into a buffer that grows. Knows no messages. */
const ENCODER = new TextEncoder();
/** Longer texts are encoded by the platform. */
export const SHORT_TEXT = 127;

/** What one writer leaves to the next: most messages fit, and a fresh buffer costs more than they. One for a process. */
const SPARE_BYTES = 65_536;
let spare: Uint8Array | undefined;

/** Memory of its own costs a small message more than all that is written in it: they share some. */
const SMALL_BYTES = 1_024;
const SHELF_BYTES = 8_192;
let shelf = new Uint8Array(0);
let shelfAt = 0;

function smallCopy(bytes: Uint8Array, count: number): Uint8Array {
  if (shelfAt + count > shelf.length) {
    shelf = new Uint8Array(SHELF_BYTES);
    shelfAt = 0;
  }
  const copy = new Uint8Array(shelf.buffer, shelfAt, count);
  for (let at = 0; at < count; at++) copy[at] = bytes[at] as number;
  shelfAt += count;
  return copy;
}

export class ByteWriter {
  #bytes: Uint8Array;
  #at = 0;

  constructor() {
    this.#bytes = spare ?? new Uint8Array(SPARE_BYTES);
    spare = undefined;
  }

  /** A copy of what was written; the writer must not be used afterwards. */
  finish(): Uint8Array {
    const written = this.#at <= SMALL_BYTES ? smallCopy(this.#bytes, this.#at) : this.#bytes.slice(0, this.#at);
    if (this.#bytes.length === SPARE_BYTES) spare = this.#bytes;
    return written;
  }

  /** Begins a nested message; give what it returns to {@link end}. */
  begin(): number {
    this.#reserve(1);
    return ++this.#at;
  }

  /** Ends the nested message that began at `start`: puts its length before it. Tells the bytes of both. */
  end(start: number): number {
    const length = this.#at - start;
    const more = varintBytes(length) - 1;
    // Room for the length too, which is written while the message behind it does not count as written.
    this.#reserve(more + 5);
    if (more > 0) this.#bytes.copyWithin(start + more, start, this.#at);
    this.#at = start - 1;
    this.u32(length);
    this.#at += length;
    return length + more + 1;
  }

  u32(value: number): void {
    this.#reserve(5);
    let rest = value >>> 0;
    while (rest >= 0x80) {
      this.#bytes[this.#at++] = (rest & 0x7f) | 0x80;
      rest >>>= 7;
    }
    this.#bytes[this.#at++] = rest;
  }

  i32(value: number): void {
    if (value < 0) this.u64(BigInt.asUintN(64, BigInt(value)));
    else this.u32(value);
  }

  u64(value: bigint): void {
    this.#reserve(10);
    // By halves: each step on a whole one would be a bigint of its own.
    const whole = BigInt.asUintN(64, value);
    let low = Number(whole & 0xffff_ffffn);
    let high = Number(whole >> 32n);
    while (high > 0 || low >= 0x80) {
      this.#bytes[this.#at++] = (low & 0x7f) | 0x80;
      low = (low >>> 7 | high << 25) >>> 0;
      high >>>= 7;
    }
    this.#bytes[this.#at++] = low;
  }

  /** A whole number, negative ones as 64 bits. */
  count(value: number): void {
    if (value >= 0 && value <= 0xffff_ffff) this.u32(value);
    else this.u64(BigInt(value));
  }

  float(value: number): void {
    this.#reserve(4);
    new DataView(this.#bytes.buffer).setFloat32(this.#at, value, true);
    this.#at += 4;
  }

  double(value: number): void {
    this.#reserve(8);
    new DataView(this.#bytes.buffer).setFloat64(this.#at, value, true);
    this.#at += 8;
  }

  /** Tells how many were written. */
  bytesField(value: Uint8Array): number {
    this.u32(value.length);
    this.#reserve(value.length);
    this.#bytes.set(value, this.#at);
    this.#at += value.length;
    return value.length + varintBytes(value.length);
  }

  /** A field with a number. */
  number(tag: number, value: number): void {
    this.u32(tag);
    this.u32(value);
  }

  /** A field with bytes. */
  bytesOf(tag: number, value: Uint8Array): void {
    this.u32(tag);
    this.bytesField(value);
  }

  /** A field with a text of at most {@link SHORT_TEXT}; false when it is not ASCII: what was written is of no use. */
  shortText(tag: number, value: string): boolean {
    this.u32(tag);
    return this.#asciiText(value);
  }

  /** Lone surrogates become U+FFFD. */
  text(value: string): void {
    if (value.length <= SHORT_TEXT && this.#asciiText(value)) return;
    this.bytesField(ENCODER.encode(value));
  }

  #asciiText(value: string): boolean {
    this.#reserve(value.length + 1);
    const start = this.#at;
    // Up to 127 bytes the length is one byte, so its place is known before.
    for (let index = 0; index < value.length; index++) {
      const unit = value.charCodeAt(index);
      if (unit >= 0x80) return false;
      this.#bytes[start + 1 + index] = unit;
    }
    this.#bytes[start] = value.length;
    this.#at = start + 1 + value.length;
    return true;
  }

  #reserve(count: number): void {
    if (this.#at + count <= this.#bytes.length) return;
    const wider = new Uint8Array(Math.max(this.#at + count, this.#bytes.length * 2));
    wider.set(this.#bytes.subarray(0, this.#at));
    this.#bytes = wider;
  }
}

function varintBytes(length: number): number {
  return length < 0x80 ? 1 : length < 0x4000 ? 2 : length < 0x20_0000 ? 3 : length < 0x1000_0000 ? 4 : 5;
}
