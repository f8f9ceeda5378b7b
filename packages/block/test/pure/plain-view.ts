/**
 * A view for `std.validate` tests on plain values: a list or a record is a table, a Map is a table
 * with any keys. What plain data cannot say is a `Marked` value.
 */
import type { ValidType, ValueView } from "../../src/pure/validate.ts";

/** Stands for a value of a VM that plain data cannot hold: a function, a userdata, the float 8.0. */
export class Marked {
  readonly type: ValidType;
  /** What `tostring` gives in the VM. */
  readonly text: string;
  readonly number: number | undefined;

  constructor(type: ValidType, text: string, number?: number) {
    this.type = type;
    this.text = text;
    this.number = number;
  }
}

export const plainView: ValueView<unknown> = {
  typeOf,
  get: (table, key) => entriesOf(table).find(([name]) => name === key)?.[1],
  entries: entriesOf,
  length: (value) => typeof value === "string" ? Buffer.byteLength(value, "utf8")
    : value instanceof Uint8Array || Array.isArray(value) ? value.length : 0,
  toNumber,
  isTrue: (value) => value !== undefined && value !== null && value !== false,
  toText,
  isEqual: (a, b) => a === b || (isNumeric(a) && isNumeric(b) && isSameNumber(toNumber(a), toNumber(b))),
};

const TYPES: Readonly<Record<string, ValidType>> = {
  boolean: "boolean", bigint: "integer", number: "number", string: "string", function: "function",
};

function typeOf(value: unknown): ValidType {
  if (value === undefined || value === null) return "nil";
  if (value instanceof Marked) return value.type;
  if (value instanceof Uint8Array) return "string";
  if (typeof value === "object") return "table";
  return Number.isInteger(value) ? "integer" : TYPES[typeof value] ?? "userdata";
}

function toText(value: unknown): string {
  if (value instanceof Marked) return value.text;
  if (value instanceof Uint8Array) return Buffer.from(value).toString("utf8");
  const type = typeOf(value);
  return type === "nil" || type === "table" || type === "function" ? type : String(value);
}

function toNumber(value: unknown): number | bigint {
  if (value instanceof Marked) return value.number ?? Number.NaN;
  return typeof value === "bigint" ? value : Number(value);
}

function entriesOf(table: unknown): readonly (readonly [unknown, unknown])[] {
  if (Array.isArray(table)) return table.map((value: unknown, index) => [index + 1, value] as const);
  if (table instanceof Map) return [...table];
  return typeOf(table) === "table" ? Object.entries(table as object) : [];
}

function isNumeric(value: unknown): boolean {
  return typeOf(value) === "integer" || typeOf(value) === "number";
}

/** 1n and 1 are one number; beyond 2^53 a float equals only the integer it is exactly. */
function isSameNumber(a: number | bigint, b: number | bigint): boolean {
  if (typeof a === typeof b) return a === b;
  return Number.isInteger(Number(a)) && Number.isInteger(Number(b)) && BigInt(a) === BigInt(b);
}
