/** Where everything stands in the rewritten module: indices of types, functions, globals and table slots. */
import { ByteReader, F64, I32, unsigned } from "./bytes.ts";
import type { ModuleParts } from "./module.ts";

/**
 * Imports we add, in order; they come right after the module's own, so each defined function moves by their
 * number.
 */
export const ADDED_IMPORTS = ["host_poll", "host_call", "host_hook", "host_write", "host_yield",
  "host_resume"] as const;

const SIGNATURES = {
  none: [[], []], int: [[I32], []], int2: [[I32, I32], []], int3: [[I32, I32, I32], []],
  intToInt: [[I32], [I32]], int2ToInt: [[I32, I32], [I32]], int3ToInt: [[I32, I32, I32], [I32]],
  int4ToInt: [[I32, I32, I32, I32], [I32]], toInt: [[], [I32]], intFloat: [[I32, F64], []],
} as const;
export type Signature = keyof typeof SIGNATURES;

export const ADDED_FUNCTIONS = [
  "poll", "dispatch", "resumed", "hook", "writer", "pushInteger", "resume", "invoke", "longjmp",
] as const;
export type AddedFunction = (typeof ADDED_FUNCTIONS)[number];

/** Table slots of the added functions that Lua calls through a pointer. */
export const SLOTS = ["dispatch", "resumed", "hook", "writer"] as const;
export type Slots = Readonly<Record<(typeof SLOTS)[number], number>>;

export interface Layout {
  readonly type: Readonly<Record<Signature, number>>;
  readonly added: Readonly<Record<AddedFunction, number>>;
  readonly slots: Slots;
  /**
   * Globals: ticks left until the next poll; the running lua_State; the module's own shadow stack pointer.
   */
  readonly budget: number;
  readonly running: number;
  readonly stackPointer: number;
  readonly firstAddedImport: number;
  /** New index of a function of the original module. */
  moved(index: number): number;
}

export function signatureBytes(): number[][] {
  return Object.values(SIGNATURES).map(([params, results]) => [
    0x60, ...unsigned(params.length), ...params, ...unsigned(results.length), ...results,
  ]);
}

export function createLayout(parts: ModuleParts): Layout {
  const importCount = parts.imports.length;
  const firstAdded = importCount + ADDED_IMPORTS.length + parts.definedCount;
  const numbered = <K extends string>(names: readonly K[], first: number): Record<K, number> =>
    Object.fromEntries(names.map((key, i) => [key, first + i])) as Record<K, number>;
  const added = numbered(ADDED_FUNCTIONS, firstAdded);
  const invoke = parts.imports.indexOf("invoke_vii");
  const longjmp = parts.imports.indexOf("_emscripten_throw_longjmp");
  const resume = parts.exported["lua_resume"];
  return {
    type: numbered(Object.keys(SIGNATURES) as Signature[], parts.typeCount), added,
    slots: numbered(SLOTS, parts.tableMin), budget: parts.globalCount, running: parts.globalCount + 1,
    stackPointer: stackPointer(parts), firstAddedImport: importCount,
    moved(index) {
      if (index === resume) return added.resume;
      if (index === invoke) return added.invoke;
      if (index === longjmp) return added.longjmp;
      return index < importCount ? index : index + ADDED_IMPORTS.length;
    },
  };
}

/** The body of `stackSave` is `global.get <stack pointer>`. */
function stackPointer(parts: ModuleParts): number {
  const defined = (parts.exported["stackSave"] as number) - parts.imports.length;
  const [from] = parts.bodies[defined] as readonly [number, number];
  if (parts.code[from] !== 0 || parts.code[from + 1] !== 0x23) {
    throw new Error("stackSave does not have the known shape");
  }
  return new ByteReader(parts.code, from + 2).unsigned();
}
