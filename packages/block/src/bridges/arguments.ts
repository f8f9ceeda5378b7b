/**
 * Reading what a script passed. Types are checked by the isle where they are declared; tables of options only
 * here.
 */
import { blockError } from "../errors.ts";
import type { Value } from "./op.ts";

export type Fields = Readonly<Record<string, Value>>;

/** What Lua calls the type of a value. */
export function luaType(value: Value): string {
  if (value === undefined || value === null) return "nil";
  if (typeof value === "bigint") return "number";
  return typeof value === "object" ? (value instanceof Uint8Array ? "string" : "table") : typeof value;
}

/** Throws `script.argument`: `<where> must be a <wanted>, got <type>`. */
export function wrongType(where: string, wanted: string, got: Value): never {
  throw blockError(
    "script.argument", `${where} must be a ${wanted}, got ${luaType(got)}`, { facts: { where, wanted } },
  );
}

/** A table of options; absent counts as empty, and so does an empty list, which in Lua is the same table. */
export function readFields(where: string, value: Value): Fields {
  if (value === undefined || value === null) return {};
  if (Array.isArray(value) && value.length === 0) return {};
  const isTable = typeof value === "object" && !(value instanceof Uint8Array) && !Array.isArray(value);
  return isTable ? value as Fields : wrongType(where, "table", value);
}

/** A number; text that reads as one counts. Undefined when absent. */
export function readNumber(where: string, value: Value): number | undefined {
  if (value === undefined || value === null) return undefined;
  const number = typeof value === "string" && value.trim() !== "" ? Number(value) : value;
  if (typeof number === "bigint") return Number(number);
  if (typeof number !== "number" || Number.isNaN(number)) return wrongType(where, "number", value);
  return number;
}

/** Text or bytes; a number counts as its digits. Undefined when absent. */
export function readBytes(where: string, value: Value): string | Uint8Array | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value === "number" || typeof value === "bigint") return String(value);
  return typeof value === "string" || value instanceof Uint8Array ? value : wrongType(where, "string", value);
}

/** Text that must be UTF-8. Undefined when absent. */
export function readText(where: string, value: Value): string | undefined {
  const text = readBytes(where, value);
  if (!(text instanceof Uint8Array)) return text;
  const decoded = textOf(text);
  if (decoded !== undefined) return decoded;
  throw blockError("script.argument", `${where} must be valid UTF-8`, { facts: { where } });
}

const STRICT = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Bytes as text; undefined when they are not UTF-8. */
export function textOf(bytes: Uint8Array): string | undefined {
  try {
    return STRICT.decode(bytes);
  } catch {
    return undefined;
  }
}

/** True or false; absent is the default. */
export function readFlag(where: string, value: Value, absent: boolean): boolean {
  if (value === undefined || value === null) return absent;
  return typeof value === "boolean" ? value : wrongType(where, "boolean", value);
}
