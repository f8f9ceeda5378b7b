/** Plain values as `std.validate` sees them: a list or a record is a table. */
import type { ValidType, ValueView } from "./validate.ts";

export const plainView: ValueView<unknown> = {
  typeOf,
  get: (table, key) => entriesOf(table).find(([name]) => name === key)?.[1],
  entries: entriesOf,
  length: (value) => typeof value === "string" ? Buffer.byteLength(value, "utf8")
    : value instanceof Uint8Array || Array.isArray(value) ? value.length : 0,
  toNumber: (value) => (typeof value === "bigint" ? value : Number(value)),
  isTrue: (value) => value !== undefined && value !== null && value !== false,
  toText,
  // 1n and 1 are one number
  isEqual: (a, b) => a === b || (isNumber(a) && isNumber(b) && Number.isInteger(Number(a)) && Number.isInteger(Number(b))
    && BigInt(a as number) === BigInt(b as number)),
};

const TYPES: Readonly<Record<string, ValidType>> = {
  boolean: "boolean", bigint: "integer", number: "number", string: "string", function: "function",
};

function typeOf(value: unknown): ValidType {
  if (value === undefined || value === null) return "nil";
  if (value instanceof Uint8Array) return "string";
  const { type } = value as { type?: unknown };
  if (isNoForm(value)) return type as ValidType;
  if (typeof value === "object") return "table";
  return Number.isInteger(value) ? "integer" : TYPES[typeof value] ?? "userdata";
}

/** A function that could not leave its isle is named by its type. */
function isNoForm(value: unknown): boolean {
  return typeof value === "object" && value !== null && typeof (value as { toJSON?: unknown }).toJSON === "function";
}

function toText(value: unknown): string {
  if (value instanceof Uint8Array) return Buffer.from(value).toString("utf8");
  const type = typeOf(value);
  return type === "nil" || type === "table" || type === "function" ? type : String(value);
}

function entriesOf(table: unknown): readonly (readonly [unknown, unknown])[] {
  if (Array.isArray(table)) return table.map((value: unknown, index) => [index + 1, value] as const);
  return typeOf(table) === "table" ? Object.entries(table as object) : [];
}

function isNumber(value: unknown): boolean {
  return typeof value === "number" || typeof value === "bigint";
}
