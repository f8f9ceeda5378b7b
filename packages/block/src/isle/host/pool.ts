/**
 * A pool of threads that many blocks share. Main and handler isle of one block never share a thread; a VM
 * serves one block, only the thread is used again.
 */
import { cpus } from "node:os";
import { type IslePlacing, IsleThread } from "./threads.ts";

export interface IslePoolOptions {
  /** Threads at most; default: cores, and never below 2, so that main and handler isle can stay apart. */
  readonly max?: number;
  /** Threads started at once. Default 0. */
  readonly warm?: number;
}

export interface IslePool extends IslePlacing, AsyncDisposable {
  readonly threads: number;
}

/**
 * `module`: compiled Lua, see loadLuaModule. Isles of a pool give way to each other every few milliseconds.
 */
export function createIslePool(module: WebAssembly.Module, o: IslePoolOptions = {}): IslePool {
  const max = Math.max(2, o.max ?? cpus().length);
  const threads: IsleThread[] = [];
  const grow = (): IsleThread => {
    const thread = new IsleThread(() => module);
    threads.push(thread);
    return thread;
  };
  for (let i = 0; i < Math.min(o.warm ?? 0, max); i++) grow();
  const close = async (): Promise<void> => {
    await Promise.all(threads.splice(0).map((thread) => thread.terminate()));
  };
  return {
    get threads() {
      return threads.length;
    },
    place(apart) {
      for (let i = threads.length - 1; i >= 0; i--) if (threads[i]?.ended === true) threads.splice(i, 1);
      const free = threads.filter((thread) => thread !== apart).sort((a, b) => a.load - b.load)[0];
      const thread = free !== undefined && (free.load === 0 || threads.length >= max) ? free : grow();
      return { thread, shared: true };
    },
    left: () => undefined,
    close,
    [Symbol.asyncDispose]: close,
  };
}
