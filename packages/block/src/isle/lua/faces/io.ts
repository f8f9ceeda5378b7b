/**
 * `io`: files, pipes and the standard streams, as Lua 5.4 has them. The objects live in the isle (io-source.ts) and read
 * ahead; what they write waits in `Tenant.files`; the host has the files themselves. `io.stdout` is what `print` writes to.
 */
import { toFault } from "@atoll-run/core";
import type { Tenant } from "../../thread/tenant.ts";
import type { HostFunction } from "../vm.ts";
import { runLua } from "./face.ts";
import { askHost } from "./host-call.ts";
import { IO_SOURCE } from "./io-source.ts";

export function installIo(isle: Tenant): void {
  const { vm, files } = isle;
  const { state } = vm;
  const { x } = state;
  const put: HostFunction = (L) => {
    const full = files.put(Number(state.number(L, 1)), state.lossyText(L, 2), state.bytesAt(L, 3));
    state.push(L, full);
    return 1;
  };
  const drop: HostFunction = (L) => {
    const id = Number(state.number(L, 1));
    const op = state.lossyText(L, 2);
    if (op === "") files.forget(id);
    else files.drop(id, op);
    return 0;
  };
  /** A userdata of its own for each file: the script can tell it by its type, and cannot make one. */
  const userdata: HostFunction = (L) => {
    x.lua_newuserdatauv(L, 0, 0);
    x.lua_pushvalue(L, 1);
    x.lua_setmetatable(L, -2);
    return 1;
  };
  const print: HostFunction = (L) => {
    vm.host.write(1, state.bytesAt(L, 1));
    return 0;
  };
  const flushPrint: HostFunction = () => {
    isle.flush();
    return 0;
  };
  runLua(isle, "io", IO_SOURCE, [askHost(isle), put, drain(isle), drop, userdata, print, flushPrint]);
}

/** Waits until the host has everything of a file; raises what went wrong with it since the last time. */
function drain(isle: Tenant): HostFunction {
  const { files } = isle;
  const check = (id: number): number => {
    const fault = files.takeFault(id);
    if (fault !== undefined) throw toFault(fault);
    return 0;
  };
  return (L) => {
    const id = Number(isle.vm.state.number(L, 1));
    if (!files.pending(id)) return check(id);
    return isle.call(L, isle.vm.state.lossyText(L, 2), [id, files.take(id)], () => check(id));
  };
}
