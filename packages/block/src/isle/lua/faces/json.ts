/** `std.json` (rules S) and the null sentinel `std.sql.null`. */
import type { Tenant } from "../../thread/tenant.ts";
import { badArgument } from "../arguments.ts";
import { TYPE, typeName } from "../exports.ts";
import { define, pushTable } from "./face.ts";

export function installJson(isle: Tenant): void {
  const { state } = isle.vm;
  const { json } = isle;
  for (const [name, pretty] of [["std.json.encode", false], ["std.json.encode_pretty", true]] as const) {
    define(isle, name, (L) => {
      if (state.x.lua_gettop(L) === 0) state.x.lua_pushnil(L);
      json.encodeS(L, 1, pretty);
      return 1;
    });
  }
  define(isle, "std.json.decode", (L) => {
    const type = state.x.lua_type(L, 1);
    if (type !== TYPE.string && type !== TYPE.number) {
      throw badArgument("json.decode", 1, "string", typeName(type));
    }
    json.decodeS(L, 1);
    return 1;
  });
  define(isle, "std.json.array", (L) => {
    const type = state.x.lua_type(L, 1);
    if (type <= TYPE.nil) state.x.lua_createtable(L, 0, 0);
    else if (type !== TYPE.table) throw badArgument("json.array", 1, "table", typeName(type));
    else state.x.lua_pushvalue(L, 1);
    json.markArray(L);
    return 1;
  });
  define(isle, "std.json.read_file", (L) => {
    const type = state.x.lua_type(L, 1);
    if (type !== TYPE.string) throw badArgument("json.read_file", 1, "string", typeName(type));
    return isle.call(L, "std.json.read_file", [state.string(L, 1)], (T, bytes) => {
      state.push(T, bytes);
      json.decodeS(T, -1);
      return 1;
    });
  });
  define(isle, "std.json.write_file", (L) => {
    const type = state.x.lua_type(L, 1);
    if (type !== TYPE.string) throw badArgument("json.write_file", 1, "string", typeName(type));
    const path = state.string(L, 1);
    state.x.lua_settop(L, 2);
    json.encodeS(L, 2, true);
    return isle.call(L, "std.json.write_file", [path, state.bytesAt(L, -1)]);
  });
  if (state.copied) return;
  pushTable(isle, ["std", "sql"]);
  state.pushText(state.main, "null");
  state.x.lua_pushlightuserdata(state.main, 0);
  state.x.lua_rawset(state.main, -3);
  state.pop(state.main);
}
