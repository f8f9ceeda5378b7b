/**
 * Every pure function of the script library, by its name in scripts. Not here, since they take more than
 * plain values: `std.validate.check` (validate.ts) and `std.time.sleep` (duration.ts).
 */
import { llmTextFns } from "./llm-text.ts";
import { pathFns } from "./path.ts";
import type { PureFn, PureFns } from "./pure-fn.ts";
import { stringFns } from "./string.ts";

const MODULES: Readonly<Record<string, PureFns>> = {
  "std.string": stringFns, "std.path": pathFns, "llm": llmTextFns,
};

const ALL = Object.entries(MODULES).flatMap(([module, fns]) =>
  Object.entries(fns).map(([name, fn]) => [`${module}.${name}`, fn] as const));

/**
 * `pureFns["std.string.trim"](args)`, with arguments that fit the declaration of the same name in
 * `pureArgs`.
 */
export const pureFns: Readonly<Record<string, PureFn["call"]>> =
  Object.fromEntries(ALL.map(([name, fn]) => [name, fn.call]));

/** Declared arguments by the same names: `["s:string", "w:integer", "fill:string?"]`. */
export const pureArgs: Readonly<Record<string, readonly string[]>> =
  Object.fromEntries(ALL.map(([name, fn]) => [name, fn.args]));
