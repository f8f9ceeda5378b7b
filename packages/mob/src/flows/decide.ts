/**
 * What is next in a run of a flow: one pure function (spec: mob 9).
 *
 * takes a run as it is folded, who there is, and the time; gives moves, each an entry and what it does; promises that
 * whoever has answered is not asked again and that used retries stay used; refuses nothing; never asks anybody itself.
 */
import type { Json } from "@atoll-run/core";
import type { FlowStep } from "../definition/definition.ts";
import type { Failure } from "../errors.ts";
import { MOB_LIMITS } from "../limits.ts";
import { endOf, type Run, type StepRun, type Target } from "./run.ts";
import { lookUp, render, type Scope } from "./template.ts";

/** Somebody a step can ask. */
export interface Candidate {
  readonly id: string;
  readonly profile: string;
  /** False: broken or final. */
  readonly usable: boolean;
  /** It stands for a target that has failed. */
  readonly broken: boolean;
  /** Turns that it has. */
  readonly load: number;
}

export type Move =
  | {
    readonly is: "dispatch"; readonly step: string; readonly target: string; readonly member: string; readonly attempt: number;
    readonly content: Json;
  }
  | { readonly is: "target_failed"; readonly step: string; readonly target: string; readonly error: Failure }
  /** `cancel`: turns nobody waits for any more. */
  | { readonly is: "step_completed"; readonly step: string; readonly cancel: readonly string[] }
  | { readonly is: "step_failed"; readonly step: string; readonly error: Failure; readonly cancel: readonly string[] }
  | { readonly is: "step_skipped"; readonly step: string }
  | { readonly is: "forbidden"; readonly step: string; readonly from: string; readonly to: string; readonly mode: "strict" | "advisory" }
  | { readonly is: "escalate"; readonly step: string; readonly role: string; readonly failures: number; readonly error: Failure }
  | { readonly is: "completed" }
  | { readonly is: "failed"; readonly error: Failure; readonly cancel: readonly string[] };

export interface Decision {
  readonly moves: readonly Move[];
  /** When to look again, if nothing happens before; null = never. */
  readonly wake_at_ms: number | null;
}

export interface Facts {
  readonly candidates: readonly Candidate[];
  readonly now_ms: number;
  readonly run_ms: number;
}

/** Moves of one step of the order; call again after they are folded, until there is none. */
export function decideRun(run: Run, facts: Facts): Decision {
  if (run.state !== "running") return { moves: [], wake_at_ms: null };
  const endsAtMs = endOf(run, facts.run_ms);
  if (isOver(endsAtMs, facts)) {
    return { moves: [failedRun(run, { code: "mob.deadline", text: `the run took longer than ${facts.run_ms} ms` })], wake_at_ms: null };
  }
  const escalated = Object.entries(run.definition.steps).find(([name, step]) =>
    step.on_failure === "escalate" && run.steps[name]?.state === "failed");
  if (escalated !== undefined) {
    const { code = "mob.tool_failed", text = "" } = run.steps[escalated[0]]?.error ?? {};
    const { supervisor } = run.definition;
    const failures = failuresOf(run.steps[escalated[0]]);
    if (supervisor !== undefined && run.escalated === undefined && failures >= supervisor.threshold) {
      return { moves: [{ is: "escalate", step: escalated[0], role: supervisor.role, failures, error: { code, text } }], wake_at_ms: null };
    }
    return { moves: [failedRun(run, { code, text: `step ${escalated[0]} failed: ${text}` })], wake_at_ms: null };
  }
  const moves: Move[] = [];
  const ends = [endsAtMs];
  // Whom this look has given something already.
  const given = new Map<string, number>();
  for (const [name, step] of Object.entries(run.definition.steps)) {
    const now = run.steps[name];
    if (now === undefined || now.state === "completed" || now.state === "failed" || now.state === "skipped") continue;
    moves.push(...decideStep({ run, name, step, now, facts, given }));
    if (now.started_at_ms !== null) ends.push(endOf(now, step.timeout_ms));
    else if (now.state === "waiting") ends.push(facts.now_ms + step.timeout_ms);
  }
  const over = Object.values(run.steps).every(({ state }) => state !== "waiting" && state !== "running");
  if (over) return { moves: [{ is: "completed" }], wake_at_ms: null };
  const known = ends.filter((end) => end !== null);
  return { moves, wake_at_ms: known.length === 0 ? null : Math.min(...known) };
}

