/** Reads the arguments of a bridge function by its declaration: `name:type` with `?` for an optional one. */
import type { Value } from "../../bridges/op.ts";
import { blockError } from "../../errors.ts";
import { TYPE, typeName } from "./exports.ts";
import type { LuaJson } from "./json.ts";
import type { Kept } from "./kept.ts";
import type { LuaState } from "./state.ts";

export type ArgType = "string" | "number" | "integer" | "boolean" | "table" | "function" | "json" | "any";

export interface Arg {
  readonly name: string;
  readonly type: ArgType;
  readonly optional: boolean;
  /** Stands for all arguments that follow. */
  readonly rest: boolean;
}

/** `["url:string", "opts:table?"]` as data. */
export function toArgs(declared: readonly string[]): Arg[] {
  return declared.map((text) => {
    const [name, type] = text.split(":") as [string, string];
    const rest = type.endsWith("...");
    return { name, type: type.replace(/[?.]+$/, "") as ArgType, optional: type.endsWith("?"), rest };
  });
}

export interface ArgReader {
  readonly state: LuaState;
  readonly json: LuaJson;
  readonly kept: Kept;
}

/**
 * Arguments of a call of the host, and the numbers of the functions among them, to be released when it is
 * over.
 */
export function readCall(
  r: ArgReader, L: number, fn: string, args: readonly Arg[],
): { args: Value[]; functions: readonly number[] } {
  const functions: number[] = [];
  const keep: Keep = (T, index) => {
    const id = r.kept.keep(T, index);
    functions.push(id);
    return id;
  };
  try {
    return { args: readArgs({ ...r, keep }, L, fn, args), functions };
  } catch (error) {
    for (const id of functions) r.kept.release(id);
    throw error;
  }
}

type Keep = (L: number, index: number) => number;
type Reading = Pick<ArgReader, "state" | "json"> & { readonly keep?: Keep };

/**
 * All arguments of a call in order; throws the general text when one has the wrong type. Functions count as
 * absent.
 */
export function readArgs(r: Reading, L: number, fn: string, args: readonly Arg[]): Value[] {
  // pushed: an array that `map` makes may have holes for the engine, and is slow to post
  const values: Value[] = [];
  for (const arg of args) if (!arg.rest) values.push(readArg(r, L, { fn, arg, index: values.length + 1 }));
  const rest = args.at(-1);
  if (rest?.rest === true) {
    const top = r.state.x.lua_gettop(L);
    for (let index = args.length; index <= top; index++) values.push(readArg(r, L, { fn, arg: rest, index }));
  }
  return values;
}

function readArg(r: Reading, L: number, a: { fn: string; arg: Arg; index: number }): Value {
  const { x } = r.state;
  const type = x.lua_type(L, a.index);
  const { arg } = a;
  if (arg.type === "json") {
    return type <= TYPE.nil ? (arg.optional ? undefined : "null") : r.json.encodeText(L, a.index, a.fn);
  }
  if (type <= TYPE.nil && (arg.optional || arg.type === "any")) return undefined;
  switch (arg.type) {
    case "string":
      if (type === TYPE.string || type === TYPE.number) return r.state.string(L, a.index);
      break;
    case "number":
    case "integer":
      if (type === TYPE.number || type === TYPE.string) {
        const value = x.lua_tonumberx(L, a.index, r.state.scratch);
        const ok = r.state.memory.words[r.state.scratch >> 2] !== 0;
        if (ok && arg.type === "number") return type === TYPE.number ? r.state.number(L, a.index) : value;
        if (ok && Number.isInteger(value)) return type === TYPE.number ? r.state.number(L, a.index) : value;
      }
      break;
    case "boolean":
      if (type === TYPE.boolean) return x.lua_toboolean(L, a.index) !== 0;
      break;
    case "table":
      if (type === TYPE.table) return r.state.get(L, a.index, r.keep);
      break;
    case "function":
      if (type === TYPE.function) return r.keep?.(L, a.index);
      break;
    default:
      return r.state.get(L, a.index, r.keep);
  }
  throw badArgument(a.fn, a.index, arg.type, typeName(type));
}

export function badArgument(fn: string, index: number, wanted: string, got: string): Error {
  const article = wanted === "integer" ? "an" : "a";
  const text = `${fn}: argument #${index} must be ${article} ${wanted}, got ${got}`;
  return blockError("script.argument", text, { facts: { fn, index, wanted, got } });
}
