/** Waiting for a condition instead of for a time. */

export interface UntilOptions {
  /**
   * Milliseconds until the wait fails; default 30,000. Generous: a test must not fail because a machine is
   * busy.
   */
  readonly withinMs?: number;
  /** Milliseconds between two looks; default 5. */
  readonly everyMs?: number;
  /** Says in the error what was waited for. */
  readonly what?: string | (() => string);
}

/**
 * Looks until `condition` gives something true, and gives that. Throws when the time is over, or what it
 * throws.
 */
export async function until<T>(
  condition: () => T | Promise<T>, o: UntilOptions = {},
): Promise<NonNullable<T>> {
  const { withinMs = 30_000, everyMs = 5 } = o;
  const end = performance.now() + withinMs;
  for (;;) {
    const found = await condition();
    if (found) return found;
    if (performance.now() > end) {
      const what = typeof o.what === "function" ? o.what() : o.what;
      throw new Error(`not within ${withinMs} ms: ${what ?? condition.toString()}`);
    }
    await new Promise((resolve) => setTimeout(resolve, everyMs));
  }
}