function isOver(endsAtMs: number | null, { now_ms }: Facts): boolean {
  return endsAtMs !== null && now_ms >= endsAtMs;
}

interface Place {
  readonly run: Run;
  readonly name: string;
  readonly step: FlowStep;
  readonly now: StepRun;
  readonly facts: Facts;
  readonly given: Map<string, number>;
}

function decideStep(place: Place): readonly Move[] {
  const { run, name, step, now, facts } = place;
  if (now.state === "waiting") {
    const ready = readiness(run, step);
    if (ready === "wait") return [];
    if (ready === "skip") return [{ is: "step_skipped", step: name }];
    const pair = forbiddenPair(place);
    if (pair !== undefined) {
      if (now.forbidden !== true) return [{ is: "forbidden", step: name, ...pair }];
      if (pair.mode === "strict") return [failedStep(place, { code: "mob.denied", text: `the topology forbids ${pair.from} → ${pair.to}` })];
    }
  } else if (isOver(endOf(now, step.timeout_ms), facts)) {
    const error = { code: "mob.deadline", text: `it took longer than ${step.timeout_ms} ms` };
    return [{ is: "step_failed", step: name, error, cancel: openTurns(now) }];
  }
  return step.dispatch === "share" ? share(place) : ask(place);
}

/** A dependency that failed or was skipped skips the dependent; `any`: only if all of them were. */
function readiness(run: Run, { depends_on, depends_on_mode }: FlowStep): "ready" | "wait" | "skip" {
  const states = depends_on.map((name) => run.steps[name]?.state ?? "skipped");
  if (states.length === 0) return "ready";
  const lost = states.filter((state) => state === "failed" || state === "skipped").length;
  if (depends_on_mode === "any") {
    if (states.includes("completed")) return "ready";
    return lost === states.length ? "skip" : "wait";
  }
  if (lost > 0) return "skip";
  return states.every((state) => state === "completed") ? "ready" : "wait";
}

/** From the profile of a step that it depends on to its own; the first that is forbidden. */
function forbiddenPair({ run, step, facts }: Place): { readonly from: string; readonly to: string; readonly mode: "strict" | "advisory" } | undefined {
  const { topology, steps } = run.definition;
  if (topology === undefined) return undefined;
  const roleOf = ({ to }: FlowStep): string => ("role" in to ? to.role : facts.candidates.find(({ id }) => id === to.member)?.profile ?? "");
  const fits = (wanted: string, role: string): boolean => wanted === "*" || wanted === role;
  const to = roleOf(step);
  for (const name of step.depends_on) {
    const from = roleOf(steps[name] as FlowStep);
    const rule = topology.rules.find((one) => fits(one.from, from) && fits(one.to, to));
    if (rule?.allowed === false) return { from, to, mode: topology.mode };
  }
  return undefined;
}

/** Asks that have failed; a step that asked nobody has failed once. */
function failuresOf(step: StepRun | undefined): number {
  return Math.max(1, Object.values(step?.targets ?? {}).reduce((sum, { state, attempt }) => sum + attempt - (state === "failed" ? 0 : 1), 0));
}

