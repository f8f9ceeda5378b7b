/** Who waits for something with a name. */
import { onAbort } from "@atoll-run/core";

export class Waiters {
  readonly #waiting = new Map<string, Set<() => void>>();

  /** Ends all waits for that name. */
  tell(name: string): void {
    for (const end of this.#waiting.get(name) ?? []) end();
  }

  /** Resolves when it is told; throws the reason of the signal. */
  async next(name: string, signal: AbortSignal): Promise<void> {
    const told = Promise.withResolvers<void>();
    using _ = onAbort(signal, told.reject);
    const all = this.#waiting.get(name) ?? new Set();
    const end = (): void => told.resolve();
    this.#waiting.set(name, all.add(end));
    try {
      await told.promise;
    } finally {
      all.delete(end);
      if (all.size === 0) this.#waiting.delete(name);
    }
  }
}
