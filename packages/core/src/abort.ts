/** Small help around AbortSignal. The reason of a signal says why; the first cause wins. */

/**
 * Calls `hear` once when the signal aborts, at once when it already has. Dispose the result when the wait is
 * over, so that a long-lived signal does not collect listeners.
 */
export function onAbort(signal: AbortSignal | undefined, hear: (reason: unknown) => void): Disposable {
  if (signal === undefined) return NOTHING;
  if (signal.aborted) {
    hear(signal.reason);
    return NOTHING;
  }
  return new Listening(signal, hear);
}

const NOTHING: Disposable = { [Symbol.dispose]: () => undefined };

/** A class, since objects with a computed key are slow to make and most calls of a host make one. */
class Listening implements Disposable {
  readonly #signal: AbortSignal;
  readonly #listener: () => void;

  constructor(signal: AbortSignal, hear: (reason: unknown) => void) {
    this.#signal = signal;
    // By a name first: V8 makes a function that is assigned straight to a property as old as the program, and all that it
    // refers to stays until the next major collection.
    const listener = (): void => hear(signal.reason);
    this.#listener = listener;
    signal.addEventListener("abort", listener, { once: true });
  }

  [Symbol.dispose](): void {
    this.#signal.removeEventListener("abort", this.#listener);
  }
}
