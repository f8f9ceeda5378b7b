/**
 * The thread of the script's isle, started while everything else is still being loaded. Imports nothing more.
 */
import { type IslePlacing, ownThreads } from "@atoll-run/block/internal";

export interface Threads {
  readonly placing: IslePlacing;
  /** Says where the compiled Lua comes from; needed before the first isle is opened. */
  provide(module: () => WebAssembly.Module): void;
  /** Settles when every thread is gone, or after a second: a process that exits while one is ending may hang. */
  end(): Promise<void>;
}

const END_MS = 1_000;

export function startThreads(): Threads {
  let module: (() => WebAssembly.Module) | undefined;
  const load = (): WebAssembly.Module => {
    if (module === undefined) throw new Error("no Lua was provided for the isles");
    return module();
  };
  const placing = ownThreads(load, { warm: 1 });
  return {
    placing,
    provide: (given) => {
      module = given;
    },
    end: async () => {
      let timer: NodeJS.Timeout | undefined;
      const late = new Promise<void>((resolve) => {
        timer = setTimeout(resolve, END_MS);
      });
      await Promise.race([placing.close(), late]);
      clearTimeout(timer);
    },
  };
}
