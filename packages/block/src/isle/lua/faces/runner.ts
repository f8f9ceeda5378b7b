/** The Lua function under every handler and callback: it takes function and arguments inside the coroutine. */
import type { Work } from "../../thread/tenant.ts";
import type { Tenant } from "../../thread/tenant.ts";
import type { Task } from "../tasks.ts";
import { runLua } from "./face.ts";

const SOURCE = String.raw`
local take, reply, keep = ...
local function call(fn, ...) return fn(...) end
keep(function() return reply(call(take())) end)
`;

export function installRunner(isle: Tenant): void {
  const { state } = isle.vm;
  const work = (): Work => isle.work.get(isle.vm.current as Task) as Work;
  runLua(isle, "runner", SOURCE, [
    (L) => work().take(L),
    (L) => {
      work().reply = work().read(L);
      return 0;
    },
    (L) => {
      state.x.lua_settop(L, 1);
      isle.runner = state.ref(L);
      return 0;
    },
  ]);
}
