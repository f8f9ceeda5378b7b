/**
 * Plain values between JavaScript and the Lua stack: for arguments, options and results; JSON has its own
 * way.
 */
import { JSON_DEPTH_MAX } from "@atoll-run/core";
import type { Value } from "../../bridges/op.ts";
import { blockError } from "../../errors.ts";
import { TYPE, typeName } from "./exports.ts";
import type { LuaMachine } from "./machine.ts";
import { OutOfMemory } from "./vm-errors.ts";

/** What one value costs outside of the VM, beside its text, in bytes. */
const VALUE_BYTES = 16;

type Keep = (L: number, index: number) => number;

/** Value at a stack index. Functions become references when `keep` is given, else undefined. */
export function readValue(state: LuaMachine, L: number, index: number, keep?: Keep): Value {
  return new Reader(state, L, keep).value(index, 0);
}

/** Bytes that a value needs outside of the VM, roughly. */
export function sizeOf(value: Value): number {
  if (typeof value === "string") return VALUE_BYTES + value.length;
  if (typeof value !== "object" || value === null) return VALUE_BYTES;
  if (value instanceof Uint8Array) return VALUE_BYTES + value.length;
  let size = VALUE_BYTES;
  if (Array.isArray(value)) for (const item of value as readonly Value[]) size += sizeOf(item);
  else for (const [key, item] of Object.entries(value)) size += key.length + sizeOf(item);
  return size;
}

class Reader {
  readonly #state: LuaMachine;
  readonly #L: number;
  readonly #keep: Keep | undefined;
  #left: number;

  constructor(state: LuaMachine, L: number, keep: Keep | undefined) {
    this.#state = state;
    this.#L = L;
    this.#keep = keep;
    this.#left = state.bytesLeft;
  }

  value(index: number, depth: number): Value {
    const { x } = this.#state;
    this.#spend(VALUE_BYTES);
    switch (x.lua_type(this.#L, index)) {
      case TYPE.boolean: return x.lua_toboolean(this.#L, index) !== 0;
      case TYPE.number: return this.#state.number(this.#L, index);
      case TYPE.string: return this.#string(index);
      case TYPE.lightuserdata: return x.lua_touserdata(this.#L, index) === 0 ? null : undefined;
      case TYPE.table: return this.#table(x.lua_absindex(this.#L, index), depth);
      case TYPE.function: return this.#keep?.(this.#L, index);
      default: return undefined;
    }
  }

  /**
   * A script may put one long string into a table a million times: what it costs here is bounded by its cap.
   */
  #spend(bytes: number): void {
    this.#state.worked(1 + (bytes >> 6));
    this.#left -= bytes;
    if (this.#left < 0) throw new OutOfMemory();
  }

  #string(index: number): string | Uint8Array {
    this.#spend(this.#state.length(this.#L, index));
    return this.#state.string(this.#L, index);
  }

  #table(index: number, depth: number): Value {
    const { x } = this.#state;
    if (depth >= JSON_DEPTH_MAX || x.lua_checkstack(this.#L, 4) === 0) {
      throw blockError("json.depth", `Lua table nesting too deep for JSON (limit: ${JSON_DEPTH_MAX})`);
    }
    const length = this.#state.length(this.#L, index);
    if (length === 0 || this.#hasOtherKeys(index, length)) return this.#fields(index, depth);
    const list: Value[] = [];
    for (let k = 1; k <= length; k++) {
      x.lua_rawgeti(this.#L, index, BigInt(k));
      list.push(this.value(-1, depth + 1));
      this.#state.pop(this.#L);
    }
    return list;
  }

  /** Is there a key beside 1..length? Then it is no list, and nothing of it may be lost. */
  #hasOtherKeys(index: number, length: number): boolean {
    const { x } = this.#state;
    x.lua_pushnil(this.#L);
    while (x.lua_next(this.#L, index) !== 0) {
      this.#state.worked(1);
      const other = this.#isOther(length);
      this.#state.pop(this.#L);
      if (!other) continue;
      this.#state.pop(this.#L);
      return true;
    }
    return false;
  }

  /**
   * Key and value are on top of the stack. A field `n` that equals the length counts as none (table.pack).
   */
  #isOther(length: number): boolean {
    const { x } = this.#state;
    if (x.lua_isinteger(this.#L, -2) !== 0) {
      const key = x.lua_tonumberx(this.#L, -2, 0);
      return key < 1 || key > length;
    }
    const named = x.lua_type(this.#L, -2) === TYPE.string && this.#state.lossyText(this.#L, -2) === "n";
    return !named || x.lua_isinteger(this.#L, -1) === 0 || x.lua_tonumberx(this.#L, -1, 0) !== length;
  }

  #fields(index: number, depth: number): Value {
    const { x } = this.#state;
    const fields: Record<string, Value> = {};
    x.lua_pushnil(this.#L);
    while (x.lua_next(this.#L, index) !== 0) {
      const value = this.value(-1, depth + 1);
      this.#state.pop(this.#L);
      const key = this.#key();
      // a plain assignment would not make a field called __proto__
      Object.defineProperty(fields, key, { value, enumerable: true, writable: true, configurable: true });
    }
    return fields;
  }

  /** The key on top of the stack. */
  #key(): string {
    const type = this.#state.x.lua_type(this.#L, -1);
    if (type === TYPE.string) {
      this.#spend(this.#state.length(this.#L, -1));
      return this.#state.lossyText(this.#L, -1);
    }
    return type === TYPE.number || type === TYPE.boolean ? String(this.value(-1, 0)) : typeName(type);
  }
}

/** Pushes a value; undefined is nil, null the sentinel. At least one place must be free on the stack. */
export function pushValue(state: LuaMachine, L: number, value: Value): void {
  const { x } = state;
  switch (typeof value) {
    case "number":
      if (Number.isSafeInteger(value) && !Object.is(value, -0)) x.push_integer(L, value);
      else x.lua_pushnumber(L, value);
      return;
    case "bigint": x.lua_pushinteger(L, value); return;
    case "boolean": x.lua_pushboolean(L, value ? 1 : 0); return;
    case "string": state.pushText(L, value); return;
    case "object": pushObject(state, L, value); return;
    default: x.lua_pushnil(L);
  }
}

type ObjectValue = Exclude<Value, undefined | boolean | number | bigint | string>;

function pushObject(state: LuaMachine, L: number, value: ObjectValue): void {
  const { x } = state;
  if (value === null) x.lua_pushlightuserdata(L, 0);
  else if (value instanceof Uint8Array) state.pushBytes(L, value);
  else if (Array.isArray(value)) {
    state.room(L, 4);
    x.lua_createtable(L, value.length, 0);
    (value as readonly Value[]).forEach((item, i) => {
      state.worked(1);
      pushValue(state, L, item);
      x.lua_rawseti(L, -2, BigInt(i + 1));
    });
  } else {
    state.room(L, 4);
    x.lua_createtable(L, 0, 0);
    for (const [key, item] of Object.entries(value)) {
      if (item === undefined) continue;
      state.worked(1);
      state.pushText(L, key);
      pushValue(state, L, item);
      x.lua_rawset(L, -3);
    }
  }
}
