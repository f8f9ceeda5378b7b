/** Threads that many blocks share. */
import { createIslePool, type IslePool, type IslePoolOptions } from "@atoll-run/block";
import { luaModule } from "./lua.ts";

/**
 * `home`: where compiled Lua is kept between processes, as `ATOLL_HOME`. Close the pool when no block uses
 * it.
 */
export function createPool(o: IslePoolOptions & { readonly home?: string | undefined } = {}): IslePool {
  return createIslePool(luaModule(o.home), o);
}
