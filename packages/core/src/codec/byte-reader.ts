/**
 * Walks the bytes of one protobuf message, strictly.
 *
 * takes bytes and the name of what they are; gives varints, lengths and texts; promises to stay inside the
 * bytes; refuses (throws `codec.malformed`) what is truncated, too long, out of range or no UTF-8; never
 * copies.
 */
import { malformed } from "../core-fault.ts";
import type { Fault } from "../fault.ts";

const DECODER = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const U32_LIMIT = 0x1_0000_0000;
/** Longer texts are decoded by the platform: put together of characters they would be a chain of pieces. */
const SHORT_TEXT = 10;

export class ByteReader {
  readonly bytes: Uint8Array;
  #view: DataView | undefined;
  /** Where the next read begins. */
  at = 0;
  /** End of the message that is read now; the one around it may go on. */
  end: number;
  /** Names for faults. */
  what: string;
  field: string | undefined;
  #low = 0;
  #high = 0;

  constructor(bytes: Uint8Array, what: string) {
    this.bytes = bytes;
    this.end = bytes.length;
    this.what = what;
  }

  wrong(rule: string): Fault {
    const { what, field, at } = this;
    return malformed({ what, rule, at, ...field === undefined ? {} : { field } });
  }

  u32(): number {
    const first = this.at < this.end ? this.bytes[this.at] as number : 0x80;
    if (first < 0x80) {
      this.at++;
      return first;
    }
    this.#varint();
    if (this.#high !== 0) throw this.wrong("range");
    return this.#low;
  }

  /** Also an enum: negative values are written sign-extended to 64 bits. */
  i32(): number {
    this.#varint();
    const value = this.#low | 0;
    if (this.#high !== (value < 0 ? U32_LIMIT - 1 : 0)) throw this.wrong("range");
    return value;
  }

  u64(): bigint {
    this.#varint();
    return (BigInt(this.#high) << 32n) | BigInt(this.#low);
  }

  i64(): bigint {
    return BigInt.asIntN(64, this.u64());
  }

  /** An unsigned number of milliseconds or bytes; what does not fit a number is its greatest whole one. */
  count(): number {
    this.#varint();
    return Math.min(this.#high * U32_LIMIT + this.#low, Number.MAX_SAFE_INTEGER);
  }

  /** The same with a sign. */
  signedCount(): number {
    this.#varint();
    const high = this.#high | 0;
    const value = high * U32_LIMIT + this.#low;
    return Math.max(Math.min(value, Number.MAX_SAFE_INTEGER), Number.MIN_SAFE_INTEGER);
  }

  bool(): boolean {
    this.#varint();
    return this.#low !== 0 || this.#high !== 0;
  }

  float(): number {
    return this.#numbers().getFloat32(this.skip(4), true);
  }

  double(): number {
    return this.#numbers().getFloat64(this.skip(8), true);
  }

  /** Few messages have such numbers. */
  #numbers(): DataView {
    const { buffer, byteOffset, byteLength } = this.bytes;
    return this.#view ??= new DataView(buffer, byteOffset, byteLength);
  }

  /** The length of what follows, which lies inside the message. */
  length(): number {
    const length = this.u32();
    if (length > this.end - this.at) throw this.wrong("truncated");
    return length;
  }

  /** A view of the bytes that were given. */
  bytesField(): Uint8Array {
    const length = this.length();
    this.at += length;
    return this.bytes.subarray(this.at - length, this.at);
  }

  text(): string {
    const length = this.length();
    const start = this.at;
    this.at += length;
    if (length <= SHORT_TEXT) {
      let text = "";
      let at = start;
      for (; at < this.at; at++) {
        const byte = this.bytes[at] as number;
        if (byte >= 0x80) break;
        text += String.fromCharCode(byte);
      }
      if (at === this.at) return text;
    }
    try {
      return DECODER.decode(this.bytes.subarray(start, this.at));
    } catch {
      this.at = start;
      throw this.wrong("utf8");
    }
  }

  /** Steps over `count` bytes and gives where they began. */
  skip(count: number): number {
    if (count > this.end - this.at) throw this.wrong("truncated");
    this.at += count;
    return this.at - count;
  }

  /** Steps over a value of this wire type. Groups are refused wherever they are. */
  skipValue(wireType: number): void {
    if (wireType === 0) this.#varint();
    else if (wireType === 1) this.skip(8);
    else if (wireType === 2) this.skip(this.length());
    else if (wireType === 5) this.skip(4);
    else throw this.wrong(wireType === 3 || wireType === 4 ? "group" : "wire_type");
  }

  #varint(): void {
    let low = 0;
    let high = 0;
    for (let index = 0; index < 10; index++) {
      if (this.at >= this.end) throw this.wrong("truncated");
      const byte = this.bytes[this.at++] as number;
      const part = byte & 0x7f;
      if (index < 4) low |= part << (7 * index);
      else if (index === 4) { low |= part << 28; high = part >>> 4; }
      else if (index < 9) high |= part << (7 * index - 32);
      // The tenth byte has room for one bit.
      else if (part > 1) throw this.wrong("range");
      else high |= part << 31;
      if (byte < 0x80) {
        this.#low = low >>> 0;
        this.#high = high >>> 0;
        return;
      }
    }
    throw this.wrong("overlong");
  }
}
