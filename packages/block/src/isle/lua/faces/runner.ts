/**
 * The Lua function under every handler and callback: it takes function and arguments inside the coroutine.
 */
import type { Tenant } from "../../thread/tenant.ts";
import { runLua } from "./face.ts";

const SOURCE = String.raw`
local take, reply, keep = ...
local function call(fn, ...) return fn(...) end
keep(function() return reply(call(take())) end)
`;

export function installRunner(isle: Tenant): void {
  const { state } = isle.vm;
  runLua(isle, "runner", SOURCE, [
    (L) => isle.work.take(L),
    (L) => {
      isle.work.read(L);
      return 0;
    },
    (L) => {
      state.x.lua_settop(L, 1);
      state.remember(L, "runner");
      return 0;
    },
  ]);
}
