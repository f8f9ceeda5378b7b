/** Those functions of `mcp` that keep a function of the script: it stays in this isle, with its captures. */
import type { Tenant } from "../../thread/tenant.ts";
import { badArgument } from "../arguments.ts";
import { TYPE, typeName } from "../exports.ts";
import { define } from "./face.ts";

const NAMES = [
  "on_progress", "on_log", "on_resource_update", "on_resources_list_changed", "on_tools_list_changed",
  "on_prompts_list_changed", "set_sampling_handler", "set_roots_handler", "set_elicitation_handler",
];

export function installMcp(isle: Tenant): void {
  for (const name of NAMES) define(isle, `mcp.${name}`, (L) => register(isle, L, name));
}

/** `(server, fn)`, or `(fn)` for every server; nil in place of the function ends it. */
function register(isle: Tenant, L: number, name: string): number {
  const { state } = isle.vm;
  const named = state.x.lua_type(L, 1) === TYPE.string;
  const at = named ? 2 : 1;
  const type = state.x.lua_type(L, at);
  if (type > TYPE.nil && type !== TYPE.function) {
    throw badArgument(`mcp.${name}`, at, "function", typeName(type));
  }
  const server = named ? state.lossyText(L, 1) : undefined;
  const functions = type === TYPE.function ? [isle.kept.keep(L, at)] : [];
  return isle.call(L, "mcp.listen", [name, server, functions[0]], { functions, keeps: true });
}
