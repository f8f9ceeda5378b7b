/**
 * `std.string`: text in code points. Takes strings, or bytes where a script's string is not UTF-8; gives
 * the same; refuses an empty separator and a fill of several characters; never changes a byte it was not
 * asked to change (see text.ts for the two views).
 */
import type { Value } from "../bridges/op.ts";
import { argumentError, checkChars, toCount, type PureFn, type PureFns } from "./pure-fn.ts";
import { countPoints, fromPoints, pointOffset, toPoints, toUnits, type Units } from "./text.ts";

const PAD_ARGS = ["s:string", "w:integer", "fill:string?"];
const BLANK = /^\p{White_Space}$/u;

export const stringFns: PureFns = {
  trim: onPoints((points) => trimEnd(trimStart(points))),
  trim_start: onPoints(trimStart),
  trim_end: onPoints(trimEnd),
  upper: onPoints((points) => points.toUpperCase()),
  lower: onPoints((points) => points.toLowerCase()),
  reverse: onPoints((points) => [...points].reverse().join("")),
  chars: { args: ["s:string"], call: ([s]) => Array.from(toPoints(s), fromPoints) },
  char_count: { args: ["s:string"], call: ([s]) => countPoints(toPoints(s)) },
  split: onUnits(["s:string", "sep:string"], split),
  starts_with: onUnits(["s:string", "start:string"], ({ texts: [s = "", x = ""] }) => s.startsWith(x)),
  ends_with: onUnits(["s:string", "end:string"], ({ texts: [s = "", x = ""] }) => s.endsWith(x)),
  contains: onUnits(["s:string", "part:string"], ({ texts: [s = "", x = ""] }) => s.includes(x)),
  replace: onUnits(["s:string", "from:string", "to:string"], replaceFirst),
  replace_all: onUnits(["s:string", "from:string", "to:string"], replaceAll),
  pad_start: { args: PAD_ARGS, call: (args) => pad(args, (s, fill) => fill + s) },
  pad_end: { args: PAD_ARGS, call: (args) => pad(args, (s, fill) => s + fill) },
  truncate: { args: ["s:string", "n:integer", "suffix:string?"], call: truncate },
};

function onPoints(change: (points: string) => string): PureFn {
  return { args: ["s:string"], call: ([s]) => fromPoints(change(toPoints(s))) };
}

function onUnits(args: readonly string[], run: (units: Units) => Value): PureFn {
  return { args, call: (values) => run(toUnits(values.slice(0, args.length))) };
}

/**
 * Blanks are those of Unicode, which are not quite those of JavaScript. No regular expression: those go
 * back and forth.
 */
function trimStart(points: string): string {
  let at = 0;
  while (at < points.length && BLANK.test(points[at] ?? "")) at += 1;
  return points.slice(at);
}

function trimEnd(points: string): string {
  let end = points.length;
  while (end > 0 && BLANK.test(points[end - 1] ?? "")) end -= 1;
  return points.slice(0, end);
}

function split({ texts: [s = "", sep = ""], back }: Units): Value {
  if (sep === "") throw argumentError("string.split: separator must not be empty");
  return s.split(sep).map(back);
}

function replaceFirst({ texts: [s = "", from = "", to = ""], back }: Units): Value {
  const at = s.indexOf(from);
  return back(at < 0 ? s : s.slice(0, at) + to + s.slice(at + from.length));
}

/** An empty `from` is found before every character and at the end. */
function replaceAll({ texts: [s = "", from = "", to = ""], back }: Units): Value {
  const pieces = from === "" ? ["", ...s, ""] : s.split(from);
  checkChars(s.length + (pieces.length - 1) * to.length);
  return back(pieces.join(to));
}

function pad([s, width, fill = " "]: readonly Value[], join: (s: string, fill: string) => string): Value {
  const text = toPoints(s);
  const one = toPoints(fill);
  if (countPoints(one) !== 1) throw argumentError("fill must be a single character");
  const missing = Math.max(0, toCount(width) - countPoints(text));
  checkChars(text.length + missing * one.length);
  return fromPoints(join(text, one.repeat(missing)));
}

/** At most `n` characters, suffix included; a suffix longer than that stands alone, cut to `n`. */
function truncate([s, n, suffix = ""]: readonly Value[]): Value {
  const text = toPoints(s);
  const count = toCount(n);
  if (countPoints(text) <= count) return fromPoints(text);
  const end = toPoints(suffix);
  const kept = Math.max(0, count - countPoints(end));
  const cut = text.slice(0, pointOffset(text, kept)) + end;
  return fromPoints(cut.slice(0, pointOffset(cut, count)));
}
