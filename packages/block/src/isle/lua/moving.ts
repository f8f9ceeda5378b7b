/**
 * A Lua function leaves its isle: bytecode plus what it captured, found by name (spec: block 4.1). What
 * cannot move is refused with the name of the variable.
 */
import { JSON_DEPTH_MAX } from "@atoll-run/core";
import { blockError } from "../../errors.ts";
import type { Capture, MovedFunction } from "../thread/protocol.ts";
import { TYPE, typeName } from "./exports.ts";
import type { LuaJson } from "./json.ts";
import { OutOfMemory } from "./vm-errors.ts";
import type { LuaVm } from "./vm.ts";
import { REGISTRY } from "../wasm/shims.ts";

export interface Mover {
  readonly vm: LuaVm;
  readonly json: LuaJson;
  /** Names of the globals that every isle has from its start. */
  readonly bootGlobals: readonly string[];
}

interface Known {
  readonly module?: string;
  readonly path: readonly string[];
}

const PATH_DEPTH_MAX = 3;

/**
 * Takes the function at an index apart. `what` begins the error texts, e.g. `bus.on`; `kind` is what it is
 * registered for.
 */
export function moveFunction(
  m: Mover, L: number, index: number, o: { what: string; kind: string; chunk: string },
): MovedFunction {
  const { state } = m.vm;
  const { x } = state;
  const fn = x.lua_absindex(L, index);
  if (x.lua_iscfunction(L, fn) !== 0 || isOurs(m, L, fn)) {
    const kinds = "C functions and Rust-bound callbacks are not supported";
    throw blockError("bus.register", `${o.what}: handler must be a pure Lua function (${kinds})`);
  }
  const known = knownValues(m, L);
  const budget = { left: state.bytesLeft };
  state.room(L, 8);
  const captures: Capture[] = [];
  for (let i = 1; ; i++) {
    const name = x.lua_getupvalue(L, fn, i);
    if (name === 0) break;
    const variable = state.cstring(name);
    const refuse = (type: number): never => {
      const text = `${o.what}: handler for '${o.kind}' captures '${variable}' (${typeName(type)}), which cannot`
        + " move to the handler isle; capture plain data, or pass {isle=\"main\"}";
      throw blockError("bus.register", text,
        { facts: { kind: o.kind, name: variable, type: typeName(type) } });
    };
    captures.push(capture({ m, L, known, refuse, budget, seen: [] }, x.lua_gettop(L)));
    state.pop(L);
  }
  x.lua_pushvalue(L, fn);
  const code = state.dump(L);
  state.pop(L);
  return { code, chunk: o.chunk, captures };
}

/** Lua code of ours: a bridge that is written in Lua. */
function isOurs(m: Mover, L: number, index: number): boolean {
  return m.vm.state.chunkName(L, index).startsWith("=[atoll");
}

/** What one captured value costs outside of the VM, beside its text, in bytes. */
const VALUE_BYTES = 48;

interface Capturing {
  readonly m: Mover;
  /** Bytes that what is captured may still take: tables may share their parts, copies do not. */
  readonly budget: { left: number };
  readonly L: number;
  readonly known: ReadonlyMap<number, Known>;
  readonly refuse: (type: number) => never;
  /** Tables above this one, to find cycles. */
  readonly seen: readonly number[];
}

function capture(c: Capturing, index: number): Capture {
  const { state } = c.m.vm;
  const { x } = state;
  const type = x.lua_type(c.L, index);
  state.worked(1);
  c.budget.left -= VALUE_BYTES + (type === TYPE.string ? state.length(c.L, index) : 0);
  if (c.budget.left < 0) throw new OutOfMemory();
  switch (type) {
    case TYPE.nil: return { is: "nil" };
    case TYPE.boolean: return { is: "boolean", value: x.lua_toboolean(c.L, index) !== 0 };
    case TYPE.number:
      return x.lua_isinteger(c.L, index) !== 0 ? { is: "integer", value: x.lua_tointegerx(c.L, index, 0) }
        : { is: "float", value: x.lua_tonumberx(c.L, index, 0) };
    case TYPE.string: return { is: "string", bytes: state.bytesAt(c.L, index) };
    case TYPE.lightuserdata: return x.lua_touserdata(c.L, index) === 0 ? { is: "null" } : c.refuse(type);
    case TYPE.table: return captureTable(c, index);
    case TYPE.function: {
      const known = c.known.get(x.lua_topointer(c.L, index));
      return known === undefined ? c.refuse(type) : { is: "path", ...known };
    }
    default: return c.refuse(type);
  }
}

function captureTable(c: Capturing, index: number): Capture {
  const { state } = c.m.vm;
  const { x } = state;
  const pointer = x.lua_topointer(c.L, index);
  if (isGlobals(c.m, c.L, pointer)) return { is: "globals" };
  const known = c.known.get(pointer);
  if (known !== undefined) return { is: "path", ...known };
  const array = c.m.json.isArray(c.L, index);
  if (!array && x.lua_getmetatable(c.L, index) !== 0) c.refuse(TYPE.table);
  if (c.seen.includes(pointer) || c.seen.length >= JSON_DEPTH_MAX || x.lua_checkstack(c.L, 8) === 0) {
    c.refuse(TYPE.table);
  }
  const inner = { ...c, seen: [...c.seen, pointer] };
  const pairs: [Capture, Capture][] = [];
  x.lua_pushnil(c.L);
  while (x.lua_next(c.L, index) !== 0) {
    const top = x.lua_gettop(c.L);
    pairs.push([capture(inner, top - 1), capture(inner, top)]);
    state.pop(c.L);
  }
  return { is: "table", array, pairs };
}

