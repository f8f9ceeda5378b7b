/**
 * Budgets of members (spec: mob 3.1, 8.8): what they may take in a turn, a day and their life.
 *
 * takes what a member is about to do; gives nothing but leave; promises that a counted call is in the ledger before it runs, and one
 * `budget_warning` for each line that is nearly used; refuses what is used up (`mob.budget_exhausted`) and what has no price although
 * its cost is bounded; never counts anything but what the ledger tells, so that a restart gives nothing back.
 */
import type { Clock } from "@atoll-run/core";
import { ByKey } from "../bounded.ts";
import type { Budget, MobDefinition, Profile } from "../definition/definition.ts";
import { mobError, type MobError } from "../errors.ts";
import type { Entry, NewEntry } from "../ledger/entry.ts";
import type { Ledger, Writer } from "../ledger/ledger.ts";
import type { ToolCall, ToolGuard } from "../member/host.ts";
import type { WallLeft } from "../member/turn-time.ts";
import { ranMs } from "../roster/fold-turn.ts";
import type { View } from "../roster/view.ts";
import { exhausted, isNearlyUsed, linesOf, running, tighter, type Counted, type Line } from "./budget.ts";
import { priceOf } from "./prices.ts";
import { leftOfDay, NO_USAGE, usedToday } from "./usage.ts";

export interface BudgetParts {
  readonly ledger: Ledger;
  /** Of the mob. */
  readonly writer: Writer;
  /** Of the roster, which hears the ledger before this does. */
  readonly view: View;
  readonly profileOf: (name: string) => Pick<Profile, "budget"> | undefined;
  readonly prices: () => MobDefinition["prices"];
  readonly clock: Clock;
}

export interface Budgets extends AsyncDisposable {
  /** Before a turn is accepted, with `coming` others on their way. Throws `mob.budget_exhausted`. */
  checkTurn(member: string, coming: number): void;
  /** Before a model is asked. Throws `mob.budget_exhausted`. */
  checkModel(member: string, turnId: string | undefined, model: string): void;
  /** How long a turn may go on by itself, milliseconds, and what it ends with then. Undefined: its time is not bounded. */
  wallOf(member: string, turnId: string): WallLeft | undefined;
  /** Before a call that grants and policy allow is made. Throws `mob.budget_exhausted`, `mob.storage_degraded`. */
  takeTool(call: ToolCall): Promise<void>;
}

const SPENT_BY_MODEL: readonly Counted[] = ["tokens", "cost_usd", "wall_ms"];
const SPENT_BY_TOOL: readonly Counted[] = [...SPENT_BY_MODEL, "tool_calls"];
const SPENT: readonly Counted[] = [...SPENT_BY_TOOL, "turns"];
const UNITS: Readonly<Record<Counted, string>> = {
  tokens: "tokens", cost_usd: "US dollars", turns: "turns", tool_calls: "calls of tools", wall_ms: "milliseconds of running",
};

export function openBudgets(parts: BudgetParts): Budgets {
  return new LiveBudgets(parts);
}

/** After grants and policy. */
export function budgeted(guard: ToolGuard, budgets: Pick<Budgets, "takeTool">): ToolGuard {
  return async (call) => {
    const answer = await guard(call);
    if (answer === "allow") await budgets.takeTool(call);
    return answer;
  };
}

class LiveBudgets implements Budgets {
  readonly #parts: BudgetParts;
  /** Line of a member → the time it was warned of. */
  readonly #warned = new Map<string, string>();
  /** Calls of one member are counted one after the other. */
  readonly #byMember = new ByKey();
  readonly #hearing: Disposable;

  constructor(parts: BudgetParts) {
    this.#parts = parts;
    this.#hearing = parts.ledger.hear((entry) => this.#hear(entry));
  }

  checkTurn(member: string, coming: number): void {
    const lines = this.#lines(member, undefined).map((line) => line.of === "turns" && line.used !== null ? { ...line, used: line.used + coming } : line);
    this.#refuse(member, exhausted(lines, SPENT), "later");
  }

