/** Small helpers that every face uses to put functions and Lua code into an isle. */
import type { Value } from "../../../bridges/op.ts";
import type { Tenant } from "../../thread/tenant.ts";
import { TYPE } from "../exports.ts";
import { callOrThrow, loadOwn } from "../prelude.ts";
import type { HostFunction } from "../vm.ts";

/** Pushes the table at a dotted path of globals, making what is missing: `["std", "kv"]`. */
export function pushTable(isle: Tenant, path: readonly string[]): void {
  const { state } = isle.vm;
  const L = state.main;
  state.pushRef(L, 2);
  for (const key of path) {
    state.pushText(L, key);
    state.x.lua_rawget(L, -2);
    if (state.x.lua_type(L, -1) !== TYPE.table) {
      state.pop(L);
      state.x.lua_createtable(L, 0, 8);
      state.pushText(L, key);
      state.x.lua_pushvalue(L, -2);
      state.x.lua_rawset(L, -4);
    }
    state.x.lua_rotate(L, -2, 1);
    state.pop(L);
  }
}

/** Defines `a.b.c` as a host function. */
export function define(isle: Tenant, name: string, fn: HostFunction): void {
  const path = name.split(".");
  pushTable(isle, path.slice(0, -1));
  isle.vm.setFunction(isle.vm.state.main, path.at(-1) as string, fn);
  isle.vm.state.pop(isle.vm.state.main);
}

/** Runs Lua code of ours with host functions as its arguments; compiled once in a thread. */
export function runLua(
  isle: Tenant, chunk: string, source: string, args: readonly (HostFunction | Value)[],
): void {
  const { vm } = isle;
  loadOwn(vm, `=[atoll ${chunk}]`, source);
  for (const arg of args) {
    if (typeof arg === "function") vm.state.pushFunction(vm.state.main, vm.define(arg));
    else vm.state.push(vm.state.main, arg);
  }
  callOrThrow(vm, args.length, 0);
}
