/**
 * One stream for what several write: whole lines only, in the order in which they were finished.
 * takes bytes and who wrote them; gives lines; promises that no line is broken by another; refuses nothing;
 * never holds more than 64 KiB of an unfinished line.
 */

/** An unfinished line beyond this is let through: memory is bounded, and nobody reads such lines. */
const HELD_BYTES_MAX = 65_536;
const LINE_FEED = 10;

export class LineMerger<From> {
  readonly #write: (bytes: Uint8Array) => void | Promise<void>;
  readonly #held = new Map<From, Uint8Array>();
  /** Who wrote the last, unfinished line, when one had to be let through. */
  #open: From | undefined;

  constructor(write: (bytes: Uint8Array) => void | Promise<void>) {
    this.#write = write;
  }

  put(bytes: Uint8Array, from: From): void | Promise<void> {
    const held = this.#held.get(from);
    const all = held === undefined ? bytes : Buffer.concat([held, bytes]);
    const end = all.lastIndexOf(LINE_FEED) + 1;
    const rest = all.subarray(end);
    const isLong = rest.length > HELD_BYTES_MAX;
    if (rest.length > 0 && !isLong) this.#held.set(from, rest.slice());
    else this.#held.delete(from);
    const out = isLong ? all : all.subarray(0, end);
    if (out.length === 0) return undefined;
    const written = this.#write(this.#apart(out, from));
    this.#open = isLong ? from : undefined;
    return written;
  }

  /** Lets the unfinished lines go: nothing more will come. */
  end(): void | Promise<void> {
    const parts = [...this.#held.values()];
    this.#held.clear();
    if (parts.length === 0) return undefined;
    const lines = parts.flatMap((part, i) => (i === 0 ? [part] : [Buffer.of(LINE_FEED), part]));
    return this.#write(Buffer.concat(lines));
  }

  #apart(out: Uint8Array, from: From): Uint8Array {
    return this.#open === undefined || this.#open === from ? out : Buffer.concat([Buffer.of(LINE_FEED), out]);
  }
}
