/** `std.time`: clocks of the machine, and a sleep that lets the other tasks of the isle run. */
import { toSleepMs } from "../../../pure/duration.ts";
import type { Tenant } from "../../thread/tenant.ts";
import { badArgument, readArgs, toArgs } from "../arguments.ts";
import { typeName } from "../exports.ts";
import { define, runLua } from "./face.ts";

const SOURCE = String.raw`
local clock, bad = ...
local type, time = type, std.time
local function finish(begun, ...) return (clock() - begun) / 1000, ... end
function time.measure(fn, ...)
  if type(fn) ~= "function" then bad(fn) end
  return finish(clock(), fn(...))
end
`;

const SECONDS = toArgs(["seconds:number"]);

export function installTime(isle: Tenant): void {
  const { vm } = isle;
  const { x } = vm.state;
  define(isle, "std.time.now", (L) => {
    x.lua_pushnumber(L, vm.host.now() / 1000);
    return 1;
  });
  define(isle, "std.time.millis", (L) => {
    x.push_integer(L, Math.floor(vm.host.now()));
    return 1;
  });
  define(isle, "std.time.sleep", (L) => {
    const [seconds] = readArgs(isle.reader, L, "time.sleep", SECONDS);
    return vm.sleep(L, toSleepMs(Number(seconds)));
  });
  runLua(isle, "time", SOURCE, [
    (L) => {
      x.lua_pushnumber(L, vm.host.monotonic());
      return 1;
    },
    (L) => {
      throw badArgument("time.measure", 1, "function", typeName(x.lua_type(L, 1)));
    },
  ]);
}
