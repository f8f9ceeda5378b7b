/**
 * A door to the host for Lua code of ours: `ask(op, ...)`. It is never given to scripts, who could name any
 * op.
 */
import type { Value } from "../../../bridges/op.ts";
import type { Tenant } from "../../thread/tenant.ts";
import type { HostFunction } from "../vm.ts";

export function askHost(isle: Tenant): HostFunction {
  const { state } = isle.vm;
  return (L) => {
    const args: Value[] = [];
    const top = state.x.lua_gettop(L);
    for (let index = 2; index <= top; index++) args.push(state.get(L, index));
    return isle.call(L, state.lossyText(L, 1), args);
  };
}
