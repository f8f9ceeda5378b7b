/** The last bytes of an output, in bounded memory. */
export class OutputRing {
  readonly #max: number;
  #chunks: Uint8Array[] = [];
  #head = 0;
  #bytes = 0;
  #truncated = false;

  /** `max`: bytes kept. */
  constructor(max: number) {
    this.#max = max;
  }

  /** True when earlier bytes were let go. */
  get truncated(): boolean {
    return this.#truncated;
  }

  push(chunk: Uint8Array): void {
    if (chunk.length === 0) return;
    this.#chunks.push(chunk);
    this.#bytes += chunk.length;
    while (this.#bytes > this.#max) {
      const over = this.#bytes - this.#max;
      const first = this.#chunks[this.#head];
      if (first === undefined) break;
      this.#truncated = true;
      const cut = Math.min(over, first.length);
      this.#bytes -= cut;
      if (cut < first.length) this.#chunks[this.#head] = first.subarray(cut);
      else this.#drop();
    }
  }

  /** What is kept, in one piece of its own. */
  bytes(): Uint8Array {
    const all = new Uint8Array(this.#bytes);
    let at = 0;
    for (const chunk of this.#chunks.slice(this.#head)) {
      all.set(chunk, at);
      at += chunk.length;
    }
    return all;
  }

  #drop(): void {
    this.#chunks[this.#head] = new Uint8Array();
    this.#head++;
    if (this.#head < 64 || this.#head * 2 < this.#chunks.length) return;
    this.#chunks = this.#chunks.slice(this.#head);
    this.#head = 0;
  }
}
