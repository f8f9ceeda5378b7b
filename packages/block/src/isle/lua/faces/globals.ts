/** Values the host gives to a script: `arg`, `_PROMPT` and the rest, each as JSON text by rules J. */
import type { Tenant } from "../../thread/tenant.ts";

export function giveGlobals(isle: Tenant): void {
  const { state } = isle.vm;
  const L = state.main;
  state.pushRef(L, 2);
  for (const [name, text] of Object.entries(isle.setup.globals)) {
    state.pushText(L, name);
    isle.json.decodeText(L, text, "J", `globals.${name}`);
    state.x.lua_rawset(L, -3);
  }
  state.pop(L);
}
