/** Inside an isle: `AbortController` and `AbortSignal`, as far as scripts need them. */
import type { Any, Guest } from "./guest.ts";

export function aborting(g: Guest): void {
  const world = globalThis as Any;
  if (typeof world.AbortController !== "undefined") return;

  class AbortSignal {
    aborted = false;
    reason: unknown = undefined;
    onabort: ((event: unknown) => void) | null = null;
    hears = new Set<(event: unknown) => void>();
    addEventListener(type: string, fn: (event: unknown) => void): void {
      if (type === "abort") this.hears.add(fn);
    }
    removeEventListener(_type: string, fn: (event: unknown) => void): void {
      this.hears.delete(fn);
    }
    throwIfAborted(): void {
      if (this.aborted) throw this.reason;
    }
    static abort(reason?: unknown): AbortSignal {
      const control = new AbortController();
      control.abort(reason);
      return control.signal;
    }
    static timeout(ms: number): AbortSignal {
      const control = new AbortController();
      g.after(ms, () => control.abort(g.error("task.timeout", `timed out after ${ms} ms`)));
      return control.signal;
    }
    static any(signals: AbortSignal[]): AbortSignal {
      const control = new AbortController();
      for (const signal of signals) {
        if (signal.aborted) control.abort(signal.reason);
        else signal.addEventListener("abort", () => control.abort(signal.reason));
      }
      return control.signal;
    }
  }
  Object.defineProperty(AbortSignal.prototype, "hears", { enumerable: false, writable: true });

  class AbortController {
    signal = new AbortSignal();
    abort(reason: unknown = g.error("task.cancelled", "task cancelled")): void {
      const { signal } = this;
      if (signal.aborted) return;
      signal.aborted = true;
      signal.reason = reason;
      const event = { type: "abort", target: signal };
      signal.onabort?.(event);
      for (const hear of [...signal.hears]) hear(event);
      signal.hears.clear();
    }
  }
  for (const [name, value] of Object.entries({ AbortController, AbortSignal })) {
    Object.defineProperty(world, name, { value, writable: true, configurable: true });
  }
}
