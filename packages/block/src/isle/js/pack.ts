/**
 * Values on their way into a JavaScript isle and out of it: JSON text, with marks for what JSON does not have, and byte
 * strings beside it. The other half is guest/packing.ts. A text begins with 1 when it has marks, else with 0.
 */
import { INT64_MAX, INT64_MIN, parseJson } from "@atoll-run/core";
import type { Value } from "../../bridges/op.ts";
import { blockError } from "../../errors.ts";

const MARK = "\u0001";
/** An integer that a number may not hold. */
const LONG = /\d{16}/;

export interface Packed {
  readonly text: string;
  readonly bytes: readonly Uint8Array[];
}

export function pack(value: Value): Packed {
  const bytes: Uint8Array[] = [];
  let marked = false;
  const mark = (text: string): string => {
    marked = true;
    return MARK + text;
  };
  // a list, so that `undefined` itself has a place
  const text = JSON.stringify([value], function (this: unknown, _key, v: unknown) {
    if (typeof v === "string") return v.startsWith(MARK) ? mark(`s${v}`) : v;
    if (typeof v === "bigint") return mark(`i${v}`);
    if (typeof v === "number") return Number.isFinite(v) ? v : mark(`n${v}`);
    if (v === undefined) return Array.isArray(this) ? mark("u") : undefined;
    if (v instanceof Uint8Array) return mark(`b${bytes.push(v) - 1}`);
    return v;
  });
  return { text: (marked ? "1" : "0") + text, bytes };
}

/** JSON text for the isle; integers that a number cannot hold arrive as bigint. */
export function packJson(text: string): Packed {
  if (!LONG.test(text)) return { text: `0[${text}]`, bytes: [] };
  const parsed = parseJson(text);
  if (!parsed.ok) throw blockError("json.decode", `reply: ${parsed.problem}`);
  return pack(parsed.value as Value);
}

/** What the isle packed; what has no form outside is a `NoForm`. */
export function unpack(text: string, bytes: (index: number) => Uint8Array): Value {
  const [value] = JSON.parse(text.slice(1)) as Value[];
  return text.startsWith("1") ? unmark(value, bytes) : value;
}

/** A function or symbol where data was wanted; JSON refuses it by this name. */
export class NoForm {
  readonly type: string;
  /** Number of a function that the host may call. */
  readonly ref: number | undefined;
  constructor(type: string, ref?: number) {
    this.type = type;
    this.ref = ref;
  }

  /** Of the same type, so that whoever writes JSON names it. */
  toJSON(): unknown {
    return this.type === "symbol" ? Symbol() : () => undefined;
  }
}

/** The same with functions as the numbers that ops know them by. */
export function withRefs(value: Value): Value {
  if (typeof value !== "object" || value === null || value instanceof Uint8Array) return value;
  if (value instanceof NoForm) return value.ref;
  if (Array.isArray(value)) return (value as readonly Value[]).map(withRefs);
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, withRefs(item)]));
}

function unmark(value: Value, bytes: (index: number) => Uint8Array): Value {
  if (typeof value === "string") return value.startsWith(MARK) ? marked(value, bytes) : value;
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return (value as readonly Value[]).map((item) => unmark(item, bytes));
  const fields = value as Record<string, Value>;
  for (const key of Object.keys(fields)) {
    const plain = unmark(fields[key], bytes);
    if (plain !== fields[key]) {
      Object.defineProperty(fields, key, { value: plain, enumerable: true, configurable: true, writable: true });
    }
  }
  return fields;
}

function marked(text: string, bytes: (index: number) => Uint8Array): Value {
  const rest = text.slice(2);
  switch (text[1]) {
    case "s": return rest;
    case "i": return integer(rest);
    case "n": return Number(rest);
    case "b": return bytes(Number(rest));
    case "f": return new NoForm("function", Number(rest)) as unknown as Value;
    case "x": return new NoForm(rest) as unknown as Value;
    default: return undefined;
  }
}

function integer(digits: string): bigint | number {
  const value = BigInt(digits);
  if (value < INT64_MIN || value > INT64_MAX) {
    throw blockError("json.encode", `${digits} is beyond 64-bit integers`);
  }
  return Number.isSafeInteger(Number(value)) ? Number(value) : value;
}
