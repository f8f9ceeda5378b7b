/** `std.validate.check`: the pure check over Lua values, which are looked at where they are. */
import { checkData, type ValidType, type ValueView } from "../../../pure/validate.ts";
import type { Tenant } from "../../thread/tenant.ts";
import { badArgument } from "../arguments.ts";
import { TYPE, typeName } from "../exports.ts";
import type { LuaState } from "../state.ts";
import { OutOfMemory } from "../vm-errors.ts";
import { define } from "./face.ts";

/** Steps that a look at one entry counts for. */
const ENTRY_STEPS = 10;

export function installValidate(isle: Tenant): void {
  const { state } = isle.vm;
  define(isle, "std.validate.check", (L) => {
    state.x.lua_settop(L, 2);
    for (const index of [1, 2]) {
      const type = state.x.lua_type(L, index);
      if (type !== TYPE.table) throw badArgument("validate.check", index, "table", typeName(type));
    }
    const view = viewOf(state, L);
    const problems = checkData(view.at(1), view.at(2), view);
    state.push(L, problems.length === 0);
    if (problems.length === 0) state.x.lua_pushnil(L);
    else state.push(L, problems);
    return 2;
  });
}

/**
 * A Lua value: plain ones are read at once. A table is named by its place on the stack, or by its key in a
 * table that has one; it gets its own place when it is first looked into, so that large data needs no room
 * there.
 */
interface Seen {
  readonly type: ValidType;
  readonly value?: string | number | bigint | boolean;
  readonly text: string;
  readonly length: number;
  /** Address: two values of a reference type are equal when theirs are. */
  readonly pointer: number;
  of?: { readonly table: Seen; readonly key: Seen };
  index: number;
}

function viewOf(state: LuaState, L: number): ValueView<Seen> & { at(index: number): Seen } {
  const { x } = state;
  const place = (seen: Seen): number => {
    if (seen.index !== 0 || seen.of === undefined) return seen.index;
    const { table, key } = seen.of;
    const parent = place(table);
    if (x.lua_checkstack(L, 4) === 0) throw new OutOfMemory();
    pushKey(state, L, key);
    x.lua_rawget(L, parent);
    seen.index = x.lua_gettop(L);
    return seen.index;
  };
  return {
    at: (index) => ({ ...look(state, L, index), index }),
    typeOf: (seen) => seen.type,
    get(table, key) {
      const parent = place(table);
      if (x.lua_checkstack(L, 4) === 0) throw new OutOfMemory();
      state.pushText(L, key);
      x.lua_rawget(L, parent);
      const seen = look(state, L, -1);
      if (seen.type === "table") seen.index = x.lua_gettop(L);
      else state.pop(L);
      return seen;
    },
    worked: (steps) => state.worked(steps),
    entries(table, wants) {
      const parent = place(table);
      if (x.lua_checkstack(L, 4) === 0) throw new OutOfMemory();
      const pairs: [Seen, Seen][] = [];
      x.lua_pushnil(L);
      while (x.lua_next(L, parent) !== 0) {
        state.worked(ENTRY_STEPS);
        const key = look(state, L, -2);
        if (wants?.(key) === false) {
          state.pop(L);
          continue;
        }
        const value = look(state, L, -1);
        if (value.type === "table" && key.value === undefined) {
          // a key that cannot be said again: the value stays where it is, below the key
          value.index = x.lua_gettop(L) - 1;
          x.lua_rotate(L, -2, 1);
          if (x.lua_checkstack(L, 4) === 0) throw new OutOfMemory();
        } else {
          value.of = { table, key };
          state.pop(L);
        }
        pairs.push([key, value]);
      }
      return pairs;
    },
    length: (seen) => seen.length,
    toNumber: (seen) => seen.value as number | bigint,
    isTrue: (seen) => seen.type !== "nil" && seen.value !== false,
    toText: (seen) => seen.text,
    isEqual: (a, b) => (a.type === b.type || (isNumber(a) && isNumber(b)))
      && (a.value === undefined ? a.pointer === b.pointer : isNumber(a) ? sameNumber(a, b) : sameBytes(a, b)),
  };
}

function isNumber(seen: Seen): boolean {
  return seen.type === "integer" || seen.type === "number";
}

/** 1 equals 1.0, also when one of them is a bigint. */
function sameNumber(a: Seen, b: Seen): boolean {
  const [one, other] = [a.value as number | bigint, b.value as number | bigint];
  if (typeof one === typeof other) return one === other;
  const [whole, float] = typeof one === "bigint" ? [one, Number(other)] : [other as bigint, Number(one)];
  return Number.isInteger(float) && BigInt(float) === whole;
}

/** Text of bytes that are not UTF-8 is lossy: then it is not what makes strings equal. */
function sameBytes(a: Seen, b: Seen): boolean {
  return a.value === b.value && a.length === b.length;
}

function look(state: LuaState, L: number, index: number): Seen {
  const { x } = state;
  const type = x.lua_type(L, index);
  const plain = { length: 0, pointer: 0, index: 0 };
  switch (type) {
    case TYPE.none:
    case TYPE.nil: return { ...plain, type: "nil", text: "nil" };
    case TYPE.boolean: {
      const value = x.lua_toboolean(L, index) !== 0;
      return { ...plain, type: "boolean", value, text: String(value) };
    }
    case TYPE.number: {
      const value = state.number(L, index);
      // a copy, since turning it into text changes it in its place
      x.lua_pushvalue(L, index);
      const text = state.lossyText(L, -1);
      state.pop(L);
      return { ...plain, type: x.lua_isinteger(L, index) !== 0 ? "integer" : "number", value, text };
    }
    case TYPE.string: {
      const value = state.string(L, index);
      const text = typeof value === "string" ? value : Buffer.from(value).toString("latin1");
      const length = state.length(L, index);
      return { ...plain, type: "string", value: text, text: state.lossyText(L, index), length };
    }
    default: {
      const pointer = x.lua_topointer(L, index);
      const name = typeName(type) as ValidType;
      const length = type === TYPE.table ? state.length(L, index) : 0;
      return { ...plain, type: name, text: `${name}: 0x${pointer.toString(16)}`, length, pointer };
    }
  }
}

function pushKey(state: LuaState, L: number, key: Seen): void {
  if (key.type === "string" && key.text === key.value) state.pushText(L, key.text);
  else if (key.type === "string") state.pushBytes(L, Buffer.from(key.value as string, "latin1"));
  else state.push(L, key.value);
}
