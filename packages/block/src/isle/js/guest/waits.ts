/** Inside an isle: waits of `std.task`. */
import type { Any, Guest } from "./guest.ts";

export function waits(g: Guest): void {
  const { task } = g.api["std"];

  const duration = (fn: string, ms: Any): number => {
    const given = typeof ms === "bigint" || (typeof ms === "string" && ms.trim() !== "") ? Number(ms) : ms;
    if (typeof given !== "number" || (typeof ms === "string" && given !== given)) throw g.wrongType(fn, 1, "number", ms);
    if (!(given >= 0 && given < Infinity)) throw g.error("script.argument", `${fn}: invalid duration (ms=${ms === Infinity ? "inf" : ms})`);
    if (given > 2 ** 53) throw g.error("script.argument", `${fn}: duration out of range (ms=${ms})`);
    return given;
  };
  const pause = (ms: number, signal?: Any): Promise<void> => new Promise((resolve, reject) => {
    if (g.ending.fault !== undefined) throw g.ending.fault;
    signal?.throwIfAborted();
    const stop = (): void => {
      off();
      reject(signal.reason);
    };
    const off = g.after(ms, () => {
      signal?.removeEventListener("abort", stop);
      if (g.ending.fault === undefined) resolve();
      else reject(g.ending.fault);
    });
    signal?.addEventListener("abort", stop);
  });

  Object.assign(task, {
    sleep: async (ms: unknown, o?: Any) => await pause(duration("std.task.sleep", ms), o?.signal),
    yield: () => pause(0), checkpoint: () => pause(0),
    cancelToken: () => {
      const stop = new (globalThis as Any).AbortController();
      return {
        signal: stop.signal, cancel: () => stop.abort(), isCancelled: () => stop.signal.aborted,
        check: () => stop.signal.throwIfAborted(),
      };
    },
    async withTimeout(ms: unknown, fn: Any, opts: Any = {}) {
      const limit = duration("task.with_timeout", ms);
      if (typeof fn !== "function") throw g.wrongType("task.with_timeout", 2, "function", fn);
      for (const key of Object.keys(g.snake(opts))) {
        if (key !== "grace_ms") {
          throw g.error("script.argument", `task.with_timeout: unknown opts key '${key}' (expected 'grace_ms')`);
        }
      }
      const stop = new (globalThis as Any).AbortController();
      const fault = g.fault({ code: "task.timeout", retry: "later", text: `task.with_timeout: exceeded ${limit} ms` });
      let off: () => void = () => undefined;
      const late = new Promise((_resolve, reject) => {
        off = g.after(limit, () => {
          stop.abort(fault);
          reject(fault);
        });
      });
      try {
        return await Promise.race([Promise.resolve().then(() => fn({ signal: stop.signal })), late]);
      } finally {
        off();
      }
    },
  });
}