  checkModel(member: string, turnId: string | undefined, model: string): void {
    const lines = this.#lines(member, turnId);
    const costs = lines.find(({ of }) => of === "cost_usd");
    if (costs !== undefined && priceOf(this.#parts.prices(), model) === undefined) {
      throw mobError("mob.budget_exhausted", `what ${model} costs is not known, and ${member} has a bound for it`, {
        facts: { member, budget: nameOf(costs), limit: costs.limit, used: null, model }, retry: "never", hint: `Say it: [prices."${model}"] input and output.`,
      });
    }
    this.#refuse(member, exhausted(lines, SPENT_BY_MODEL), "never");
  }

  wallOf(member: string, turnId: string): WallLeft | undefined {
    if (this.#budgetOf(member) === null) return undefined;
    const left = ({ limit, used }: Line): number => limit - (used ?? 0);
    const [line] = this.#lines(member, turnId).filter(({ of }) => of === "wall_ms").sort((a, b) => left(a) - left(b));
    return line === undefined ? undefined : { leftMs: Math.max(0, left(line)), error: this.#error(member, line, "never") };
  }

  async takeTool(call: ToolCall): Promise<void> {
    const { member, turn_id, generation, principal, grant, tool } = call;
    // Models are asked for at each call of theirs.
    if (grant === "model" || this.#budgetOf(member) === null) return;
    await this.#byMember.run(member, async () => {
      const lines = this.#lines(member, turn_id);
      const line = exhausted(lines, SPENT_BY_TOOL);
      const about = {
        source: "mob", member, generation, ...turn_id === undefined ? {} : { turn_id }, ...principal === undefined ? {} : { principal },
      };
      const what = { grant, ...tool === undefined ? {} : { tool } };
      if (line !== undefined) await this.#append({ ...about, kind: "access_denied", data: { ...what, budget: nameOf(line) } });
      this.#refuse(member, line, "never");
      if (lines.some(({ of }) => of === "tool_calls")) await this.#append({ ...about, kind: "tool_execution_started", data: what });
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#hearing[Symbol.dispose]();
  }

  async #append(entry: NewEntry): Promise<void> {
    await this.#parts.ledger.append(this.#parts.writer, [entry]);
  }

  #budgetOf(member: string): Budget | null {
    const spec = this.#parts.view.members.get(member)?.spec;
    return spec === undefined ? null : tighter(this.#parts.profileOf(spec.profile)?.budget ?? null, spec.budget);
  }

  #lines(member: string, turnId: string | undefined): readonly Line[] {
    const budget = this.#budgetOf(member);
    if (budget === null) return [];
    const { view, clock } = this.#parts;
    const nowMs = clock.now();
    const known = view.members.get(member);
    const turn = turnId === undefined ? undefined : view.turns.get(turnId);
    // What runs is counted in days and lives when it ends.
    const ran = (known?.open ?? []).reduce((sum, id) => sum + ranMs(view.turns.get(id), nowMs), 0);
    const lines = linesOf(budget, {
      turn: running(turn?.usage ?? NO_USAGE, ranMs(turn, nowMs)),
      day: running(usedToday(known?.used, nowMs), ran), life: running(known?.used?.life ?? NO_USAGE, ran),
    });
    return turn === undefined ? lines.filter(({ per }) => per !== "turn") : lines;
  }

  #refuse(member: string, line: Line | undefined, retry: "later" | "never"): void {
    if (line !== undefined) throw this.#error(member, line, retry);
  }

  #error(member: string, line: Line, retry: "later" | "never"): MobError {
    const { limit, per, of, used } = line;
    const again = retry === "later" && per === "day" ? { retry_after_ms: leftOfDay(this.#parts.clock.now()) } : {};
    return mobError("mob.budget_exhausted", `${member} has used up its ${limit} ${UNITS[of]} of this ${per}`, {
      facts: { member, budget: nameOf(line), limit, used }, retry: per === "life" ? "never" : retry, ...again,
      hint: per === "day" ? "It begins anew at 00:00 UTC." : "Give its profile a larger budget.",
    });
  }

  #hear({ kind, member, turn_id }: Entry): void {
    if (member === undefined || !WARNS.has(kind)) return;
    for (const line of this.#lines(member, turn_id)) if (isNearlyUsed(line)) this.#warn(member, turn_id, line);
  }

  #warn(member: string, turnId: string | undefined, line: Line): void {
    const { clock, ledger, writer } = this.#parts;
    const when = line.per === "turn" ? turnId ?? "" : line.per === "day" ? new Date(clock.now()).toISOString().slice(0, 10) : "";
    const place = `${member} ${nameOf(line)}`;
    if (this.#warned.get(place) === when) return;
    this.#warned.set(place, when);
    const { used, limit } = line;
    // Refused where an earlier process has said it.
    void ledger.tryAppend(writer, [{
      kind: "budget_warning", source: "mob", member, ...turnId === undefined ? {} : { turn_id: turnId }, dedupe_key: `${place} ${when} ${limit}`,
      data: { budget: nameOf(line), used, limit },
    }], []).catch(() => this.#warned.delete(place));
  }
}

/** What takes something. */
const WARNS: ReadonlySet<string> = new Set(["turn_queued", "turn_completed", "tool_execution_started", "turn_done", "turn_failed", "turn_waiting"]);

function nameOf({ per, of }: Line): string {
  return `${per}.${of}`;
}