/** fan_out, fan_in, one_to_one: each target once, again while it has retries. */
function ask(place: Place): readonly Move[] {
  const { step, name, now } = place;
  const people = candidatesOf(place);
  const broken = now.state === "waiting" && step.collect === "all" && step.dispatch !== "one_to_one" ? brokenOf(place) : [];
  if (broken.length > 0) return [failedStep(place, { code: "mob.member_broken", text: `${broken.join(", ")} cannot answer, and all are to` })];
  if (now.state === "waiting" && people.length === 0) return [failedStep(place, noCandidate(step))];
  if (people.length > MOB_LIMITS.targetsMax && step.dispatch !== "one_to_one") {
    return [failedStep(place, { code: "mob.too_large", text: `it would ask ${people.length} members at once, more than ${MOB_LIMITS.targetsMax}` })];
  }
  const chosen = step.dispatch === "one_to_one" ? chooseOne(place, people) : people.map(({ id }) => id);
  const wanted = now.state === "waiting" ? chosen : Object.keys(now.targets);
  const needed = step.collect === "all" || step.dispatch === "one_to_one" ? wanted.length
    : step.collect === "any" ? 1 : step.collect.quorum;
  const targets = wanted.map((target) => now.targets[target]);
  const done = targets.filter((target) => target?.state === "done").length;
  if (done >= needed && wanted.length > 0) return [{ is: "step_completed", step: name, cancel: step.let_finish ? [] : openTurns(now) }];
  const lost = targets.filter((target) => target !== undefined && isLost(target, step)).length;
  if (wanted.length - lost < needed) {
    const last = Object.values(now.targets).findLast(({ error }) => error !== undefined)?.error;
    return [failedStep(place, last ?? { code: "mob.unavailable", text: `${needed} of ${wanted.length} are needed` })];
  }
  const content = message(place, undefined);
  if (!content.ok) return [failedStep(place, { code: "mob.invalid_params", text: content.problem })];
  return wanted.flatMap((target): readonly Move[] => {
    const old = now.targets[target];
    if (old !== undefined && (old.state !== "failed" || isLost(old, step))) return [];
    const member = old === undefined ? target : again(place, old);
    return [{ is: "dispatch", step: name, target, member, attempt: (old?.attempt ?? 0) + 1, content: content.value }];
  });
}

/** Each item to the next who is free; a failed one to another, if there is one. */
function share(place: Place): readonly Move[] {
  const { step, name, now, run, given } = place;
  const items = lookUp(step.items ?? "", scopeOf(run));
  if (!items.ok) return [failedStep(place, { code: "mob.invalid_params", text: items.problem })];
  if (!Array.isArray(items.value)) return [failedStep(place, { code: "mob.invalid_params", text: `${step.items} is not a list` })];
  const list = items.value as readonly Json[];
  const open = Object.values(now.targets).filter(({ state }) => state === "open");
  const left = list.flatMap((_, at) => {
    const target = now.targets[at];
    return target === undefined || target.state === "failed" && !isLost(target, step) ? [at] : [];
  });
  if (left.length === 0 && open.length === 0) return [{ is: "step_completed", step: name, cancel: [] }];
  const people = candidatesOf(place);
  if (people.length === 0 && open.length === 0) return [failedStep(place, noCandidate(step))];
  const busy = new Set(open.map(({ member }) => member));
  const free = people.filter(({ id }) => !busy.has(id) && (given.get(id) ?? 0) === 0).toSorted((a, b) => a.load - b.load || (a.id < b.id ? -1 : 1));
  const moves: Move[] = [];
  for (const at of left) {
    const old = now.targets[at];
    const index = old === undefined ? 0 : Math.max(0, free.findIndex(({ id }) => id !== old.member));
    const [member] = free.splice(index, 1);
    if (member === undefined) break;
    given.set(member.id, 1);
    const content = message(place, list[at] as Json);
    if (!content.ok) return [failedStep(place, { code: "mob.invalid_params", text: content.problem })];
    moves.push({ is: "dispatch", step: name, target: String(at), member: member.id, attempt: (old?.attempt ?? 0) + 1, content: content.value });
  }
  return moves;
}

