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
  const number = isle.vm.define(fn);
  if (isle.vm.state.copied) return;
  const path = name.split(".");
  pushTable(isle, path.slice(0, -1));
  isle.vm.setNumbered(isle.vm.state.main, path.at(-1) as string, number);
  isle.vm.state.pop(isle.vm.state.main);
}

/** Runs Lua code of ours with host functions as its arguments; compiled once in a thread. */
export function runLua(
  isle: Tenant, chunk: string, source: string, args: readonly (HostFunction | Value)[],
): void {
  const { vm } = isle;
  const given = numbered(isle, args);
  if (vm.state.copied) return;
  loadOwn(vm, `=[atoll ${chunk}]`, source);
  pushNumbered(isle, vm.state.main, given);
  callOrThrow(vm, args.length, 0);
}

/** A value, or the number of a host function. */
export type Numbered = { readonly fn: number } | { readonly value: Value };

/** Gives the host functions among the arguments their numbers. */
export function numbered(isle: Tenant, args: readonly (HostFunction | Value)[]): Numbered[] {
  return args.map((arg) => (typeof arg === "function" ? { fn: isle.vm.define(arg) } : { value: arg }));
}

export function pushNumbered(isle: Tenant, L: number, args: readonly Numbered[]): void {
  for (const arg of args) {
    if ("fn" in arg) isle.vm.state.pushFunction(L, arg.fn);
    else isle.vm.state.push(L, arg.value);
  }
}
