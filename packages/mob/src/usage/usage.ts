/** What members, turns and runs take (spec: mob 3.1, 3.4, 9.5). Pure. */
import type { Entry } from "../ledger/entry.ts";

export interface Usage {
  /** All that models were told, what they had in their caches too. */
  readonly tokens_in: number;
  readonly tokens_out: number;
  /** US dollars. Null: the price of a model is not known. */
  readonly cost_usd: number | null;
  /** Turns that were accepted. */
  readonly turns: number;
  /** Calls that the guard let through; counted where a budget asks for it. */
  readonly tool_calls: number;
  /** Time in which turns ran: not in the queue, not waiting for approvals. */
  readonly wall_ms: number;
}

/** Of a member, since it was first there, and on one day (UTC, days since 1970). */
export interface Used {
  readonly life: Usage;
  readonly day: number;
  readonly today: Usage;
}

export const NO_USAGE: Usage = { tokens_in: 0, tokens_out: 0, cost_usd: 0, turns: 0, tool_calls: 0, wall_ms: 0 };
const DAY_MS = 86_400_000;

export function addUsage(a: Usage, b: Partial<Usage>): Usage {
  const { tokens_in = 0, tokens_out = 0, cost_usd = 0, turns = 0, tool_calls = 0, wall_ms = 0 } = b;
  return {
    tokens_in: a.tokens_in + tokens_in, tokens_out: a.tokens_out + tokens_out,
    cost_usd: a.cost_usd === null || cost_usd === null ? null : a.cost_usd + cost_usd,
    turns: a.turns + turns, tool_calls: a.tool_calls + tool_calls, wall_ms: a.wall_ms + wall_ms,
  };
}

export function use(used: Used | undefined, more: Partial<Usage>, atMs: number): Used {
  const day = Math.floor(atMs / DAY_MS);
  // A clock that was set back does not give a day twice.
  const today = used !== undefined && used.day >= day ? used : { day, today: NO_USAGE };
  return { life: addUsage(used?.life ?? NO_USAGE, more), day: today.day, today: addUsage(today.today, more) };
}

/** Nothing, once the day is over. */
export function usedToday(used: Used | undefined, nowMs: number): Usage {
  return used !== undefined && used.day >= Math.floor(nowMs / DAY_MS) ? used.today : NO_USAGE;
}

/** Milliseconds until the day is over. */
export function leftOfDay(nowMs: number): number {
  return DAY_MS - nowMs % DAY_MS;
}

/** What an entry says was taken; undefined: nothing. */
export function usageIn({ kind, data }: Entry): Partial<Usage> | undefined {
  if (kind === "tool_execution_started") return { tool_calls: 1 };
  return kind === "turn_completed" ? data["usage"] as Partial<Usage> | undefined : undefined;
}
