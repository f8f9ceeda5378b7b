/** A run of a flow, folded from its entries (spec: mob 9.4). Pure. */
import type { Json } from "@atoll-run/core";
import type { FlowDefinition } from "../definition/definition.ts";
import type { Failure } from "../errors.ts";
import type { Entry } from "../ledger/entry.ts";
import type { Stored } from "../ledger/stored.ts";
import type { Turn } from "../member/turn.ts";
import type { Taint } from "../sessions/taint.ts";
import { addUsage, NO_USAGE, type Usage } from "../usage/usage.ts";
import { asOutput } from "./expect.ts";

export type RunState = "running" | "completed" | "failed" | "canceled";
export type StepState = "waiting" | "running" | "completed" | "failed" | "skipped";

/** One asked for one piece of a step: a member, or an item of a share. */
export interface Target {
  /** Member id, or the number of the item. */
  readonly name: string;
  readonly member: string;
  readonly state: "open" | "done" | "failed";
  /** From 1. */
  readonly attempt: number;
  readonly turn_id: string | null;
  /** Revision of the run when it was decided on: what its message was made of. */
  readonly at: number;
  readonly output?: Json;
  /** Its output stands apart. */
  readonly stored?: Stored;
  readonly error?: Failure;
  /** Of all its attempts. */
  readonly usage?: Usage;
}

/** Where an output that stands apart belongs in that of a step, which has its beginning there. */
export interface Hole {
  readonly at: readonly (string | number)[];
  readonly member: string;
  readonly turn_id: string;
}

/** Waits of turns for approvals: the time of a step, and of its run, stands still meanwhile. */
export interface Waits {
  /** Those that wait now. */
  readonly turns: readonly string[];
  /** Since when, while there are some. */
  readonly since_ms: number;
  /** What is over of it, milliseconds. */
  readonly waited_ms: number;
}

export interface StepRun {
  readonly state: StepState;
  readonly started_at_ms: number | null;
  readonly targets: Readonly<Record<string, Target>>;
  /** `seq` of its completion. */
  readonly completed_seq?: number;
  readonly output?: Json;
  readonly holes?: readonly Hole[];
  readonly error?: Failure;
  /** It is written down that the topology forbids it. */
  readonly forbidden?: true;
  /** Absent: none has waited. */
  readonly waits?: Waits;
  /** Absent: no model was asked. */
  readonly usage?: Usage;
}

export interface Run {
  readonly run_id: string;
  readonly flow: string;
  readonly definition: FlowDefinition;
  readonly params: Json;
  readonly principal: string;
  readonly state: RunState;
  /** How often it was resumed. */
  readonly round: number;
  readonly steps: Readonly<Record<string, StepRun>>;
  readonly error?: Failure;
  /** Its supervisor is to be told of that step. */
  readonly escalated?: string;
  readonly started_at_ms: number;
  readonly ended_at_ms: number | null;
  /** W3C `traceparent` of whoever has begun it, or goes on with it; absent: none was given. */
  readonly trace?: string;
  /** Of what its turns have read; absent: clean. */
  readonly taint?: Taint;
  /** Of all its steps. */
  readonly waits?: Waits;
  readonly usage?: Usage;
  /** `seq` of its last entry. */
  readonly revision: number;
}

const WAITING: StepRun = { state: "waiting", started_at_ms: null, targets: {} };

export type TurnOf = (turnId: string) => { readonly output: Json | null; readonly stored?: Stored } | undefined;

/** From its `flow_started`. */
export function beginRun(entry: Entry): Run {
  const { flow, definition, params, principal } = entry.data as unknown as {
    flow: string; definition: FlowDefinition; params: Json; principal: string;
  };
  return {
    ...traceOf(entry), run_id: entry.run_id as string, flow, definition, params, principal, state: "running", round: 0, started_at_ms: entry.ts_ms, ended_at_ms: null,
    steps: Object.fromEntries(Object.keys(definition.steps).map((name) => [name, WAITING])), revision: entry.seq,
  };
}

