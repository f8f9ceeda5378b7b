/** Runs things soon: mostly within this turn of the event loop, but never so many that input and timers starve. */
const SOON_MAX = 64;

export class Soon {
  #count = 0;
  #resetting = false;

  /** `then` must not throw. */
  run(then: () => void): void {
    if (this.#count >= SOON_MAX) {
      setImmediate(then);
      return;
    }
    this.#count++;
    queueMicrotask(then);
    if (this.#resetting) return;
    this.#resetting = true;
    setImmediate(() => {
      this.#resetting = false;
      this.#count = 0;
    });
  }
}
