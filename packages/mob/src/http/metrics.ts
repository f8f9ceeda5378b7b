/**
 * How a mob is, for who watches it: its numbers, as Prometheus reads them, and whether it takes work (spec: mob 2.3, 11.6, 12.3).
 *
 * takes entries as they are committed, and the view; gives text; promises that looking costs a pass over the members and counting
 * costs nothing that grows; refuses nothing; never counts what was before its process.
 */
import type { Clock, Json, Log } from "@atoll-run/core";
import { Histogram, labelled, LoopWatch, toPrometheus } from "@atoll-run/node";
import type { Entry } from "../ledger/entry.ts";
import type { Ledger } from "../ledger/ledger.ts";
import type { CommitFigures } from "../ledger/time-commits.ts";
import type { MemberState } from "../member/row.ts";
import { FINAL_TURNS, type TurnState } from "../member/turn.ts";
import type { View } from "../roster/view.ts";
import type { MobState } from "../roster/mob-fold.ts";
import type { Usage } from "../usage/usage.ts";
import type { Reason } from "../whole/health.ts";
import type { Served } from "./method.ts";
import { memberStates } from "./schemas.ts";

export interface MetricsParts {
  readonly mob: string;
  readonly ledger: Ledger;
  readonly commits: CommitFigures;
  readonly view: View;
  readonly clock: Clock;
  readonly log: Log;
}

/** What a stream tells of a mob: what changes with entries alone, so that nothing is told while nothing happens. */
export type Figures = Readonly<Record<string, Json>>;

/** What the server has in hand. */
export interface ServerFigures {
  readonly requests: number;
  readonly streams: number;
  /** Entries that the last of them has still to read. */
  readonly lag: number;
}

export class Metrics implements Disposable {
  readonly #parts: MetricsParts;
  /** By how they ended. */
  readonly #ended = Object.fromEntries([...FINAL_TURNS].map((state) => [state, 0])) as Record<TurnState, number>;
  readonly #tokens = { in: 0, out: 0 };
  /** US dollars, and turns of which a price is not known. */
  readonly #cost = { cost_usd_total: 0, turns_unpriced_total: 0 };
  /** From acceptance to the start, and to the end. */
  readonly #wait = new Histogram();
  readonly #turn = new Histogram();
  readonly #delay = new Histogram();
  readonly #entries: Record<string, number> = {};
  readonly #ending = new DisposableStack();

  constructor(parts: MetricsParts) {
    this.#parts = parts;
    const { ledger, clock, log, mob } = parts;
    this.#ending.use(ledger.hear((entry) => this.#count(entry)));
    this.#ending.use(new LoopWatch({ clock, log, of: { target: "mob", name: mob }, delay: this.#delay }));
  }

  [Symbol.dispose](): void {
    this.#ending.dispose();
  }

  text(server: ServerFigures): string {
    const { mob, clock, commits } = this.#parts;
    const { requests, streams, lag } = server;
    const sample = (name: string, histogram: Histogram) => ({ name: `mob_${name}_seconds`, labels: {}, histogram });
    const figures = {
      ...this.#members(clock.now()), ...this.#work(),
      ...labelled("turns_total", "end", this.#ended), ...labelled("tokens_total", "direction", this.#tokens), ...this.#cost, ...labelled("entries_total", "class", this.#entries),
      commit_failures_total: commits.failed, requests, stream_clients: streams, stream_lag_entries: lag,
    };
    return toPrometheus(Object.fromEntries(Object.entries(figures).map(([name, value]) => [`mob_${name}`, value])), [
      sample("commit", commits.seconds), sample("turn_wait", this.#wait), sample("turn", this.#turn), sample("loop_delay", this.#delay),
    ], { labels: { mob }, nowMs: clock.now() });
  }

  /** Money in US dollars; `turns`, `tokens` and what they cost since this process began. */
  now(): Figures {
    const { states, oldestMs, ...members } = this.#tally();
    return {
      members: states, ...members, queue_oldest_at_ms: oldestMs ?? null, ...this.#work(),
      turns: { ...this.#ended }, tokens: { ...this.#tokens }, ...this.#cost,
    };
  }

  #members(nowMs: number): Readonly<Record<string, number>> {
    const { states, oldestMs = nowMs, ...figures } = this.#tally();
    return { ...labelled("members", "state", states), ...figures, queue_oldest_ms: nowMs - oldestMs };
  }

  #tally() {
    const { view } = this.#parts;
    const states = Object.fromEntries(memberStates.options.map((state) => [state, 0])) as Record<MemberState, number>;
    let [depth, dead, running, oldestMs] = [0, 0, 0, Infinity];
    for (const { life: { state }, open, dead: buried } of view.members.values()) {
      states[state === "none" ? "retired" : state] += 1;
      depth += open.length;
      dead += buried;
      running += open.filter((turn) => view.turns.get(turn)?.state === "running").length;
      oldestMs = Math.min(oldestMs, view.turns.get(open[0] ?? "")?.queued_at_ms ?? Infinity);
    }
    return { states, queue_depth: depth, turns_running: running, dead_letters: dead, ...oldestMs === Infinity ? {} : { oldestMs } };
  }

  #work(): Readonly<Record<string, number>> {
    const { view, ledger } = this.#parts;
    const open = <T extends { readonly state: string }>(all: ReadonlyMap<string, T>, state: T["state"]): number =>
      [...all.values()].filter((one) => one.state === state).length;
    return {
      edges: view.edges.size, head: ledger.head, approvals_open: open(view.approvals, "open"), runs_open: open(view.runs, "running"),
    };
  }

  #count({ class: of, kind, turn_id, ts_ms, data }: Entry): void {
    this.#entries[of] = (this.#entries[of] ?? 0) + 1;
    if (of !== "turn" || turn_id === undefined) return;
    const turn = this.#parts.view.turns.get(turn_id);
    const state = kind.slice("turn_".length) as TurnState;
    const tookS = turn === undefined ? undefined : Math.max(0, ts_ms - turn.queued_at_ms) / 1_000;
    if (kind === "turn_started" && tookS !== undefined) this.#wait.observe(tookS);
    if (!FINAL_TURNS.has(state)) return;
    this.#ended[state] += 1;
    if (tookS !== undefined) this.#turn.observe(tookS);
    const { tokens_in = 0, tokens_out = 0, cost_usd = 0 } = data["usage"] as Partial<Usage> | undefined ?? {};
    if (cost_usd === null) this.#cost.turns_unpriced_total += 1;
    else this.#cost.cost_usd_total += cost_usd;
    this.#tokens.in += tokens_in;
    this.#tokens.out += tokens_out;
  }
}

export interface Readiness {
  readonly ready: boolean;
  /** Why it takes no work: empty while it is ready. */
  readonly reasons: readonly (MobState | "shutting_down" | Reason["code"])[];
  /** What does not stop it. */
  readonly degraded: readonly Reason["code"][];
}

/** Whether it takes work, and what is wrong when it does not, or not all of it. */
export function readinessOf({ lifecycle, health, view }: Pick<Served, "lifecycle" | "health" | "view">): Readiness {
  const all = [...new Set(health.reasons().map(({ code }) => code))];
  const reasons = [
    ...view.mob.state === "running" ? [] : [view.mob.state], ...lifecycle.stopping() ? ["shutting_down" as const] : [], ...all.filter((code) => code === "storage_degraded"),
  ];
  return { ready: reasons.length === 0, reasons, degraded: all.filter((code) => code !== "storage_degraded") };
}
