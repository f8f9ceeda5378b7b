/**
 * `std.validate.check`: a table against a schema. Takes values through a view, so that it works on the
 * tables of any VM; gives one message for each thing that is wrong; promises messages sorted by key;
 * refuses a schema field that is neither a type name nor a table; never changes what it looks at.
 */
import { argumentError } from "./pure-fn.ts";

export type ValidType =
  | "nil" | "boolean" | "integer" | "number" | "string" | "table" | "function" | "userdata" | "thread";

/** How the check sees values of a VM. `integer` is a whole number of that subtype, `number` any other. */
export interface ValueView<V> {
  typeOf(value: V): ValidType;
  /** The field of a table, raw; a value of type nil where there is none. */
  get(table: V, key: string): V;
  /** Keys and values of a table, in any order; those of other keys than `wants` may be left out. */
  entries(table: V, wants?: (key: V) => boolean): Iterable<readonly [key: V, value: V]>;
  /** Called now and then with the number of small steps done; throws when the check is to end. */
  worked?(steps: number): void;
  /** What `#` gives: bytes of a string, border of a table. */
  length(value: V): number;
  toNumber(value: V): number | bigint;
  /** Truth as the VM has it: all but nil and false. */
  isTrue(value: V): boolean;
  /** What `tostring` gives. */
  toText(value: V): string;
  /** Raw equality: 1 equals 1.0. */
  isEqual(a: V, b: V): boolean;
}

/** A number to compare, its text, the fields of the two bounds, and what messages begin with. */
interface Measured {
  readonly got: number | bigint;
  readonly text: string;
  readonly low: string;
  readonly high: string;
  readonly what: string;
}

/** Steps that the comparison of two names, and the check of one field, count for. */
const COMPARING_STEPS = 10;
const FIELD_STEPS = 20;

/** Every problem found; an empty list means the data fits. */
export function checkData<V>(data: V, schema: V, view: ValueView<V>): readonly string[] {
  const fields = Array.from(view.entries(schema), ([key, field]) => ({ key, name: view.toText(key), field }));
  fields.sort((a, b) => {
    view.worked?.(COMPARING_STEPS);
    return compareBytes(a.name, b.name);
  });
  const wanted = new Set(fields.map(({ key }) => keyOf(key, view)));
  const found = new Map<string, V>();
  for (const [key, value] of view.entries(data, (one) => wanted.has(keyOf(one, view)))) found.set(keyOf(key, view), value);
  return fields.flatMap(({ key, name, field }) => {
    view.worked?.(FIELD_STEPS);
    const value = found.get(keyOf(key, view));
    return checkField(value, field, view).map((what) => `${name}: ${what}`);
  });
}

function checkField<V>(value: V | undefined, field: V, view: ValueView<V>): readonly string[] {
  const kind = view.typeOf(field);
  if (kind !== "string" && kind !== "table") {
    throw argumentError(`validate.check: a schema field must be a type name or a table, got ${kind}`);
  }
  const isAbsent = value === undefined || view.typeOf(value) === "nil";
  if (kind === "string") return isAbsent ? [] : checkType(value, view.toText(field), view);
  if (isAbsent) return view.isTrue(view.get(field, "required")) ? ["required"] : [];
  const type = view.get(field, "type");
  const wrongType = view.typeOf(type) === "nil" ? [] : checkType(value, view.toText(type), view);
  if (wrongType.length > 0) return wrongType;
  return [checkRange, checkLength, checkOneOf].flatMap((check) => check(value, field, view));
}

function checkType<V>(value: V, wanted: string, view: ValueView<V>): readonly string[] {
  const got = view.typeOf(value);
  const fits = wanted === "any" || wanted === got || (wanted === "number" && got === "integer");
  return fits ? [] : [`expected ${wanted}, got ${got}`];
}

function checkRange<V>(value: V, field: V, view: ValueView<V>): readonly string[] {
  if (!isNumber(value, view)) return [];
  const measured = { got: view.toNumber(value), text: view.toText(value), low: "min", high: "max", what: "" };
  return checkBounds(measured, field, view);
}

function checkLength<V>(value: V, field: V, view: ValueView<V>): readonly string[] {
  const type = view.typeOf(value);
  if (type !== "string" && type !== "table") return [];
  const length = view.length(value);
  const measured = { got: length, text: String(length), low: "min_len", high: "max_len", what: "length " };
  return checkBounds(measured, field, view);
}

function checkBounds<V>(measured: Measured, field: V, view: ValueView<V>): readonly string[] {
  const { got, text, what } = measured;
  const low = view.get(field, measured.low);
  const high = view.get(field, measured.high);
  // Written so that NaN fits no bound.
  const isLess = isNumber(low, view) && !(got >= view.toNumber(low));
  const isMore = isNumber(high, view) && !(got <= view.toNumber(high));
  return [
    ...(isLess ? [`${what}must be >= ${view.toText(low)}, got ${text}`] : []),
    ...(isMore ? [`${what}must be <= ${view.toText(high)}, got ${text}`] : []),
  ];
}

function checkOneOf<V>(value: V, field: V, view: ValueView<V>): readonly string[] {
  const list = view.get(field, "one_of");
  if (view.typeOf(list) !== "table") return [];
  const choices = Array.from(view.entries(list))
    .filter(([key]) => view.typeOf(key) === "integer")
    .sort(([a], [b]) => {
      view.worked?.(1);
      return Number(view.toNumber(a)) - Number(view.toNumber(b));
    })
    .map(([, choice]) => choice);
  if (choices.some((choice) => view.isEqual(choice, value))) return [];
  view.worked?.(choices.length);
  const names = choices.map((choice) => view.toText(choice)).join(", ");
  return [`must be one of [${names}], got ${view.toText(value)}`];
}

function isNumber<V>(value: V, view: ValueView<V>): boolean {
  const type = view.typeOf(value);
  return type === "integer" || type === "number";
}

/** Keys of different types never meet, though their texts may be equal. */
function keyOf<V>(key: V, view: ValueView<V>): string {
  return `${view.typeOf(key)} ${view.toText(key)}`;
}

/** Sorted as the bytes of their UTF-8 are, which is the order of code points. */
function compareBytes(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a, "utf8"), Buffer.from(b, "utf8"));
}
