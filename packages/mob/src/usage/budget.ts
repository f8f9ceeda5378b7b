/** Whether a budget still has room (spec: mob 3.1). Pure. */
import type { Budget, BudgetLimits } from "../definition/definition.ts";
import { addUsage, type Usage } from "./usage.ts";

export type Per = "turn" | "day" | "life";
export type Counted = keyof BudgetLimits;

/** One line of a budget and what was taken of it. */
export interface Line {
  readonly per: Per;
  readonly of: Counted;
  /** Null: it cannot be told. */
  readonly used: number | null;
  readonly limit: number;
}

const PER: readonly Per[] = ["turn", "day", "life"];
const WARNED_FROM = 0.8;

/** The tighter of the two, line by line: whoever is spawned may have less than its profile, never more. */
export function tighter(a: Budget | null, b: Budget | null | undefined): Budget | null {
  if (a === null || b === null || b === undefined) return a ?? b ?? null;
  return Object.fromEntries(PER.map((per) => [per, lower(a[per] ?? {}, b[per] ?? {})]));
}

function lower(x: BudgetLimits, y: BudgetLimits): BudgetLimits {
  const names = new Set([...Object.keys(x), ...Object.keys(y)] as Counted[]);
  return Object.fromEntries([...names].map((name) => [name, Math.min(x[name] ?? Infinity, y[name] ?? Infinity)]));
}

/** All lines, the narrowest time first. */
export function linesOf(budget: Budget, used: Readonly<Record<Per, Usage>>): readonly Line[] {
  return PER.flatMap((per) => Object.entries(budget[per] ?? {}).flatMap(([name, limit]): Line[] =>
    limit === undefined ? [] : [{ per, of: name as Counted, limit, used: takenOf(used[per], name as Counted) }]));
}

/** The first line that has no room any more. */
export function exhausted(lines: readonly Line[], of: readonly Counted[]): Line | undefined {
  return lines.find((line) => of.includes(line.of) && (line.used === null || line.used >= line.limit));
}

export function isNearlyUsed({ used, limit }: Line): boolean {
  return used !== null && used >= limit * WARNED_FROM;
}

function takenOf(usage: Usage, of: Counted): number | null {
  return of === "tokens" ? usage.tokens_in + usage.tokens_out : usage[of];
}

/** Of a turn that runs, so that its time counts before it has ended. */
export function running(used: Usage, ranMs: number): Usage {
  return addUsage(used, { wall_ms: ranMs });
}
