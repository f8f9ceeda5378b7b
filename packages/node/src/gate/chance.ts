/** Random bytes in small pieces: one look at the source gives many. */
const POOL_BYTES = 4_096;
const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));

export class Chance {
  readonly #source: (bytes: number) => Uint8Array;
  #pool: Uint8Array = new Uint8Array();
  #at = 0;

  /** `source` gives so many random bytes. */
  constructor(source: (bytes: number) => Uint8Array) {
    this.#source = source;
  }

  /** For the id of a chain. */
  bytes16(): Uint8Array {
    this.#fill(16);
    return this.#pool.slice(this.#at - 16, this.#at);
  }

  /** So many hex digits, not all 0: at most 64, an even number. */
  hex(digits: number): string {
    const bytes = digits / 2;
    this.#fill(bytes);
    let text = "";
    let sum = 0;
    for (let at = this.#at - bytes; at < this.#at; at++) {
      const byte = this.#pool[at] as number;
      sum += byte;
      text += HEX[byte];
    }
    return sum === 0 ? this.hex(digits) : text;
  }

  #fill(bytes: number): void {
    if (this.#at + bytes > this.#pool.length) {
      this.#pool = this.#source(POOL_BYTES);
      this.#at = 0;
    }
    this.#at += bytes;
  }
}
