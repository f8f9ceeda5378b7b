/**
 * Values to JSON text: compact, keys sorted by their UTF-8 bytes at every level, so that equal values give
 * equal bytes.
 */
import { floatText, JSON_DEPTH_MAX, LuaFloat } from "./json.ts";

export interface StringifyOptions {
  /** Levels of arrays and objects; default 128. A cycle is found by it. */
  readonly depthMax?: number;
}

/** What cannot be written and where: `at` is a path such as `$.rows[3].price`. */
export interface WriteProblem {
  readonly ok: false;
  readonly kind: "type" | "number" | "depth";
  readonly problem: string;
  readonly at: string;
}

export type WrittenJson = { readonly ok: true; readonly text: string } | WriteProblem;

/**
 * JSON text of a value: `Json`, `LuaFloat`, and what has a `toJSON`. Whole numbers within ±(2^53−1) are
 * written as integers, larger numbers as floats (`1e+21`, `9007199254740992.0`), bigint as digits. As in
 * JSON.stringify a property that is undefined is left out and an undefined element becomes null; other things
 * without a JSON form are refused.
 */
export function stringifyJson(value: unknown, o: StringifyOptions = {}): WrittenJson {
  try {
    return { ok: true, text: write(value, o.depthMax ?? JSON_DEPTH_MAX, o.depthMax ?? JSON_DEPTH_MAX) };
  } catch (error) {
    if (!(error instanceof Stop)) throw error;
    return { ok: false, kind: error.kind, problem: error.message, at: `$${error.path.join("")}` };
  }
}

class Stop extends Error {
  readonly kind: WriteProblem["kind"];
  readonly path: string[] = [];

  constructor(kind: WriteProblem["kind"], problem: string) {
    super(problem);
    this.kind = kind;
  }
}

function write(value: unknown, left: number, limit: number): string {
  switch (typeof value) {
    case "string":
      return jsonString(value);
    case "number":
      return numberText(value);
    case "boolean":
      return value ? "true" : "false";
    case "bigint":
      return value.toString();
    case "object":
      break;
    case "undefined":
      return "null";
    default:
      throw new Stop("type", `unsupported type for JSON conversion: ${typeof value}`);
  }
  if (value === null) return "null";
  if (value instanceof LuaFloat) {
    if (!Number.isFinite(value.value)) throw notANumber(value.value);
    return floatText(value.value);
  }
  if (left <= 0) throw new Stop("depth", `JSON nesting too deep (limit: ${limit})`);
  if (Array.isArray(value)) return writeArray(value, left - 1, limit);
  const { toJSON } = value as { toJSON?: unknown };
  if (typeof toJSON === "function") return write((toJSON as () => unknown).call(value), left - 1, limit);
  const proto: unknown = Object.getPrototypeOf(value);
  if (proto !== null && proto !== Object.prototype) {
    throw new Stop("type", `unsupported type for JSON conversion: ${value.constructor?.name ?? "object"}`);
  }
  return writeObject(value as Record<string, unknown>, left - 1, limit);
}

function writeArray(array: readonly unknown[], left: number, limit: number): string {
  let text = "[";
  let at = 0;
  try {
    for (; at < array.length; at++) text += (at === 0 ? "" : ",") + write(array[at], left, limit);
  } catch (error) {
    if (error instanceof Stop) error.path.unshift(`[${at}]`);
    throw error;
  }
  return `${text}]`;
}

function writeObject(object: Readonly<Record<string, unknown>>, left: number, limit: number): string {
  let text = "";
  let at = "";
  try {
    for (const key of sortedKeys(object)) {
      at = key;
      const value = object[key];
      if (value === undefined) continue;
      if (text !== "") text += ",";
      text += (KEYS.get(key) ?? keyText(key)) + write(value, left, limit);
    }
  } catch (error) {
    const step = /^[A-Za-z_]\w*$/.test(at) ? `.${at}` : `[${JSON.stringify(at)}]`;
    if (error instanceof Stop) error.path.unshift(step);
    throw error;
  }
  return `{${text}}`;
}

const NEEDS_ESCAPE = /["\\\u0000-\u001f\ud800-\udfff]/;

function jsonString(text: string): string {
  // Short texts with nothing to escape are the common case: a test is cheaper than the engine's general way.
  return text.length > 64 || NEEDS_ESCAPE.test(text) ? JSON.stringify(text) : `"${text}"`;
}

/** Keys as they are written, for they come again and again: the first so many that are short and without surrogates. */
const KEYS = new Map<string, string>();
const KEYS_MAX = 1024;

function keyText(key: string): string {
  const text = `${jsonString(key)}:`;
  if (KEYS.size < KEYS_MAX && key.length <= 64 && !SURROGATE.test(key)) KEYS.set(key, text);
  return text;
}

function numberText(value: number): string {
  if (Number.isSafeInteger(value)) return String(value);
  if (!Number.isFinite(value)) throw notANumber(value);
  return floatText(value);
}

function notANumber(value: number): Stop {
  return new Stop("number", `cannot convert ${value} to JSON number`);
}

const SURROGATE = /[\ud800-\udfff]/;

function sortedKeys(object: object): string[] {
  const keys = Object.keys(object);
  let sorted = true;
  let wide = false;
  for (let i = 0; i < keys.length; i++) {
    const key = keys[i] as string;
    if (i > 0 && (keys[i - 1] as string) > key) sorted = false;
    if (!KEYS.has(key) && SURROGATE.test(key)) wide = true;
  }
  if (wide) return keys.sort(compareBytes);
  return sorted ? keys : keys.sort();
}

/** Order of two texts by their UTF-8 bytes, which is the order of their code points. */
export function compareBytes(a: string, b: string): number {
  const end = Math.min(a.length, b.length);
  for (let i = 0; i < end; i++) {
    const x = a.charCodeAt(i);
    const y = b.charCodeAt(i);
    if (x === y) continue;
    // Surrogates stand for code points above all others, but the engine orders them before U+E000.
    return byteRank(x) - byteRank(y);
  }
  return a.length - b.length;
}

function byteRank(unit: number): number {
  if (unit < 0xd800) return unit;
  return unit < 0xe000 ? unit + 0x2000 : unit - 0x800;
}
