/**
 * What the embedded blocks can do beyond a script; made when the first of them is required. Never reachable
 * by scripts, who could name any op.
 *
 * - `own.call(op, ...)`: asks the host; functions among the arguments can be called back until it answers.
 * - `own.settle(op, ...)`: the same, but a soft cancel of the task is told to the host, whose answer is awaited.
 * - `own.json(value)`: JSON text by rules J.
 * - `own.context()`, `own.enter(number)`: a number that a task hands on to the tasks it starts; 0 = none.
 */
import type { Tenant } from "../../thread/tenant.ts";
import { readCall, toArgs } from "../arguments.ts";
import type { Task } from "../tasks.ts";
import type { HostFunction } from "../vm.ts";

const ARGS = toArgs(["op:string", "args:any..."]);

/** A host function that gives the table of doors. */
export function ownDoors(isle: Tenant): HostFunction {
  const { vm } = isle;
  const { state } = vm;
  return (L) => {
    state.x.lua_createtable(L, 0, 5);
    for (const [name, patient] of [["call", false], ["settle", true]] as const) {
      vm.setFunction(L, name, (T) => {
        const { args: [op, ...args], functions } = readCall(isle.reader, T, name, ARGS);
        return isle.call(T, String(op), args, { functions, patient });
      });
    }
    vm.setFunction(L, "json", (T) => {
      isle.json.encodeJ(T, 1, "json.encode");
      return 1;
    });
    vm.setFunction(L, "context", (T) => {
      state.x.push_integer(T, (vm.current as Task).context);
      return 1;
    });
    vm.setFunction(L, "enter", (T) => {
      (vm.current as Task).context = state.x.lua_tonumberx(T, 1, 0);
      return 0;
    });
    return 1;
  };
}