function isGlobals(m: Mover, L: number, pointer: number): boolean {
  const { state } = m.vm;
  // index 2 of the registry is the table of globals (LUA_RIDX_GLOBALS)
  state.pushRef(L, 2);
  const same = state.x.lua_topointer(L, -1) === pointer;
  state.pop(L);
  return same;
}

/**
 * Functions and tables both isles have: libraries, bridges, loaded modules. Looked up afresh, since scripts
 * may replace them.
 */
function knownValues(m: Mover, L: number): Map<number, Known> {
  const { state } = m.vm;
  const known = new Map<number, Known>();
  state.x.lua_checkstack(L, 16);
  state.pushRef(L, 2);
  for (const name of m.bootGlobals) {
    if (name === "_G" || name === "package") continue;
    state.pushText(L, name);
    state.x.lua_rawget(L, -2);
    note(m, L, known, { path: [name] });
    state.pop(L);
  }
  state.pushText(L, "package");
  state.x.lua_rawget(L, -2);
  if (state.x.lua_type(L, -1) === TYPE.table) noteModules(m, L, known);
  // last, since all modules are in it: they are found by their own names
  note(m, L, known, { path: ["package"] });
  state.pop(L, 2);
  return known;
}

function noteModules(m: Mover, L: number, known: Map<number, Known>): void {
  const { state } = m.vm;
  state.pushText(L, "loaded");
  state.x.lua_rawget(L, -2);
  if (state.x.lua_type(L, -1) === TYPE.table) {
    state.x.lua_pushnil(L);
    while (state.x.lua_next(L, -2) !== 0) {
      if (state.x.lua_type(L, -2) === TYPE.string) {
        const module = state.lossyText(L, -2);
        if (module !== "_G" && module !== "package") note(m, L, known, { module, path: [] });
      }
      state.pop(L);
    }
  }
  state.pop(L);
}

/** Notes the value on top of the stack, and what is in it if it is a table. */
function note(m: Mover, L: number, known: Map<number, Known>, at: Known): void {
  const { state } = m.vm;
  const type = state.x.lua_type(L, -1);
  state.worked(1);
  if (type !== TYPE.table && type !== TYPE.function) return;
  // a function that the script put into a library is its own: the other isle has another one there
  if (type === TYPE.function && at.module === undefined && state.x.lua_iscfunction(L, -1) === 0
    && !isOurs(m, L, -1)) return;
  const pointer = state.x.lua_topointer(L, -1);
  if (known.has(pointer)) return;
  known.set(pointer, at);
  if (type !== TYPE.table || at.path.length >= PATH_DEPTH_MAX) return;
  state.x.lua_pushnil(L);
  while (state.x.lua_next(L, -2) !== 0) {
    if (state.x.lua_type(L, -2) === TYPE.string) {
      note(m, L, known, { ...at, path: [...at.path, state.lossyText(L, -2)] });
    }
    state.pop(L);
  }
}

/** Names of the modules that captured values come from, each once. */
export function modulesOf(captures: readonly Capture[]): string[] {
  const names = new Set<string>();
  const look = (value: Capture): void => {
    if (value.is === "path" && value.module !== undefined) names.add(value.module);
    if (value.is === "table") for (const [key, item] of value.pairs) [key, item].forEach(look);
  };
  captures.forEach(look);
  return [...names];
}

/**
 * Puts a moved function together and leaves it on top of the main stack. Throws when a name it captured is
 * not here. The modules it needs have been required before.
 */
export function loadMoved(m: Mover, moved: MovedFunction): void {
  const { state } = m.vm;
  const L = state.main;
  const problem = state.load(L, moved.code, moved.chunk, "b");
  if (problem !== undefined) throw blockError("bus.register", problem);
  moved.captures.forEach((value, i) => {
    state.room(L, 8);
    release(m, L, value);
    state.x.lua_setupvalue(L, -2, i + 1);
  });
}

function release(m: Mover, L: number, value: Capture): void {
  const { state } = m.vm;
  switch (value.is) {
    case "nil": state.x.lua_pushnil(L); return;
    case "null": state.x.lua_pushlightuserdata(L, 0); return;
    case "globals": state.pushRef(L, 2); return;
    case "boolean": state.x.lua_pushboolean(L, value.value ? 1 : 0); return;
    case "integer": state.x.lua_pushinteger(L, value.value); return;
    case "float": state.x.lua_pushnumber(L, value.value); return;
    case "string": state.pushBytes(L, value.bytes); return;
    case "path": releasePath(m, L, value); return;
    case "table":
      state.x.lua_checkstack(L, 6);
      state.x.lua_createtable(L, 0, value.pairs.length);
      for (const [key, item] of value.pairs) {
        release(m, L, key);
        release(m, L, item);
        state.x.lua_rawset(L, -3);
      }
      if (value.array) m.json.markArray(L);
  }
}

function releasePath(m: Mover, L: number, value: Capture & { is: "path" }): void {
  const { state } = m.vm;
  const name = [value.module ?? [], value.path].flat().join(".");
  const absent = (): Error => blockError("bus.register", `${name} is not in the handler isle`);
  const step = (key: string): void => {
    if (state.x.lua_type(L, -1) !== TYPE.table) throw absent();
    state.pushText(L, key);
    state.x.lua_rawget(L, -2);
    state.x.lua_rotate(L, -2, 1);
    state.pop(L);
  };
  if (value.module === undefined) state.pushRef(L, 2);
  else {
    state.pushText(L, "_LOADED");
    state.x.lua_rawget(L, REGISTRY);
    step(value.module);
  }
  value.path.forEach(step);
  if (state.x.lua_type(L, -1) <= TYPE.nil) throw absent();
}