/** Outputs stand with the turns. An entry that is not of this run changes nothing. */
export function foldRun(run: Run, entry: Entry, turnOf: TurnOf): Run {
  if (entry.run_id !== run.run_id || entry.seq <= run.revision) return run;
  const next = { ...run, revision: entry.seq };
  const failure = entry.data["error"] as unknown as Failure | undefined;
  const { step_id } = entry;
  const end = (state: RunState): Run => ({ ...next, state, ended_at_ms: entry.ts_ms, ...failure === undefined ? {} : { error: failure } });
  const step = (change: (step: StepRun) => StepRun): Run =>
    ({ ...next, steps: { ...run.steps, [step_id as string]: change(run.steps[step_id as string] ?? WAITING) } });
  switch (entry.kind) {
    case "flow_completed": return end("completed");
    case "flow_failed": return end("failed");
    case "flow_canceled": return end("canceled");
    // Resumed: what has failed is to be done again.
    case "flow_started": return resumed(next, entry);
    case "step_dispatched": return step((one) => dispatched(one, entry));
    case "step_target_completed": return step((one) => target(one, entry, { state: "done", turn_id: entry.turn_id ?? null, ...outputOfEntry(run, entry, turnOf) }));
    case "step_target_failed": return step((one) => target(one, entry, { state: "failed", ...failure === undefined ? {} : { error: failure } }));
    case "step_completed": return step((one) => ({ ...one, state: "completed", completed_seq: entry.seq, ...collected(run, step_id as string, one) }));
    case "step_failed": return step((one) => ({ ...one, state: "failed", ...failure === undefined ? {} : { error: failure } }));
    case "topology_violation": return step((one) => ({ ...one, forbidden: true }));
    case "supervisor_escalation": return { ...next, escalated: step_id as string };
    case "step_skipped": return step((one) => ({ ...one, state: "skipped" }));
    default: return next;
  }
}

function outputOfEntry({ definition }: Run, { turn_id, step_id = "" }: Entry, turnOf: TurnOf): Pick<Target, "output" | "stored"> {
  const step = definition.steps[step_id];
  const { output = null, stored } = turn_id === undefined ? {} : turnOf(turn_id) ?? {};
  if (stored !== undefined) return { stored };
  return { output: step === undefined ? output : asOutput(step, output) };
}

function dispatched(step: StepRun, entry: Entry): StepRun {
  const { target: name, member, attempt, at = 0 } = entry.data as unknown as { target: string; member: string; attempt: number; at?: number };
  const { usage } = step.targets[name] ?? {};
  return {
    ...step, state: "running", started_at_ms: step.started_at_ms ?? entry.ts_ms,
    targets: { ...step.targets, [name]: { name, member, attempt, at, state: "open", turn_id: entry.turn_id ?? null, ...usage === undefined ? {} : { usage } } },
  };
}

/** What a turn of it has taken, by run, step and target. */
export function spendOn(run: Run, { turn_id, step_id = "", member }: Pick<Turn, "turn_id" | "step_id" | "member">, more: Partial<Usage>): Run {
  const add = (usage: Usage | undefined): { readonly usage: Usage } => ({ usage: addUsage(usage ?? NO_USAGE, more) });
  const step = run.steps[step_id];
  const whole = { ...run, ...add(run.usage) };
  if (step === undefined) return whole;
  // While it is open, its turn is known by whoever has it.
  const all = Object.values(step.targets);
  const target = all.find((one) => one.turn_id === turn_id) ?? all.find((one) => one.state === "open" && one.member === member);
  const targets = target === undefined ? step.targets : { ...step.targets, [target.name]: { ...target, ...add(target.usage) } };
  return { ...whole, steps: { ...run.steps, [step_id]: { ...step, ...add(step.usage), targets } } };
}

function target(step: StepRun, entry: Entry, change: Partial<Target>): StepRun {
  const name = String(entry.data["target"]);
  const old = step.targets[name];
  if (old === undefined) return step;
  return { ...step, targets: { ...step.targets, [name]: { ...old, ...change } } };
}

