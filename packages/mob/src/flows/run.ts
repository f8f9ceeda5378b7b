/** A run of a flow, folded from its entries (spec: mob 9.4). Pure. */
import type { Json } from "@atoll-run/core";
import type { FlowDefinition } from "../definition/definition.ts";
import type { Failure } from "../errors.ts";
import type { Entry } from "../ledger/entry.ts";

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
  readonly error?: Failure;
}

export interface StepRun {
  readonly state: StepState;
  readonly started_at_ms: number | null;
  readonly targets: Readonly<Record<string, Target>>;
  /** `seq` of its completion. */
  readonly completed_seq?: number;
  readonly output?: Json;
  readonly error?: Failure;
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
  readonly started_at_ms: number;
  readonly ended_at_ms: number | null;
  /** `seq` of its last entry. */
  readonly revision: number;
}

const WAITING: StepRun = { state: "waiting", started_at_ms: null, targets: {} };

/** From its `flow_started`. */
export function beginRun(entry: Entry): Run {
  const { flow, definition, params, principal } = entry.data as unknown as {
    flow: string; definition: FlowDefinition; params: Json; principal: string;
  };
  return {
    run_id: entry.run_id as string, flow, definition, params, principal, state: "running", round: 0, started_at_ms: entry.ts_ms, ended_at_ms: null,
    steps: Object.fromEntries(Object.keys(definition.steps).map((name) => [name, WAITING])), revision: entry.seq,
  };
}

/** Outputs stand with the turns; `outputOf` has them. An entry that is not of this run changes nothing. */
export function foldRun(run: Run, entry: Entry, outputOf: (turnId: string) => Json | undefined): Run {
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
    case "step_target_completed": return step((one) => target(one, entry, { state: "done", turn_id: entry.turn_id ?? null, ...outputOfEntry(entry, outputOf) }));
    case "step_target_failed": return step((one) => target(one, entry, { state: "failed", ...failure === undefined ? {} : { error: failure } }));
    case "step_completed": return step((one) => ({ ...one, state: "completed", completed_seq: entry.seq, ...collected(run, step_id as string, one) }));
    case "step_failed": return step((one) => ({ ...one, state: "failed", ...failure === undefined ? {} : { error: failure } }));
    case "step_skipped": return step((one) => ({ ...one, state: "skipped" }));
    default: return next;
  }
}

function outputOfEntry({ turn_id }: Entry, outputOf: (turnId: string) => Json | undefined): { output?: Json } {
  const output = turn_id === undefined ? undefined : outputOf(turn_id);
  return output === undefined ? { output: null } : { output };
}

function dispatched(step: StepRun, entry: Entry): StepRun {
  const { target: name, member, attempt, at = 0 } = entry.data as unknown as { target: string; member: string; attempt: number; at?: number };
  return {
    ...step, state: "running", started_at_ms: step.started_at_ms ?? entry.ts_ms,
    targets: { ...step.targets, [name]: { name, member, attempt, at, state: "open", turn_id: entry.turn_id ?? null } },
  };
}

function target(step: StepRun, entry: Entry, change: Partial<Target>): StepRun {
  const name = String(entry.data["target"]);
  const old = step.targets[name];
  if (old === undefined) return step;
  return { ...step, targets: { ...step.targets, [name]: { ...old, ...change } } };
}

function resumed(run: Run, { ts_ms }: Entry): Run {
  const { error: _, ...rest } = run;
  return { ...rest, state: "running", round: run.round + 1, started_at_ms: ts_ms, ended_at_ms: null, steps: reopened(run) };
}

function reopened({ steps }: Run): Run["steps"] {
  return Object.fromEntries(Object.entries(steps).map(([name, step]) => {
    if (step.state !== "failed" && step.state !== "skipped") return [name, step];
    const done = Object.entries(step.targets).filter(([, { state }]) => state === "done");
    return [name, { ...WAITING, targets: Object.fromEntries(done) }];
  }));
}

/** The output of a step whose targets have answered (spec: mob 9.1). */
function collected({ definition }: Run, name: string, { targets }: StepRun): { output: Json } {
  const step = definition.steps[name];
  const done = Object.values(targets).filter(({ state }) => state === "done");
  const outputs = done.toSorted((a, b) => a.name < b.name ? -1 : 1);
  switch (step?.dispatch) {
    case "share": {
      const all = Object.values(targets).toSorted((a, b) => Number(a.name) - Number(b.name));
      return { output: all.map(({ state, output, error }): Json => state === "done" ? output ?? null : { error: { ...error ?? NO_ANSWER } }) };
    }
    case "one_to_one": return { output: outputs[0]?.output ?? null };
    case "fan_in": return { output: outputs.map(({ name: target, output }): Json => ({ target, output: output ?? null })) };
    default:
      if (step?.collect === "any") return { output: outputs[0]?.output ?? null };
      return { output: Object.fromEntries(outputs.map(({ name: target, output }) => [target, output ?? null])) };
  }
}

const NO_ANSWER: Failure = { code: "mob.deadline", text: "there was no answer" };

/** What a run has come to: the output of its last step that was completed. */
export function outputOfRun({ definition, steps }: Run): Json {
  const last = Object.keys(definition.steps).findLast((name) => steps[name]?.state === "completed");
  return last === undefined ? null : steps[last]?.output ?? null;
}
