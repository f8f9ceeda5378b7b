/**
 * Bytes to lines, in bounded memory. takes chunks in any cuts; gives whole lines; promises that a line of
 * more than `bytesMax` is passed over and told with its two ends.
 */
export type Line =
  | { readonly text: string }
  | { readonly tooLong: number; readonly head: string; readonly tail: string };

const LF = 0x0a;
const CR = 0x0d;
/** Bytes of each end of a line that is too long. */
const END_BYTES = 128;

export class Lines {
  readonly #bytesMax: number;
  #parts: Uint8Array[] = [];
  #bytes = 0;
  #tail = Buffer.alloc(0);

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** Bytes that are held. */
  get pending(): number {
    return Math.min(this.#bytes, this.#bytesMax);
  }

  /** Gives `hear` the lines that end in the chunk, in order. */
  push(chunk: Uint8Array, hear: (line: Line) => void): void {
    for (let start = 0; start < chunk.length;) {
      const end = chunk.indexOf(LF, start);
      if (end >= 0 && this.#bytes === 0 && end - start <= this.#bytesMax) {
        // the usual case: a whole line in one piece
        hear({ text: textOf(chunk.subarray(start, end)) });
        start = end + 1;
        continue;
      }
      this.#keep(chunk.subarray(start, end < 0 ? chunk.length : end));
      if (end < 0) return;
      hear(this.#take());
      start = end + 1;
    }
  }

  /** What came after the last line end; undefined when nothing did. */
  end(): Line | undefined {
    return this.#bytes === 0 ? undefined : this.#take();
  }

  #keep(part: Uint8Array): void {
    if (part.length === 0) return;
    this.#bytes += part.length;
    if (this.#bytes <= this.#bytesMax) {
      this.#parts.push(part);
      return;
    }
    this.#parts = [Buffer.concat(this.#parts).subarray(0, END_BYTES)];
    this.#tail = Buffer.from(Buffer.concat([this.#tail, part]).subarray(-END_BYTES));
  }

  #take(): Line {
    const whole = Buffer.concat(this.#parts);
    const line = this.#bytes <= this.#bytesMax ? { text: textOf(whole) }
      : { tooLong: this.#bytes, head: whole.toString("latin1"), tail: this.#tail.toString("latin1") };
    this.#parts = [];
    this.#bytes = 0;
    this.#tail = Buffer.alloc(0);
    return line;
  }
}

function textOf(line: Uint8Array): string {
  const bytes = line.at(-1) === CR ? line.subarray(0, -1) : line;
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString();
}
