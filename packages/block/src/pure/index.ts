/**
 * Every pure function of the script library, by its name in scripts, with its declared arguments. Not here,
 * since they take more than plain values: `std.validate.check` (validate.ts), `std.time.sleep`
 * (duration.ts).
 */
import { llmTextFns } from "./llm-text.ts";
import { pathFns } from "./path.ts";
import type { PureFns } from "./pure-fn.ts";
import { stringFns } from "./string.ts";

const MODULES: Readonly<Record<string, PureFns>> = {
  "std.string": stringFns, "std.path": pathFns, "llm": llmTextFns,
};

/** `pureFns["std.string.trim"]`: call it with arguments that fit its `args`. */
export const pureFns: PureFns = Object.fromEntries(Object.entries(MODULES).flatMap(([module, fns]) =>
  Object.entries(fns).map(([name, fn]) => [`${module}.${name}`, fn])));
