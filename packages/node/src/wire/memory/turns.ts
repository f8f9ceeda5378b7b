/** Runs things soon: mostly within this turn of the event loop, but never so many that input and timers starve. */
const SOON_MAX = 64;

export class Turns {
  #soon = 0;
  #resetting = false;

  /** `then` must not throw. */
  soon(then: () => void): void {
    if (this.#soon >= SOON_MAX) {
      setImmediate(then);
      return;
    }
    this.#soon++;
    queueMicrotask(then);
    if (this.#resetting) return;
    this.#resetting = true;
    setImmediate(() => {
      this.#resetting = false;
      this.#soon = 0;
    });
  }
}
