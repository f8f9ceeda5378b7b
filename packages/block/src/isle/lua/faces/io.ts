/**
 * `io`: files, pipes and the standard streams, as Lua 5.4 has them. The objects live in the isle and read
 * ahead; what they write waits in `Tenant.files`; the host has the files themselves. `io.stdout` is what
 * `print` writes to.
 */
import { toFault } from "@atoll-run/core";
import type { Tenant } from "../../thread/tenant.ts";
import type { HostFunction } from "../vm.ts";
import { askHost } from "./host-call.ts";
import { FILES, STREAMS } from "./io/files.ts";
import { LIBRARY } from "./io/library.ts";
import { READING } from "./io/reading.ts";
import { WRITING } from "./io/writing.ts";
import { runLazily } from "./later.ts";

const SOURCE = FILES + READING + WRITING + LIBRARY;

export function installIo(isle: Tenant): void {
  const { state } = isle.vm;
  /** A userdata of its own for each file: the script can tell it by its type, and cannot make one. */
  const userdata: HostFunction = (L) => {
    state.x.lua_newuserdatauv(L, 0, 0);
    state.x.lua_pushvalue(L, 1);
    state.x.lua_setmetatable(L, -2);
    return 1;
  };
  isle.onClose.push(() => isle.files.close());
  runLazily(isle, "io", { source: STREAMS, args: [userdata] },
    { source: SOURCE, args: () => hostFunctions(isle, userdata) });
}

function hostFunctions(isle: Tenant, userdata: HostFunction): HostFunction[] {
  const { vm, files } = isle;
  const { state } = vm;
  const { x } = state;
  const id = (L: number): number => x.lua_tonumberx(L, 1, 0);
  const opened: HostFunction = (L) => {
    files.open(id(L), state.lossyText(L, 2));
    return 0;
  };
  const put: HostFunction = (L) => {
    const p = x.lua_tolstring(L, 2, state.scratch);
    const size = state.memory.words[state.scratch >> 2] as number;
    x.lua_pushboolean(L, files.put(id(L), state.memory.bytes.subarray(p, p + size)) ? 1 : 0);
    return 1;
  };
  const drop: HostFunction = (L) => {
    if (x.lua_toboolean(L, 2) !== 0) files.forget(id(L));
    else files.drop(id(L));
    return 0;
  };
  const print: HostFunction = (L) => {
    vm.host.write(1, state.bytesAt(L, 1));
    return isle.caughtUp(L);
  };
  const flushPrint: HostFunction = () => {
    isle.flush();
    return 0;
  };
  /** Waits until the host has everything of a file; raises what went wrong with it since the last time. */
  const drain: HostFunction = (L) => {
    const file = id(L);
    const check = (): number => {
      const fault = files.takeFault(file);
      if (fault !== undefined) throw toFault(fault);
      return 0;
    };
    return files.pending(file) ? isle.call(L, files.writeOp(file), [file, files.take(file)], check) : check();
  };
  return [askHost(isle), opened, put, drain, drop, userdata, print, flushPrint];
}
