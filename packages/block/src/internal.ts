/** For sister packages: what a program may need before it loads the rest. Each of these stands on little else. */
export { type IslePlacing, ownThreads } from "./isle/host/threads.ts";
export { prepare } from "./isle/host/prepare.ts";
export { loadLuaModule, REWRITTEN_SHA256, sha256, stockLuaBytes } from "./isle/lua-module.ts";
export { type GrantsResult, isRestricting, parseGrants } from "./grants/parse.ts";
export { MESH_ROUTE, nodeMesh } from "./mesh/node-mesh.ts";
export { secretKeyProblem } from "./run/secret-key.ts";
