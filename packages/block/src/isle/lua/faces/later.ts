/**
 * Code of ours that an isle gets only when it is used: most scripts use few bridges, and each costs time and
 * memory in every isle. What a script sees from the start is small functions that pass their calls on.
 */
import type { Value } from "../../../bridges/op.ts";
import type { Tenant } from "../../thread/tenant.ts";
import { callOrThrow, loadOwn } from "../prelude.ts";
import type { HostFunction } from "../vm.ts";
import { numbered, pushNumbered, runLua } from "./face.ts";

/**
 * Late code sees Lua's own functions as they were before the script could replace them, and the globals as
 * `_G`. A function keeps its identity, and its errors name the caller's place: the call is a tail call.
 */
const SOURCE = String.raw`
local keep = ...
local next, type, setmetatable = next, type, setmetatable
local env = {_G = _G}
for name, value in next, _G do if type(value) == "function" then env[name] = value end end
for _, name in next, {"string", "table", "coroutine"} do
  local copy = {}
  for key, value in next, _G[name] do copy[key] = value end
  env[name] = copy
end
env.math = {tointeger = math.tointeger, type = math.type}

local function load(lib, make, ...)
  for name, value in next, make(...) do lib[name] = value end
  setmetatable(lib, nil)
end
keep(env, function(need)
  local lib = setmetatable({}, {__index = function(lib, name)
    load(lib, need())
    return lib[name]
  end})
  return function(name)
    return function(...) return lib[name](...) end
  end
end)
`;

/** Late code of a bridge: a chunk that gives its functions in a table, by the names that `later` is given. */
export interface LateCode {
  readonly source: string;
  /** Arguments of the chunk, after `shared`. */
  readonly args: () => Args;
}

type Args = readonly (HostFunction | Value)[];

/** Sources of all late code of this thread, by chunk name. */
const known = new Map<string, string>();

/** Compiles what no script has asked for yet: for the build. */
export function compileLate(isle: Tenant): void {
  for (const [chunk, source] of known) {
    loadOwn(isle.vm, chunk, source);
    isle.vm.state.pop(isle.vm.state.main);
  }
}

/** To be installed before any face that has late code. */
export function installLater(isle: Tenant): void {
  const { state } = isle.vm;
  runLua(isle, "later", SOURCE, [(L) => {
    state.remember(L, "later");
    state.remember(L, "late globals");
    return 0;
  }]);
}

/**
 * Runs `first`, small Lua code of ours, with `later`, `shared` and `args`. `later(name)` gives a function that
 * calls `name` of the late code, which runs when the first of them is called; `shared` is a table of both.
 */
export function runLazily(
  isle: Tenant, chunk: string, first: { source: string; args?: Args }, late: LateCode,
): void {
  const { vm } = isle;
  const { state } = vm;
  const L = state.main;
  const shared = `shared ${chunk}` as const;
  const name = `=[atoll late ${chunk}]`;
  known.set(name, late.source);
  const need: HostFunction = (T) => {
    loadOwn(vm, name, late.source, T);
    state.pushKnown(T, "late globals");
    state.x.lua_setupvalue(T, -2, 1);
    const args = late.args();
    state.room(T, args.length + 1);
    state.pushKnown(T, shared);
    pushNumbered(isle, T, numbered(isle, args));
    return args.length + 2;
  };
  const needed = vm.define(need);
  const given = numbered(isle, first.args ?? []);
  if (state.copied) return;
  state.x.lua_createtable(L, 0, 0);
  state.remember(L, shared);
  state.pushKnown(L, "later");
  state.pushFunction(L, needed);
  callOrThrow(vm, 1, 1);
  loadOwn(vm, `=[atoll ${chunk}]`, first.source);
  state.x.lua_rotate(L, -2, 1);
  state.pushKnown(L, shared);
  pushNumbered(isle, L, given);
  callOrThrow(vm, given.length + 2, 0);
}
