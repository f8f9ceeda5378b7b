/** `std.sql`: parameters keep their Lua type, so that integers bind as int64 and floats as double. */
import type { Value } from "../../../bridges/op.ts";
import { blockError } from "../../../errors.ts";
import type { Tenant } from "../../thread/tenant.ts";
import { badArgument } from "../arguments.ts";
import { TYPE, typeName } from "../exports.ts";
import { define } from "./face.ts";

export function installSql(isle: Tenant): void {
  for (const fn of ["query", "exec"] as const) {
    define(isle, `std.sql.${fn}`, (L) => {
      const { state } = isle.vm;
      const type = state.x.lua_type(L, 1);
      if (type !== TYPE.string && type !== TYPE.number) throw badArgument(`sql.${fn}`, 1, "string", typeName(type));
      return isle.call(L, `std.sql.${fn}`, [state.string(L, 1), readParams(isle, L, fn)]);
    });
  }
}

function readParams(isle: Tenant, L: number, fn: string): Value {
  const { state } = isle.vm;
  const { x } = state;
  const type = x.lua_type(L, 2);
  if (type <= TYPE.nil) return [];
  if (type !== TYPE.table) throw badArgument(`sql.${fn}`, 2, "table", typeName(type));
  const params: Value[] = [];
  const length = state.length(L, 2);
  for (let i = 1; i <= length; i++) {
    x.lua_rawgeti(L, 2, BigInt(i));
    params.push(readParam(isle, L, i));
    state.pop(L);
  }
  return params;
}

function readParam(isle: Tenant, L: number, i: number): Value {
  const { state } = isle.vm;
  const { x } = state;
  const type = x.lua_type(L, -1);
  switch (type) {
    case TYPE.nil: return null;
    case TYPE.boolean: return x.lua_toboolean(L, -1) !== 0 ? 1n : 0n;
    case TYPE.string: return state.string(L, -1);
    case TYPE.number: {
      if (x.lua_isinteger(L, -1) !== 0) return x.lua_tointegerx(L, -1, 0);
      const value = x.lua_tonumberx(L, -1, 0);
      if (Number.isFinite(value)) return value;
      const shown = Number.isNaN(value) ? "NaN" : value > 0 ? "inf" : "-inf";
      throw blockError("sql.param", `SQL param #${i} is non-finite (${shown}); use std.sql.null or a finite number`);
    }
    case TYPE.lightuserdata: if (x.lua_touserdata(L, -1) === 0) return null;
  }
  throw blockError("sql.param", `unsupported SQL param type: ${typeName(type)}`);
}
