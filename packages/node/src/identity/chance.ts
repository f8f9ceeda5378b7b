/** Random bytes in small pieces: one look at the source gives many. */
const POOL_BYTES = 4_096;
/** More than anybody asks for at once. */
const NOUGHTS = "0".repeat(64);

export class Chance {
  readonly #source: (bytes: number) => Uint8Array;
  #pool: Buffer = Buffer.alloc(0);
  /** The same bytes as hex digits. */
  #digits = "";
  #at = 0;

  /** `source` gives so many random bytes. */
  constructor(source: (bytes: number) => Uint8Array) {
    this.#source = source;
  }

  /** For the id of a chain. */
  bytes16(): Uint8Array {
    return this.bytes(16);
  }

  /** At most {@link POOL_BYTES}. */
  bytes(count: number): Uint8Array {
    const at = this.#take(count);
    return new Uint8Array(this.#pool.buffer, this.#pool.byteOffset + at, count);
  }

  /** So many hex digits, not all 0: an even number. */
  hex(digits: number): string {
    const at = this.#take(digits / 2);
    const text = this.#digits.slice(at * 2, this.#at * 2);
    return text.startsWith("0") && text === NOUGHTS.slice(0, digits) ? this.hex(digits) : text;
  }

  /** 32 bits. */
  u32(): number {
    const at = this.#take(4);
    return this.#pool.readUInt32LE(at);
  }

  /** Where they begin. What was given is never given again. */
  #take(bytes: number): number {
    if (this.#at + bytes > this.#pool.length) {
      const { buffer, byteOffset, length } = this.#source(POOL_BYTES);
      this.#pool = Buffer.from(buffer, byteOffset, length);
      this.#digits = this.#pool.toString("hex");
      this.#at = 0;
    }
    this.#at += bytes;
    return this.#at - bytes;
  }
}
