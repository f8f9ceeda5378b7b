/**
 * The functions of the rewritten Lua module that we call. Pointers and states are numbers; `L` is a
 * lua_State.
 */

type Fn0 = () => number;
type Fn1 = (a: number) => number;
type Fn2 = (a: number, b: number) => number;
type Fn3 = (a: number, b: number, c: number) => number;
type Fn4 = (a: number, b: number, c: number, d: number) => number;
type Fn6 = (a: number, b: number, c: number, d: number, e: number, f: number) => number;

export interface LuaExports {
  readonly memory: WebAssembly.Memory;
  readonly budget: WebAssembly.Global<"i32">;
  readonly running: WebAssembly.Global<"i32">;
  readonly push_integer: (L: number, value: number) => void;
  readonly __wasm_call_ctors: () => void;
  readonly malloc: Fn1;
  readonly free: (p: number) => void;
  readonly luaL_newstate: Fn0;
  readonly luaL_openlibs: (L: number) => void;
  readonly luaL_loadbufferx: (L: number, p: number, size: number, name: number, mode: number) => number;
  readonly luaL_ref: Fn2;
  readonly luaL_unref: (L: number, t: number, ref: number) => void;
  readonly luaL_traceback: (L: number, L1: number, msg: number, level: number) => void;
  readonly lua_absindex: Fn2;
  readonly lua_checkstack: Fn2;
  readonly lua_createtable: (L: number, array: number, hash: number) => void;
  readonly lua_dump: Fn4;
  readonly lua_getinfo: Fn3;
  readonly lua_getmetatable: Fn2;
  readonly lua_gettop: Fn1;
  readonly lua_getupvalue: Fn3;
  readonly lua_iscfunction: Fn2;
  readonly lua_isinteger: Fn2;
  readonly lua_isyieldable: Fn1;
  readonly lua_newthread: Fn1;
  readonly lua_newuserdatauv: Fn3;
  readonly lua_next: Fn2;
  readonly lua_pcallk: Fn6;
  readonly lua_pushboolean: (L: number, value: number) => void;
  readonly lua_pushcclosure: (L: number, slot: number, upvalues: number) => void;
  readonly lua_pushinteger: (L: number, value: bigint) => void;
  readonly lua_pushlightuserdata: (L: number, p: number) => void;
  readonly lua_pushlstring: Fn3;
  readonly lua_pushnil: (L: number) => void;
  readonly lua_pushnumber: (L: number, value: number) => void;
  readonly lua_pushvalue: (L: number, index: number) => void;
  readonly lua_rawequal: Fn3;
  readonly lua_rawget: Fn2;
  readonly lua_rawgeti: (L: number, index: number, key: bigint) => number;
  /** 64 bits wide: `LuaState.length` gives it as a number. */
  readonly lua_rawlen: (L: number, index: number) => bigint;
  readonly lua_rawset: (L: number, index: number) => void;
  readonly lua_rawseti: (L: number, index: number, key: bigint) => void;
  readonly lua_resume: Fn4;
  readonly lua_rotate: (L: number, index: number, n: number) => void;
  readonly lua_sethook: (L: number, slot: number, mask: number, count: number) => void;
  readonly lua_setmetatable: Fn2;
  readonly lua_settop: (L: number, index: number) => void;
  readonly lua_setupvalue: Fn3;
  readonly lua_toboolean: Fn2;
  readonly lua_tointegerx: (L: number, index: number, ok: number) => bigint;
  readonly lua_tolstring: Fn3;
  readonly lua_tonumberx: Fn3;
  readonly lua_topointer: Fn2;
  readonly lua_touserdata: Fn2;
  readonly lua_type: Fn2;
  readonly lua_xmove: (from: number, to: number, n: number) => void;
}

/** Type numbers of Lua 5.4 (lua.h). */
export const TYPE = {
  none: -1, nil: 0, boolean: 1, lightuserdata: 2, number: 3, string: 4, table: 5, function: 6, userdata: 7,
  thread: 8,
} as const;
const TYPE_NAMES = ["nil", "boolean", "userdata", "number", "string", "table", "function", "userdata",
  "thread"];

/** Name of a type as Lua's own `type` gives it; an absent argument is "nil" to a person. */
export function typeName(type: number): string {
  return TYPE_NAMES[type] ?? "nil";
}

export const STATUS = { ok: 0, yield: 1, runError: 2, syntaxError: 3, outOfMemory: 4 } as const;
