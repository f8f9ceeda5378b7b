/**
 * The thread of the script's isle, started while everything else is still being loaded. Imports nothing more.
 */
import { type IslePlacing, ownThreads } from "@atoll-run/block/internal";

export interface Threads {
  readonly placing: IslePlacing;
  /** Says where the compiled Lua comes from; needed before the first isle is opened. */
  provide(module: () => WebAssembly.Module): void;
}

export function startThreads(): Threads {
  let module: (() => WebAssembly.Module) | undefined;
  const load = (): WebAssembly.Module => {
    if (module === undefined) throw new Error("no Lua was provided for the isles");
    return module();
  };
  return {
    placing: ownThreads(load, { warm: 1 }),
    provide: (given) => {
      module = given;
    },
  };
}
