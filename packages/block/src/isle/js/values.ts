/** Values of a JavaScript isle as ops and JSON want them. */
import { isFault, stringifyJson, toFaultData } from "@atoll-run/core";
import { luaType } from "../../bridges/arguments.ts";
import type { Value } from "../../bridges/op.ts";
import { blockError } from "../../errors.ts";
import { type Arg, badArgument } from "../lua/arguments.ts";
import { NoForm, pack } from "./pack.ts";

type Declared = readonly Arg[];

/** JSON text; `what` begins the error text, which by rules J names the type that has no form. */
export function toJsonText(value: Value, what: string, namesType = true): string {
  const written = stringifyJson(value ?? null);
  if (written.ok) return written.text;
  throw blockError(written.kind === "depth" ? "json.depth" : "json.encode", `${what}: ${namesType || written.kind !== "type" ? written.problem : written.problem.replace(/: \w+$/, "")}`);
}

/** Arguments in the order of their declaration; throws the general text when one has the wrong type. */
export function checkArgs(fn: string, declared: Declared, given: readonly Value[]): Value[] {
  const rest = declared.at(-1)?.rest === true ? declared.length - 1 : declared.length;
  const values = declared.slice(0, rest).map((arg, i) => checkArg({ fn, arg, index: i + 1 }, given[i]));
  const last = declared[rest];
  if (last === undefined) return values;
  return [...values, ...given.slice(rest).map((value, i) => checkArg({ fn, arg: last, index: rest + i + 1 }, value))];
}

function checkArg({ fn, arg, index }: { fn: string; arg: Declared[number]; index: number }, value: Value): Value {
  const absent = value === undefined || value === null;
  if (arg.type === "json") return absent && arg.optional ? undefined : toJsonText(value, fn);
  if (absent && (arg.optional || arg.type === "any")) return undefined;
  const type = typeof value;
  const isNumber = type === "number" || type === "bigint";
  switch (arg.type) {
    case "string":
      if (type === "string" || value instanceof Uint8Array) return value;
      if (isNumber) return String(value);
      break;
    case "number":
    case "integer": {
      const number = type === "string" && String(value).trim() !== "" ? Number(value) : value;
      const fits = typeof number === "bigint" || (typeof number === "number" && !Number.isNaN(number));
      if (fits && (arg.type === "number" || typeof number === "bigint" || Number.isInteger(number))) return number;
      break;
    }
    case "boolean":
      if (type === "boolean") return value;
      break;
    case "table":
      if (luaType(value) === "table" && !(value instanceof NoForm)) return value;
      break;
    case "function":
      if (value instanceof NoForm && value.ref !== undefined) return value;
      break;
    default: return value;
  }
  throw badArgument(fn, index, arg.type, value instanceof NoForm ? value.type : luaType(value));
}

/** Parameters of a statement: integers bind as int64, others as double. */
export function toSqlParams(params: Value): Value {
  if (params === undefined || params === null) return [];
  if (!Array.isArray(params)) throw badArgument("sql", 2, "table", luaType(params));
  return (params as readonly Value[]).map((value, i) => {
    if (value === undefined || value === null) return null;
    if (typeof value === "boolean") return value ? 1n : 0n;
    if (typeof value === "number") {
      if (Number.isInteger(value)) return BigInt(value);
      if (Number.isFinite(value)) return value;
      const shown = Number.isNaN(value) ? "NaN" : value > 0 ? "inf" : "-inf";
      throw blockError("sql.param", `SQL param #${i + 1} is non-finite (${shown}); use std.sql.null or a finite number`);
    }
    if (typeof value === "string" || typeof value === "bigint" || value instanceof Uint8Array) return value;
    throw blockError("sql.param", `unsupported SQL param type: ${luaType(value)}`);
  });
}

/** What `work` gives, or its fault, for code in the isle. */
export function answered(work: () => Value): string {
  try {
    return pack({ value: work() }).text;
  } catch (error) {
    if (!isFault(error)) throw error;
    return pack({ fault: toFaultData(error) as unknown as Value }).text;
  }
}
