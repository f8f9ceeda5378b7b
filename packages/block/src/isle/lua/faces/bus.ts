/** `bus` and `mesh.on`: handlers move to the handler isle unless they are told to stay. */
import { blockError } from "../../../errors.ts";
import type { Value } from "../../../bridges/op.ts";
import type { Tenant } from "../../thread/tenant.ts";
import { badArgument } from "../arguments.ts";
import { TYPE, typeName } from "../exports.ts";
import { moveFunction } from "../moving.ts";
import { define } from "./face.ts";

/** Kind of the fallback handler. */
export const ANY = "__on_any";

export function installBus(isle: Tenant): void {
  define(isle, "bus.on", (L) => {
    const type = isle.vm.state.x.lua_type(L, 1);
    if (type !== TYPE.string && type !== TYPE.number) {
      throw badArgument("bus.on", 1, "string", typeName(type));
    }
    return register(isle, L, { what: "bus.on", kind: isle.vm.state.lossyText(L, 1), fn: 2 });
  });
  define(isle, "bus.on_any", (L) => register(isle, L, { what: "bus.on_any", kind: ANY, fn: 1 }));
  define(isle, "mesh.on", (L) => register(isle, L, { what: "mesh.on", kind: "mesh", fn: 1 }));
}

function register(isle: Tenant, L: number, o: { what: string; kind: string; fn: number }): number {
  const { state } = isle.vm;
  const type = state.x.lua_type(L, o.fn);
  if (type !== TYPE.function) throw badArgument(o.what, o.fn, "function", typeName(type));
  const opts = readOptions(isle, L, o.what, o.fn + 1);
  const stays = isle.setup.role === "handler" || opts["isle"] === "main";
  const functions = stays ? [isle.kept.keep(L, o.fn)] : [];
  const handler: Value = stays
    ? { ref: functions[0] }
    : { moved: moveFunction(isle, L, o.fn, { ...o, chunk: `@bus_handler[${o.kind}]` }) as unknown as Value };
  return isle.call(L, "bus.on", [o.what, o.kind, handler, opts as Value], { functions, keeps: true });
}

function readOptions(isle: Tenant, L: number, what: string, index: number): Record<string, Value> {
  const { state } = isle.vm;
  const type = state.x.lua_type(L, index);
  if (type <= TYPE.nil) return {};
  if (type !== TYPE.table) throw badArgument(what, index, "table", typeName(type));
  const opts = state.get(L, index) as Record<string, Value>;
  const place = opts["isle"];
  if (place !== undefined && place !== "main" && place !== "handler") {
    throw blockError("bus.register", `${what}: opts.isle must be "main" or "handler", got ${String(place)}`);
  }
  return opts;
}
