/** A Lua state with nothing around it: no thread, no tasks, no host. For what is about values only. */
import { tmpdir } from "node:os";
import { join } from "node:path";
import { LuaJson } from "../../src/isle/lua/json.ts";
import { POLL_TICKS } from "../../src/isle/lua/machine.ts";
import { LuaState } from "../../src/isle/lua/state.ts";
import { loadLuaModule } from "../../src/isle/lua-module.ts";

let module: WebAssembly.Module | undefined;

export function luaModule(): WebAssembly.Module {
  module ??= loadLuaModule({ cacheFile: join(tmpdir(), "atoll-block-tests", "lua.wasm") }).module;
  return module;
}

export interface Bare {
  readonly state: LuaState;
  readonly json: LuaJson;
  /** Number of polls so far. */
  polls(): number;
}

export function bareState(o: { bytesMax?: number; ticks?: number } = {}): Bare {
  let polls = 0;
  const state = new LuaState(luaModule(), {
    poll: () => {
      polls++;
      return o.ticks ?? POLL_TICKS;
    },
    call: () => 0, worked: () => undefined, cancelling: () => false, resumed: () => 0, hook: () => undefined, write: () => undefined,
    now: () => 0, sized: () => undefined,
  }, o.bytesMax ?? 256 << 20);
  return { state, json: new LuaJson(state), polls: () => polls };
}

/** Compiles and calls a chunk that gives one value; it is left on top of the stack. */
export function evaluate({ state }: Bare, source: string): void {
  const problem = state.load(state.main, source, "=test");
  if (problem !== undefined) throw new Error(problem);
  if (state.x.lua_pcallk(state.main, 0, 1, 0, 0, 0) !== 0) throw new Error(state.lossyText(state.main, -1));
}
