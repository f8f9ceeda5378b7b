/** The view of `std.validate` on plain values, as a JavaScript script has them; functions may be marks. */
import type { ValidType, ValueView } from "./validate.ts";

/** Stands for a function where only data can be held: `{ [functionMark]: true }`. */
export const functionMark: unique symbol = Symbol("function");

export const plainView: ValueView<unknown> = {
  typeOf,
  get: (table, key) => entriesOf(table).find(([name]) => name === key)?.[1],
  entries: entriesOf,
  length: (value) => typeof value === "string" ? Buffer.byteLength(value, "utf8")
    : value instanceof Uint8Array ? value.length : Array.isArray(value) ? value.length : 0,
  toNumber: (value) => typeof value === "bigint" ? value : Number(value),
  isTrue: (value) => value !== undefined && value !== null && value !== false,
  toText: (value) => value === undefined || value === null ? "nil"
    : value instanceof Uint8Array ? Buffer.from(value).toString("utf8")
    : typeof value === "object" || typeof value === "function" ? typeOf(value) : String(value),
  isEqual: (a, b) => a === b || (isNumeric(a) && isNumeric(b) && isSameNumber(a, b)),
};

const TYPES: Readonly<Record<string, ValidType>> = {
  boolean: "boolean", bigint: "integer", number: "number", string: "string", function: "function",
};

function typeOf(value: unknown): ValidType {
  if (value === undefined || value === null) return "nil";
  if (value instanceof Uint8Array) return "string";
  if (typeof value === "object") return Object.hasOwn(value, functionMark) ? "function" : "table";
  return Number.isInteger(value) ? "integer" : TYPES[typeof value] ?? "userdata";
}

function entriesOf(table: unknown): readonly (readonly [unknown, unknown])[] {
  if (Array.isArray(table)) return table.map((value: unknown, index) => [index + 1, value] as const);
  return typeof table === "object" && table !== null ? Object.entries(table) : [];
}

/** 1n and 1 are one number; bigint and number compare exactly. */
function isSameNumber(a: number | bigint, b: number | bigint): boolean {
  return !(a < b || a > b) && !Number.isNaN(a) && !Number.isNaN(b);
}

function isNumeric(value: unknown): value is number | bigint {
  return typeof value === "number" || typeof value === "bigint";
}