/** Its turn waits for an approval from now on, or does not any more. */
export function foldWait(run: Run, { turn_id, step_id = "", state }: Pick<Turn, "turn_id" | "step_id" | "state">, atMs: number): Run {
  const step = run.steps[step_id];
  const waiting = state === "waiting_approval" && run.state === "running" && step?.state === "running";
  const fold = <T extends { readonly waits?: Waits }>(one: T): T => {
    const { turns = [], since_ms = atMs } = one.waits ?? {};
    if (turns.includes(turn_id) === waiting) return one;
    const left = waiting ? [...turns, turn_id] : turns.filter((other) => other !== turn_id);
    return { ...one, waits: { turns: left, since_ms: turns.length === 0 ? atMs : since_ms, waited_ms: left.length === 0 ? waitedMs(one.waits, atMs) : one.waits?.waited_ms ?? 0 } };
  };
  return { ...fold(run), ...step === undefined ? {} : { steps: { ...run.steps, [step_id]: fold(step) } } };
}

/** How much of the time until then does not count. */
export function waitedMs(waits: Waits | undefined, nowMs: number): number {
  if (waits === undefined) return 0;
  return waits.waited_ms + (waits.turns.length > 0 ? Math.max(0, nowMs - waits.since_ms) : 0);
}

/** When so much time will be over that counts; null: while somebody waits for an approval it does not go on. */
export function endOf({ started_at_ms, waits }: Pick<StepRun, "started_at_ms" | "waits">, ms: number): number | null {
  if (started_at_ms === null || waits !== undefined && waits.turns.length > 0) return null;
  return started_at_ms + ms + (waits?.waited_ms ?? 0);
}

function traceOf({ trace }: Entry): Pick<Run, "trace"> {
  return trace === undefined ? {} : { trace };
}

function resumed(run: Run, entry: Entry): Run {
  const { ts_ms } = entry;
  const { error: _, escalated: __, waits: ___, ...rest } = run;
  return { ...rest, ...traceOf(entry), state: "running", round: run.round + 1, started_at_ms: ts_ms, ended_at_ms: null, steps: reopened(run) };
}

function reopened({ steps }: Run): Run["steps"] {
  return Object.fromEntries(Object.entries(steps).map(([name, step]) => {
    if (step.state !== "failed" && step.state !== "skipped") return [name, step];
    const done = Object.entries(step.targets).filter(([, { state }]) => state === "done");
    return [name, { ...WAITING, targets: Object.fromEntries(done) }];
  }));
}

/** The output of a step whose targets have answered (spec: mob 9.1). */
function collected({ definition }: Run, name: string, { targets }: StepRun): Pick<StepRun, "output" | "holes"> {
  const step = definition.steps[name];
  const done = Object.values(targets).filter(({ state }) => state === "done");
  const outputs = done.toSorted((a, b) => a.name < b.name ? -1 : 1);
  const holes: Hole[] = [];
  const of = (target: Target | undefined, ...at: readonly (string | number)[]): Json => {
    if (target?.stored === undefined) return target?.output ?? null;
    holes.push({ at, member: target.member, turn_id: target.turn_id ?? "" });
    return { ...target.stored };
  };
  const all = (): Json => {
    switch (step?.dispatch) {
      case "share": return Object.values(targets).toSorted((a, b) => Number(a.name) - Number(b.name))
        .map((target, at): Json => target.state === "done" ? of(target, at) : { error: { ...target.error ?? NO_ANSWER } });
      case "one_to_one": return of(outputs[0]);
      case "fan_in": return outputs.map((target, at): Json => ({ target: target.name, output: of(target, at, "output") }));
      default: return step?.collect === "any" ? of(outputs[0]) : Object.fromEntries(outputs.map((target) => [target.name, of(target, target.name)]));
    }
  };
  const output = all();
  return holes.length === 0 ? { output } : { output, holes };
}

const NO_ANSWER: Failure = { code: "mob.deadline", text: "there was no answer" };

/** What a run has come to: the output of its last step that was completed. */
export function outputOfRun({ definition, steps }: Run): Json {
  const last = Object.keys(definition.steps).findLast((name) => steps[name]?.state === "completed");
  return last === undefined ? null : steps[last]?.output ?? null;
}
