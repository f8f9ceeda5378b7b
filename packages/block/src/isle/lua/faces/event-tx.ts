/** `event.tx`: one table for all events of an isle, made when the first comes that has one. */
import { EVENT_TX } from "../../../bridges/event-tx.ts";
import type { Tenant } from "../../thread/tenant.ts";
import { readCall, toArgs } from "../arguments.ts";
import type { Task } from "../tasks.ts";

const METHODS = Object.entries(EVENT_TX).map(([name, args]) => ({ name, args: toArgs(["tx:table", ...args]) }));

/** Its methods mean the event that the calling task belongs to. */
export function installEventTx(isle: Tenant): void {
  const { vm } = isle;
  const { state } = vm;
  let table = 0;
  isle.pushEventTx = (L) => {
    if (table !== 0) return state.pushRef(L, table);
    state.x.lua_createtable(L, 0, METHODS.length);
    for (const { name, args } of METHODS) {
      vm.setFunction(L, name, (T) => {
        const { args: [, ...given] } = readCall(isle.reader, T, `event.tx:${name}`, args);
        return isle.call(T, `event.tx.${name}`, [(vm.current as Task).eventSeq, ...given]);
      });
    }
    state.x.lua_pushvalue(L, -1);
    table = state.ref(L);
  };
}