function candidatesOf({ step: { to }, facts: { candidates } }: Place): readonly Candidate[] {
  const fits = (one: Candidate): boolean => "member" in to ? one.id === to.member : one.profile === to.role;
  return candidates.filter((one) => one.usable && fits(one));
}

function brokenOf({ step: { to }, facts: { candidates } }: Place): readonly string[] {
  return candidates.filter((one) => one.broken && ("member" in to ? one.id === to.member : one.profile === to.role)).map(({ id }) => id);
}

/** The least loaded, or the same one for an equal key. */
function chooseOne({ step, run, given }: Place, people: readonly Candidate[]): readonly string[] {
  const sorted = people.toSorted((a, b) => a.id < b.id ? -1 : 1);
  if (step.key !== null) {
    const key = render(step.key, scopeOf(run));
    const text = JSON.stringify(key.ok ? key.value : step.key);
    let sum = 0;
    for (const unit of text) sum = Math.imul(sum, 31) + (unit.codePointAt(0) as number) >>> 0;
    const same = sorted[sum % sorted.length];
    return same === undefined ? [] : [same.id];
  }
  const [least] = sorted.toSorted((a, b) => a.load + (given.get(a.id) ?? 0) - b.load - (given.get(b.id) ?? 0));
  return least === undefined ? [] : [least.id];
}

/** A target that stands for no particular member may go to another one. */
function again(place: Place, old: Target): string {
  if (place.step.dispatch !== "one_to_one" || place.step.key !== null) return old.member;
  return candidatesOf(place).find(({ id }) => id !== old.member)?.id ?? old.member;
}

function isLost({ state, attempt }: Target, { retries }: FlowStep): boolean {
  return state === "failed" && attempt > retries;
}

function message({ step, run }: Place, item: Json | undefined): ReturnType<typeof render> {
  return renderFor(step, run, scopeOf(run, item));
}

function renderFor({ message: template }: FlowStep, { params }: Run, scope: Scope): ReturnType<typeof render> {
  return template === null ? { ok: true, value: scope.item ?? params } : render(template, scope);
}

/** `at`: only what was there at that revision of the run. */
function scopeOf({ params, steps, definition }: Run, item?: Json, at = Infinity): Scope {
  const outputOf = (step: StepRun | undefined): Json | undefined => ((step?.completed_seq ?? Infinity) <= at || at === Infinity ? step?.output : undefined);
  return {
    params, ...item === undefined ? {} : { item },
    steps: Object.fromEntries(Object.keys(definition.steps).map((name) => [name, { output: outputOf(steps[name]) }])),
  };
}

/** The message of a target, as it was when it was decided on. */
export function messageOf(run: Run, stepName: string, { name, at }: Target): ReturnType<typeof render> {
  const step = run.definition.steps[stepName] as FlowStep;
  const items = step.dispatch === "share" ? lookUp(step.items ?? "", scopeOf(run, undefined, at)) : undefined;
  const item = items?.ok === true && Array.isArray(items.value) ? (items.value as readonly Json[])[Number(name)] : undefined;
  return renderFor(step, run, scopeOf(run, item, at));
}

function openTurns({ targets }: StepRun): readonly string[] {
  return Object.values(targets).flatMap(({ state, turn_id }) => state === "open" && turn_id !== null ? [turn_id] : []);
}

function failedStep({ name, now }: Place, error: Failure): Move {
  return { is: "step_failed", step: name, error, cancel: openTurns(now) };
}

function failedRun({ steps }: Run, error: Failure): Move {
  const running = Object.values(steps).filter(({ state }) => state === "running");
  return { is: "failed", error, cancel: running.flatMap(openTurns) };
}

function noCandidate({ to }: FlowStep): Failure {
  const who = "member" in to ? `member ${to.member}` : `member of role ${to.role}`;
  return { code: "mob.unavailable", text: `there is no ${who} that can be asked` };
}
