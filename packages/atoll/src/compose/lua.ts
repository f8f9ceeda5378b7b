/** The compiled Lua of this process: read or made once, shared with all threads. */
import { join } from "node:path";
import { loadLuaModule } from "@atoll-run/block/internal";

/** Below the home; a name for each form of the file. */
export const LUA_CACHE = join("cache", "lua-5.4.wasm");

let module: WebAssembly.Module | undefined;

/**
 * `home`: where the rewritten bytes are kept from one process to the next; undefined, or a folder that cannot
 * be written, costs 100 ms a process. The first call decides. Throws when the Lua package is missing or is
 * not the one this version was made for.
 */
export function luaModule(home: string | undefined): WebAssembly.Module {
  module ??= loadLuaModule(home === undefined ? {} : { cacheFile: join(home, LUA_CACHE) }).module;
  return module;
}
