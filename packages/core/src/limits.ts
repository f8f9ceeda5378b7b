/**
 * The limits of one block: the defaults of its mode with what the host overrides, and the page that lists
 * them all.
 */
import { rangeText, type Problem } from "./config.ts";
import { FIXED_LIMITS, LIMIT_GROUPS, type Limit, type LimitUnit } from "./limit-table.ts";
import { Bug } from "./must.ts";

type Groups = typeof LIMIT_GROUPS;
type NamesOf<G> = G extends unknown ? keyof G : never;
export type LimitName = NamesOf<Groups[keyof Groups]>;

/** Every limit by name, in the unit of the table; `Infinity` = none. */
export type BlockLimits = { readonly [N in LimitName]: number };

const ENTRIES = Object.values(LIMIT_GROUPS).flatMap((group) => Object.entries<Limit>(group));

/** The table by name. */
export const LIMITS = Object.freeze(Object.fromEntries(ENTRIES)) as { readonly [N in LimitName]: Limit };

/** All that is wrong with overrides, foreign input included; `at` names them: `limits.busEventsMax`. */
export function limitProblems(overrides: Readonly<Record<string, unknown>>, at = "limits"): Problem[] {
  const problems: Problem[] = [];
  for (const [name, value] of Object.entries(overrides)) {
    if (value === undefined) continue;
    const limit = Object.hasOwn(LIMITS, name) ? LIMITS[name as LimitName] : undefined;
    const missing = Object.hasOwn(FIXED_LIMITS, name) ? "this limit is fixed" : "there is no such limit";
    const problem = limit === undefined ? missing : limitProblem(limit, value);
    if (problem !== undefined) problems.push({ where: { name: `${at}.${name}` }, problem });
  }
  return problems;
}

function limitProblem(limit: Limit, value: unknown): string | undefined {
  if (typeof value !== "number" || Number.isNaN(value)) return `${String(value)} is not a number`;
  const min = limit.unit === "ms" ? 0 : 1;
  if (value < min) return `${value} is not in ${rangeText({ min })}`;
  // What is counted stands for a queue or a table: it must have an end. Time and output may be without one.
  const mayBeNone = limit.unit === "ms" || limit.default === Infinity || limit.restricted === Infinity;
  if (value === Infinity) return mayBeNone ? undefined : "this limit cannot be switched off";
  return limit.unit !== "ms" && !Number.isSafeInteger(value) ? `${value} is not a whole number` : undefined;
}

/** The limits of a run. Overrides must have passed `limitProblems`: anything else is our own bug. */
export function blockLimits(restricted: boolean, overrides: Partial<BlockLimits> = {}): BlockLimits {
  const [problem] = limitProblems(overrides);
  if (problem !== undefined) throw new Bug(`${problem.where.name}: ${problem.problem}`);
  const limits = ENTRIES.map(([name, limit]) => [
    name, overrides[name as LimitName] ?? (restricted ? limit.restricted : limit.default),
  ]);
  return Object.freeze(Object.fromEntries(limits)) as BlockLimits;
}

/** `256 MiB`, `30 s`, `10,000`, `none`. */
export function limitText(value: number, unit: LimitUnit): string {
  if (value === Infinity) return "none";
  if (unit === "bytes") {
    if (value % 1_048_576 === 0) return `${value / 1_048_576} MiB`;
    return value % 1_024 === 0 ? `${value / 1_024} KiB` : `${grouped(value)} bytes`;
  }
  if (unit !== "ms") return grouped(value);
  return value >= 1_000 && value % 1_000 === 0 ? `${grouped(value / 1_000)} s` : `${grouped(value)} ms`;
}

function grouped(value: number): string {
  return String(value).replace(/\B(?=(\d{3})+$)/g, ",");
}

/** `docs/limits.md`. */
export function renderLimits(): string {
  const lines = [
    "# Limits",
    "",
    "Everything has a limit, and every limit has a unit, a reason and an answer. This page is printed from",
    "`packages/core/src/limit-table.ts` by `node packages/core/test/write-docs.ts`; a test compares the two.",
    "",
    "The names are keys of `BlockConfig.limits`, but those under *Fixed*. *Default* is what `atoll run` and `runBlock` use,",
    "*restricted* what runs with grants and members of a mob get. The code is that of the fault; where there",
    "is none, nothing fails.",
  ];
  for (const [title, group] of Object.entries({ ...LIMIT_GROUPS, "Fixed": FIXED_LIMITS })) {
    lines.push("", `## ${title}`, "");
    lines.push("| limit | default | restricted | why | over the limit |", "|---|---|---|---|---|");
    for (const [name, limit] of Object.entries<Limit>(group)) {
      const over = limit.over === null ? limit.effect : `${limit.effect}: \`${limit.over}\``;
      const values = [limit.default, limit.restricted].map((value) => limitText(value, limit.unit));
      lines.push(`| \`${name}\` | ${values.join(" | ")} | ${limit.why} | ${over} |`);
    }
  }
  return `${lines.join("\n")}\n`;
}
