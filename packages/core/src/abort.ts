/** Small help around AbortSignal. The reason of a signal says why; the first cause wins. */

/**
 * Calls `hear` once when the signal aborts, at once when it already has. Dispose the result when the wait is
 * over, so that a long-lived signal does not collect listeners.
 */
export function onAbort(signal: AbortSignal | undefined, hear: (reason: unknown) => void): Disposable {
  if (signal === undefined) return { [Symbol.dispose]: () => undefined };
  if (signal.aborted) {
    hear(signal.reason);
    return { [Symbol.dispose]: () => undefined };
  }
  const listener = (): void => hear(signal.reason);
  signal.addEventListener("abort", listener, { once: true });
  return { [Symbol.dispose]: () => signal.removeEventListener("abort", listener) };
}
