/** Bytes that wait in a wire, and who waits for them to go (spec: node 6.6). */
export interface Marks {
  /** Bytes: above it senders wait. */
  readonly highBytes: number;
  /** Bytes: below it they go on. */
  readonly lowBytes: number;
}

export class WaterMarks {
  readonly #marks: Marks;
  #bytes = 0;
  #high = false;
  #waiting: PromiseWithResolvers<void> | undefined;

  constructor(marks: Marks) {
    this.#marks = marks;
  }

  get bytes(): number {
    return this.#bytes;
  }

  add(bytes: number): void {
    this.#bytes += bytes;
    if (this.#bytes > this.#marks.highBytes) this.#high = true;
  }

  take(bytes: number): void {
    this.#bytes -= bytes;
    if (this.#high && this.#bytes <= this.#marks.lowBytes) {
      this.#high = false;
      this.#wake();
    }
  }

  /** At once when the bytes were never above the high mark, or are below the low one again. */
  drained(): Promise<void> {
    if (!this.#high) return Promise.resolve();
    this.#waiting ??= Promise.withResolvers<void>();
    return this.#waiting.promise;
  }

  /** The wire has ended: nobody waits any longer. */
  release(): void {
    this.#bytes = 0;
    this.#high = false;
    this.#wake();
  }

  #wake(): void {
    this.#waiting?.resolve();
    this.#waiting = undefined;
  }
}
