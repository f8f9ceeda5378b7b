/** Bounds what a run prints: beyond a total, or faster than a rate, the rest is cut with one notice. */

export interface PrintLimits {
  readonly printBytesMax: number;
  /** Averaged over ten seconds, so that a burst of a whole report is fine. */
  readonly printBytesPerSecondMax: number;
}

const WINDOW_S = 10;

export class PrintMeter {
  readonly #limits: PrintLimits;
  readonly #notice: (text: string) => void;
  #total = 0;
  #windowAt = -Infinity;
  #window = 0;
  #cut = false;

  constructor(limits: PrintLimits, notice: (text: string) => void) {
    this.#limits = limits;
    this.#notice = notice;
  }

  /** The part of `bytes` that may be printed at `now` (monotonic milliseconds). */
  admit(bytes: Uint8Array, now: number): Uint8Array {
    if (now - this.#windowAt > WINDOW_S * 1000) {
      this.#windowAt = now;
      this.#window = 0;
    }
    const total = this.#limits.printBytesMax - this.#total;
    const rate = this.#limits.printBytesPerSecondMax * WINDOW_S - this.#window;
    const room = Math.max(0, Math.min(bytes.length, total, rate));
    this.#total += room;
    this.#window += room;
    if (room < bytes.length && !this.#cut) {
      this.#cut = true;
      this.#notice(total <= rate ? `limit error: output over ${this.#limits.printBytesMax} bytes is cut`
        : `limit error: output over ${this.#limits.printBytesPerSecondMax} bytes a second is cut`);
    }
    return room === bytes.length ? bytes : bytes.subarray(0, room);
  }
}
