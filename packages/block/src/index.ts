export * from "./block.ts";
export * from "./config.ts";
export * from "./errors.ts";
export type { ChildWatch, StoreOpeners } from "./run/kit.ts";
export { type IsleCarrier, type IslePlacing, ownThreads } from "./isle/host/threads.ts";
export { loadLuaModule, type LuaModule } from "./isle/lua-module.ts";
export { createIslePool, type IslePool, type IslePoolOptions } from "./isle/host/pool.ts";
export { createLocalMesh, type LocalMesh } from "./mesh/local.ts";
export { toWorkload } from "./workload.ts";
