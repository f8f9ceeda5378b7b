/**
 * What a pure function of the script library is: declared arguments beside a plain function from values to
 * a value.
 */
import { blockError, type BlockError } from "../errors.ts";
import type { JsonText, Value } from "../bridges/op.ts";

/**
 * A function that needs nothing but its arguments. It runs in the worker of the isle and never waits.
 * `args` says for each argument `name:type`, with `?` behind the type when it may be left out and `...`
 * behind it when it stands for all that follow. The isle layer checks them before the call; `call` may rely
 * on it.
 */
export interface PureFn {
  readonly args: readonly string[];
  call(args: readonly Value[]): Value | JsonText;
}

/** Functions by their name inside a module. */
export type PureFns = Readonly<Record<string, PureFn>>;

/**
 * Characters one answer may have: more than the largest isle could hold, little enough that the host lives.
 * A script can ask for `pad_start("", 2^40)`, and the text is built outside the memory cap of its isle.
 */
export const TEXT_CHARS_MAX = 128 * 1024 * 1024;

/** The error of a script that called a function wrongly; its text is the whole text the script sees. */
export function argumentError(text: string): BlockError {
  return blockError("script.argument", text);
}

/** Throws what Lua says when memory is over, before a text of that many characters is built. */
export function checkChars(chars: number): void {
  if (chars > TEXT_CHARS_MAX) throw blockError("isle.memory", "not enough memory", { facts: { chars } });
}

/** A whole number ≥ 0 from a declared integer; what is negative counts as 0. */
export function toCount(value: Value): number {
  return Math.max(0, Number(value));
}
