/**
 * Config: read, decide, refuse, hide. Foreign settings come in as text with the place they come from;
 * `decide` gives a frozen, complete object or all problems at once. Pure: reads no file and no environment.
 */

/** Where a setting was read: `atoll.toml:3`, a flag, a variable. */
export interface Where {
  readonly file?: string;
  readonly line?: number;
  /** As the person wrote it: `--timeout`, `ATOLL_BUS_CAPACITY`, `state.dir`. */
  readonly name: string;
}

export interface Setting {
  readonly where: Where;
  readonly text: string;
}

export interface Problem {
  readonly where: Where;
  readonly problem: string;
  /** What to do about it. */
  readonly hint?: string;
}

export type Decided<T> =
  | { readonly ok: true; readonly value: T; readonly warnings: readonly Problem[] }
  | { readonly ok: false; readonly problems: readonly Problem[]; readonly warnings: readonly Problem[] };

/** A value read from text, or what is wrong with the text. */
export type Reading<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly problem: string };

export interface NumberRule {
  readonly min?: number;
  readonly max?: number;
  /** Fractions allowed; default whole numbers only. */
  readonly fraction?: boolean;
}

/**
 * Collects what is wrong while a config is decided. Each reader gives its fallback after noting a problem.
 */
export class Decision {
  readonly problems: Problem[] = [];
  readonly warnings: Problem[] = [];

  refuse(where: Where, problem: string, hint?: string): void {
    this.problems.push({ where, problem, ...(hint === undefined ? {} : { hint }) });
  }

  warn(where: Where, problem: string, hint?: string): void {
    this.warnings.push({ where, problem, ...(hint === undefined ? {} : { hint }) });
  }

  /** The setting as `read` understands it; `fallback` when it is absent or wrong. */
  take<T, D>(setting: Setting | undefined, read: (text: string) => Reading<T>, fallback: D): T | D {
    if (setting === undefined) return fallback;
    const reading = read(setting.text);
    if (reading.ok) return reading.value;
    this.refuse(setting.where, reading.problem);
    return fallback;
  }

  number<D>(setting: Setting | undefined, rule: NumberRule, fallback: D): number | D {
    return this.take(setting, (text) => readNumber(text, rule), fallback);
  }

  /**
   * As `number`, but text that is no number warns and gives the fallback; a number out of range is still
   * refused.
   */
  numberOrWarn<D>(setting: Setting | undefined, rule: NumberRule, fallback: D): number | D {
    if (setting === undefined) return fallback;
    const any = readNumber(setting.text, { fraction: rule.fraction ?? false });
    if (any.ok) return this.number(setting, rule, fallback);
    this.warn(setting.where, `${any.problem}; the default ${String(fallback)} is used`);
    return fallback;
  }

  choice<C extends string, D>(setting: Setting | undefined, choices: readonly C[], fallback: D): C | D {
    return this.take(setting, (text) => readChoice(text, choices), fallback);
  }

  flag<D>(setting: Setting | undefined, fallback: D): boolean | D {
    return this.take(setting, readFlag, fallback);
  }

  path<D>(setting: Setting | undefined, fallback: D): string | D {
    return this.take(setting, readPath, fallback);
  }

  /** Refuses all but the first of settings that exclude each other; gives the first that is there. */
  oneOf(...settings: readonly (Setting | undefined)[]): Setting | undefined {
    const [first, ...others] = settings.filter((setting) => setting !== undefined);
    for (const other of others) this.refuse(other.where, `cannot be used with ${first?.where.name}`);
    return first;
  }
}

/** Runs `make`, which may note any number of problems, and gives the frozen value or all of them. */
export function decide<T>(make: (decision: Decision) => T): Decided<T> {
  const decision = new Decision();
  const value = make(decision);
  const warnings = Object.freeze(decision.warnings);
  const problems = Object.freeze(decision.problems);
  if (problems.length > 0) return { ok: false, problems, warnings };
  return { ok: true, value: freezeDeep(value), warnings };
}

/** `0 is not in 1..`, `'abc' is not a whole number`. */
export function readNumber(text: string, rule: NumberRule = {}): Reading<number> {
  const trimmed = text.trim();
  const pattern = rule.fraction ? /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i : /^[+-]?\d+$/;
  const value = Number(trimmed);
  if (!pattern.test(trimmed) || !Number.isFinite(value)) {
    return { ok: false, problem: `'${text}' is not a ${rule.fraction ? "number" : "whole number"}` };
  }
  if (!rule.fraction && !Number.isSafeInteger(value)) {
    return { ok: false, problem: `${trimmed} is too large` };
  }
  const { min = -Infinity, max = Infinity } = rule;
  if (value < min || value > max) return { ok: false, problem: `${trimmed} is not in ${rangeText(rule)}` };
  return { ok: true, value };
}

/** `1..`, `1..=10`, `..=10`. */
export function rangeText(rule: NumberRule): string {
  return `${rule.min ?? ""}..${rule.max === undefined ? "" : `=${rule.max}`}`;
}

export function readChoice<C extends string>(text: string, choices: readonly C[]): Reading<C> {
  const found = choices.find((choice) => choice === text.trim());
  if (found !== undefined) return { ok: true, value: found };
  return { ok: false, problem: `'${text}' is not one of ${choices.join(", ")}` };
}

const FLAGS: Readonly<Record<string, boolean>> = {
  true: true, yes: true, on: true, "1": true, false: false, no: false, off: false, "0": false,
};

export function readFlag(text: string): Reading<boolean> {
  const key = text.trim().toLowerCase();
  const value = Object.hasOwn(FLAGS, key) ? FLAGS[key] : undefined;
  if (value === undefined) return { ok: false, problem: `'${text}' is neither true nor false` };
  return { ok: true, value };
}

/**
 * Only what no system takes as a path is refused; whether it is there is a question for the one who opens it.
 */
export function readPath(text: string): Reading<string> {
  if (text === "") return { ok: false, problem: "the path is empty" };
  if (text.includes("\0")) return { ok: false, problem: "the path contains a NUL character" };
  return { ok: true, value: text };
}

/** `atoll.toml:3: bus.capacity: 0 is not in 1.. (give at least 1)`. */
export function problemText(p: Problem): string {
  const line = p.where.line === undefined ? "" : `:${p.where.line}`;
  const file = p.where.file === undefined ? "" : `${p.where.file}${line}: `;
  return `${file}${p.where.name}: ${p.problem}${p.hint === undefined ? "" : ` (${p.hint})`}`;
}

/** The text of `config.invalid`: one line, or a line for each problem. */
export function configErrorText(problems: readonly Problem[]): string {
  const lines = problems.map(problemText);
  if (lines.length === 1) return `config error: ${lines[0]}`;
  return `config error: ${lines.length} problems\n${lines.map((line) => `  ${line}`).join("\n")}`;
}

/**
 * Freezes arrays and plain objects through and through; instances of classes and functions are left as they
 * are.
 */
export function freezeDeep<T>(value: T): T {
  if (typeof value !== "object" || value === null || Object.isFrozen(value)) return value;
  const proto: unknown = Object.getPrototypeOf(value);
  if (!Array.isArray(value) && proto !== Object.prototype && proto !== null) return value;
  Object.freeze(value);
  for (const inner of Object.values(value)) freezeDeep(inner);
  return value;
}
