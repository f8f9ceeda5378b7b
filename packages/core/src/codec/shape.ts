/** The shape of a protobuf message as the strict codec sees it. */
import { assert, must } from "../must.ts";
import { fieldRule, type FieldRule } from "./field-rules.ts";

/** `count` and `signed_count` are u64 and i64 that are plain numbers in memory: durations. */
export type FieldKind = "u32" | "i32" | "u64" | "i64" | "count" | "signed_count" | "bool" | "enum" | "float"
  | "double" | "text" | "bytes" | "message";

export interface FieldInit {
  readonly no: number;
  /** In the schema. */
  readonly name: string;
  readonly kind: FieldKind;
  readonly rule: "required" | "optional" | "repeated";
  /** In the record; the name when it is missing. */
  readonly key?: string;
  readonly shape?: Shape;
  /** Number → what stands in the record. Other numbers count as if the field were not there. */
  readonly values?: ReadonlyMap<number, unknown>;
  readonly oneof?: string;
}

export interface Field extends FieldInit, FieldRule {
  readonly key: string;
  readonly wireType: 0 | 1 | 2 | 5;
  readonly tag: number;
  readonly bit: number;
  /** Keys that this one replaces: the others of its oneof. */
  readonly siblings: readonly string[];
  readonly numbers: ReadonlyMap<unknown, number>;
}

export type Rec = Record<string, unknown>;

export interface Shape {
  /** Full name in the schema. */
  readonly name: string;
  /** Ascending. */
  readonly fields: readonly Field[];
  readonly byNo: ReadonlyMap<number, Field>;
  readonly repeated: readonly string[];
  /** Bits of the fields that must be there. */
  readonly required: number;
  /** What a record of this shape becomes when it is complete. */
  readonly finish: (record: Rec) => Rec;
}

/** Bits of a number that a bitwise operation keeps positive. */
const FIELDS_MAX = 30;

export function defineShape(
  name: string, init: readonly FieldInit[], finish: Shape["finish"] = (record) => record,
): Shape {
  assert(init.length <= FIELDS_MAX, `${name} has more fields than a mask holds`);
  const sorted = [...init].sort((a, b) => a.no - b.no);
  const fields = sorted.map((field, index): Field => {
    const wireType = wireTypeOf(field.kind);
    const inOneof = field.oneof === undefined ? [] : sorted.filter(({ oneof }) => oneof === field.oneof);
    return {
      ...field, ...fieldRule(name, field.name), key: keyOf(field), wireType, tag: field.no * 8 + wireType,
      bit: 1 << index, siblings: inOneof.filter((one) => one !== field).map(keyOf),
      numbers: new Map([...field.values ?? []].map(([number, value]) => [value, number])),
    };
  });
  return {
    name, fields, finish, byNo: new Map(fields.map((field) => [field.no, field])),
    repeated: fields.filter(({ rule }) => rule === "repeated").map(({ key }) => key),
    required: fields.reduce((mask, { rule, bit }) => rule === "required" ? mask | bit : mask, 0),
  };
}

/**
 * A field in short: `1! route_key text`, `2? payload bytes`, `3* metadata message`, as the reference of the
 * wire writes it.
 */
export function field(text: string, more: Partial<FieldInit> = {}): FieldInit {
  const [, no, mark, name, kind] = must(/^(\d+)([!?*]) (\w+) (\w+)$/.exec(text), `no field: ${text}`);
  const rule = mark === "!" ? "required" : mark === "?" ? "optional" : "repeated";
  return { no: Number(no), name: name as string, kind: kind as FieldKind, rule, ...more };
}

/** Values of an enum that the record shows as words. */
export function words(values: Readonly<Record<number, string>>): ReadonlyMap<number, string> {
  return new Map(Object.entries(values).map(([number, word]) => [Number(number), word]));
}

function keyOf(one: FieldInit): string {
  return one.key ?? one.name;
}

function wireTypeOf(kind: FieldKind): 0 | 1 | 2 | 5 {
  if (kind === "float") return 5;
  if (kind === "double") return 1;
  return kind === "text" || kind === "bytes" || kind === "message" ? 2 : 0;
}
