/**
 * Text of scripts that need not be UTF-8. Valid text is a JS string, any other is its bytes. Two views make
 * both workable, and both give back exactly the bytes they were made of:
 * - in *units* (searching, cutting at separators): the string itself, or one char per byte once any text is
 *   bytes;
 * - in *points* (counting, padding, reversing): code points, where a byte that belongs to no character is
 *   one point, kept as a lone surrogate U+DC80…U+DCFF (no valid text holds one).
 */
import type { Value } from "../bridges/op.ts";

export type Text = string | Uint8Array;

const STRICT = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Texts in one common view for searching, and the way back from it. */
export interface Units {
  readonly texts: readonly string[];
  readonly back: (units: string) => Text;
}

/** A declared string argument as text; a number, which Lua lets stand for a string, as its digits. */
export function toText(value: Value): Text {
  return typeof value === "string" || value instanceof Uint8Array ? value : String(value);
}

export function toUnits(values: readonly Value[]): Units {
  const texts = values.map(toText);
  if (texts.every((text) => typeof text === "string")) return { texts, back: (units) => units };
  return { texts: texts.map(toByteUnits), back: fromByteUnits };
}

/** The text as it is seen by people: what is not UTF-8 becomes U+FFFD. */
export function toPlainText(value: Value): string {
  const text = toText(value);
  return typeof text === "string" ? text : toBuffer(text).toString("utf8");
}

/** One JS string whose code points are the characters of the text. */
export function toPoints(value: Value): string {
  const text = toText(value);
  if (typeof text === "string") return text;
  const parts: string[] = [];
  let at = 0;
  while (at < text.length) {
    const size = characterSize(text, at);
    const bytes = text.subarray(at, at + Math.max(size, 1));
    parts.push(size === 0 ? String.fromCharCode(0xdc00 + (text[at] ?? 0)) : STRICT.decode(bytes));
    at += bytes.length;
  }
  return parts.join("");
}

export function fromPoints(points: string): Text {
  if (points.isWellFormed()) return points;
  const parts: Uint8Array[] = [];
  for (const point of points) {
    const code = point.codePointAt(0) ?? 0;
    parts.push(code >= 0xdc80 && code <= 0xdcff ? Uint8Array.of(code - 0xdc00) : Buffer.from(point, "utf8"));
  }
  return fromBytes(Buffer.concat(parts));
}

/** Characters of a text in the view of points. */
export function countPoints(points: string): number {
  let count = 0;
  for (let at = 0; at < points.length; at += 1) {
    // The second half of a pair is no character of its own; a kept byte follows no first half.
    if (!(isHigh(points.charCodeAt(at)) && isLow(points.charCodeAt(at + 1)))) count += 1;
  }
  return count;
}

/** Where the character number `count` (from 0) starts, or the length when there are not so many. */
export function pointOffset(points: string, count: number): number {
  let at = 0;
  for (let seen = 0; seen < count && at < points.length; seen += 1) {
    at += isHigh(points.charCodeAt(at)) && isLow(points.charCodeAt(at + 1)) ? 2 : 1;
  }
  return at;
}

function isHigh(unit: number): boolean {
  return unit >= 0xd800 && unit <= 0xdbff;
}

function isLow(unit: number): boolean {
  return unit >= 0xdc00 && unit <= 0xdfff;
}

function toByteUnits(text: Text): string {
  return (typeof text === "string" ? Buffer.from(text, "utf8") : toBuffer(text)).toString("latin1");
}

/** The same bytes, not copied. */
function toBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function fromByteUnits(units: string): Text {
  return fromBytes(Buffer.from(units, "latin1"));
}

/** Bytes as a text: a string when they are UTF-8, else a copy of the bytes. */
function fromBytes(bytes: Uint8Array): Text {
  try {
    return STRICT.decode(bytes);
  } catch {
    return Uint8Array.from(bytes);
  }
}

/**
 * Bytes of the well-formed character at `at`, 0 when there is none: no overlong form, no surrogate, ≤
 * U+10FFFF.
 */
function characterSize(bytes: Uint8Array, at: number): number {
  const first = bytes[at] ?? 0;
  if (first < 0x80) return 1;
  if (first < 0xc2 || first > 0xf4) return 0;
  const size = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
  if (at + size > bytes.length) return 0;
  const low = first === 0xe0 ? 0xa0 : first === 0xf0 ? 0x90 : 0x80;
  const high = first === 0xed ? 0x9f : first === 0xf4 ? 0x8f : 0xbf;
  const second = bytes[at + 1] ?? 0;
  if (second < low || second > high) return 0;
  for (let next = at + 2; next < at + size; next += 1) if (((bytes[next] ?? 0) & 0xc0) !== 0x80) return 0;
  return size;
}
