/**
 * The exports of the stock module that stay: those we call. The other hundred would cost each isle 36 KiB of
 * JavaScript heap, since an instance makes a function object for every export.
 */
import type { LuaExports } from "../lua/exports.ts";

/** Those that the rewriter adds itself. */
type Added = "budget" | "running" | "push_integer";

const KEPT: Readonly<Record<Exclude<keyof LuaExports, Added>, true>> = {
  memory: true, __wasm_call_ctors: true, malloc: true, free: true,
  luaL_newstate: true, luaL_openlibs: true, luaL_loadbufferx: true, luaL_ref: true, luaL_unref: true,
  luaL_traceback: true,
  lua_absindex: true, lua_checkstack: true, lua_createtable: true, lua_dump: true, lua_getinfo: true,
  lua_getmetatable: true,
  lua_gettop: true, lua_getupvalue: true, lua_iscfunction: true, lua_isinteger: true, lua_isyieldable: true,
  lua_newthread: true, lua_newuserdatauv: true, lua_next: true, lua_pcallk: true, lua_pushboolean: true,
  lua_pushcclosure: true, lua_pushinteger: true, lua_pushlightuserdata: true, lua_pushlstring: true,
  lua_pushnil: true,
  lua_pushnumber: true, lua_pushvalue: true, lua_rawequal: true, lua_rawget: true, lua_rawgeti: true,
  lua_rawlen: true,
  lua_rawset: true, lua_rawseti: true, lua_resume: true, lua_rotate: true, lua_sethook: true,
  lua_setmetatable: true, lua_settop: true, lua_setupvalue: true, lua_toboolean: true,
  lua_tointegerx: true, lua_tolstring: true, lua_tonumberx: true, lua_topointer: true,
  lua_touserdata: true, lua_type: true, lua_xmove: true,
};

export function isKept(name: string): boolean {
  return Object.hasOwn(KEPT, name);
}
