/**
 * Finds what a test left open: sockets, timers, children, workers.
 *
 * ```ts
 * const handles = watchHandles();
 * afterEach(() => handles.check());
 * ```
 */
import { until } from "./until.ts";

export interface HandleWatch {
  /** What is open now and was not at the beginning, by the names Node gives: `Timeout`, `TCPSocketWrap`, … */
  open(): string[];
  /** Waits until nothing is; throws with the names of what stays open for `withinMs` (default 5,000). */
  check(o?: { readonly withinMs?: number }): Promise<void>;
}

/** Starts watching; what is open now belongs to someone else. */
export function watchHandles(): HandleWatch {
  const before = countOpen();
  const open = (): string[] => {
    const names: string[] = [];
    for (const [name, count] of countOpen()) {
      for (let i = before.get(name) ?? 0; i < count; i++) names.push(name);
    }
    return names;
  };
  return {
    open,
    check: async ({ withinMs = 5_000 } = {}) => {
      await until(() => open().length === 0, { withinMs, what: () => `still open: ${open().join(", ")}` });
    },
  };
}

function countOpen(): Map<string, number> {
  const counts = new Map<string, number>();
  for (const name of process.getActiveResourcesInfo()) counts.set(name, (counts.get(name) ?? 0) + 1);
  return counts;
}
