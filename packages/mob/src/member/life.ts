/**
 * The life of a member: one pure function over one table (spec: mob 3.3).
 *
 * takes where a member is and what has happened; gives where it is now, the entries that say so, and what is to be done;
 * promises that no sequence of events leaves the table; refuses, by giving nothing, an event that has no row; never does
 * anything itself: its caller writes the entries first, then acts.
 *
 * none: nobody of that id. starting: it has a fence and is on its way. active: it takes turns. dormant: no isle and no
 * timer, its mailbox is open. suspended: mail waits, nothing runs. broken: it has failed too often; mail is refused, and it
 * is tried again by itself, ever less often, until it has failed in the same way for the third time. retiring: what it has is worked off. retired, completed: final, until somebody spawns the id again.
 */
import type { MobLimits } from "../limits.ts";
import type { EntryKind } from "../ledger/entry.ts";
import type { MemberState } from "./row.ts";

export type LifeState = "none" | MemberState;

export const FINAL_STATES: readonly LifeState[] = ["none", "retired", "completed"];

/** Event → states in which it means something. */
export const LIFE_TABLE = {
  spawn: ["none", "retired", "completed"],
  wake: ["dormant"],
  started: ["starting", "retiring"],
  start_failed: ["starting", "retiring"],
  idle: ["active"],
  crashed: ["active", "retiring"],
  exited: ["active", "retiring"],
  suspend: ["starting", "active", "dormant"],
  resume: ["suspended"],
  retire: ["starting", "active", "dormant", "suspended", "broken"],
  drained: ["retiring"],
  drain_deadline: ["retiring"],
  respawn: ["starting", "active", "dormant", "suspended", "broken"],
  reset: ["starting", "active", "dormant", "suspended", "broken"],
  reload: ["starting", "active", "dormant", "suspended", "broken"],
  renew: ["starting", "active", "retiring"],
  repair: ["broken"],
  mend: ["broken"],
  retry: ["dormant"],
} as const satisfies Readonly<Record<string, readonly LifeState[]>>;

export type LifeEvent =
  /** `lazy`: it starts at its first mail. */
  | { readonly is: "spawn"; readonly lazy: boolean; readonly fresh: boolean }
  | { readonly is: "start_failed"; readonly kind: BrokenKind; readonly detail: string }
  /** Whether it has a turn, a queue or an open approval. */
  | { readonly is: "idle"; readonly busy: boolean }
  | { readonly is: "crashed"; readonly detail: string }
  | { readonly is: "suspend"; readonly why: "lease_lost" | "fence_rejected" | "operator" }
  | { readonly is: "retire"; readonly drain_ms: number; readonly queued: boolean }
  /** `renew`: its code is made anew, what runs is put back. `mend`: a repair that nobody has asked for. `retry`: a start again. */
  | { readonly is: Exclude<keyof typeof LIFE_TABLE, "spawn" | "start_failed" | "idle" | "crashed" | "suspend" | "retire"> };

export type BrokenKind =
  | "snapshot_missing" | "snapshot_corrupted" | "generation_mismatch" | "store_unavailable" | "resume_rejected"
  | "start_failed" | "model_missing" | "checkpoint_unrecoverable" | "crashed";

/** Trying again at once would not help. */
const HOPELESS: ReadonlySet<BrokenKind> = new Set([
  "snapshot_missing", "snapshot_corrupted", "generation_mismatch", "resume_rejected", "model_missing", "checkpoint_unrecoverable",
]);
/** It comes back by itself: there is nothing to look at. */
const NEVER_PARKED: BrokenKind = "store_unavailable";

/** What was tried by itself since it broke. */
export interface Mends {
  readonly count: number;
  /** How often in a row it broke in the same way, and which. */
  readonly same: number;
  readonly why: string;
  /** Of the last one; 0 = none. */
  readonly at_ms: number;
}

export interface Life {
  readonly state: LifeState;
  readonly generation: number;
  /** It has never been active in this generation of its id: what fails leaves no member. */
  readonly first: boolean;
  /** Starts that failed in a row. */
  readonly tries: number;
  /** Instants of the last crashes. */
  readonly crashes: readonly number[];
  readonly mends: Mends;
}

export const NO_CRASHES: readonly number[] = [];
export const NO_MENDS: Mends = { count: 0, same: 0, why: "", at_ms: 0 };
export const NOBODY: Life = { state: "none", generation: 0, first: true, tries: 0, crashes: NO_CRASHES, mends: NO_MENDS };

export type BuryReason = "member_retired" | "member_reset" | "member_completed" | "member_spawn_failed";

export type LifeAction =
  | { readonly do: "start"; readonly after_ms: number }
  /** Lets go of the incarnation; its running turn goes back into the queue. */
  | { readonly do: "stop"; readonly turn: "requeue" | "interrupted" }
  /** Closes it in peace: nothing runs. */
  | { readonly do: "sleep" }
  | { readonly do: "drain"; readonly within_ms: number }
  | { readonly do: "bury_queue"; readonly reason: BuryReason }
  | { readonly do: "leave_edges" }
  /** Its code is made anew after the turns that run: {@link LifeEvent} `renew`. */
  | { readonly do: "reload" }
  /** Is repaired after that time: {@link LifeEvent} `mend`. */
  | { readonly do: "mend"; readonly after_ms: number }
  /** Asks again after that time: {@link LifeEvent} `retry`. */
  | { readonly do: "retry"; readonly after_ms: number };

export interface LifeStep {
  readonly life: Life;
  readonly entries: readonly { readonly kind: EntryKind; readonly data: Readonly<Record<string, string | number | boolean>> }[];
  readonly actions: readonly LifeAction[];
}

export type LifeLimits = Pick<
  MobLimits, "startTries" | "startBackoffMs" | "startBackoffMsMax" | "crashesMax" | "crashWindowMs" | "repairMs" | "repairMsMax" | "repairsSameMax"
>;

export interface LifeRules {
  readonly limits: LifeLimits;
  readonly restart: "on_failure" | "always" | "never";
  readonly now_ms: number;
  /** 0 ≤ x < 1. */
  readonly chance: number;
}

/** Undefined: the event means nothing in that state. */
export function stepLife(life: Life, event: LifeEvent, rules: LifeRules): LifeStep | undefined {
  if (!(LIFE_TABLE[event.is] as readonly LifeState[]).includes(life.state)) return undefined;
  switch (event.is) {
    case "spawn": return spawn(life, event);
    case "wake": case "retry": return starting(life, event.is, { actions: [{ do: "start", after_ms: 0 }] });
    case "started": return started(life);
    case "start_failed": return startFailed(life, event, rules);
    case "idle": return event.busy ? undefined : to(life, "dormant", { kind: "member_dormant", actions: [{ do: "sleep" }] });
    case "crashed": return crashed(life, event.detail, rules);
    case "exited": return exited(life, rules);
    case "suspend":
      return to(life, "suspended", { kind: "member_suspended", data: { why: event.why }, actions: [{ do: "stop", turn: "requeue" }] });
    case "resume": return to(life, "dormant", { kind: "member_dormant", actions: [{ do: "sleep" }] });
    case "retire": return retire(life, event);
    case "drained": case "drain_deadline": return retired(life, event.is);
    case "respawn": return again(life, "member_respawned", []);
    case "reset":
      return again(life, "member_reset", [{ do: "bury_queue", reason: "member_reset" }]);
    case "reload": return reload(life);
    case "renew": return life.state === "retiring" ? to(life, "retiring", { actions: RESTART }) : starting(life, "renew", { actions: RESTART });
    case "repair": return repaired(life, NO_MENDS);
    case "mend": return repaired(life, { ...life.mends, at_ms: rules.now_ms });
  }
}

interface Move {
  readonly kind?: EntryKind;
  readonly data?: Readonly<Record<string, string | number | boolean>>;
  readonly actions: readonly LifeAction[];
}

function to(life: Life, state: LifeState, { kind, data = {}, actions }: Move): LifeStep {
  const next = { ...life, state };
  return {
    life: next, actions,
    entries: kind === undefined ? [] : [{ kind, data: { ...data, state, from: life.state, generation: next.generation } }],
  };
}

/** On its way again in the same generation; `why`: what has happened. */
function starting(life: Life, why: "wake" | "retry" | "renew" | "crashed" | "exited", { data = {}, actions }: Omit<Move, "kind">): LifeStep {
  return to(life, "starting", { kind: "member_starting", data: { why, ...data }, actions });
}

const RESTART: readonly LifeAction[] = [{ do: "stop", turn: "requeue" }, { do: "start", after_ms: 0 }];

/** Who does not run reads all of it at its next start anyway. */
function reload(life: Life): LifeStep {
  const actions: readonly LifeAction[] = life.state === "active" ? [{ do: "reload" }] : life.state === "starting" ? RESTART : [];
  return to(life, life.state, { kind: "member_reloaded", actions });
}

function repaired(life: Life, mends: Mends): LifeStep {
  const data = mends === NO_MENDS ? {} : { mends: mends.count };
  return to({ ...life, tries: 0, crashes: NO_CRASHES, mends }, "starting", { kind: "member_repaired", data, actions: [{ do: "start", after_ms: 0 }] });
}

/** It is tried again by itself, unless the last three of those tries have all ended like the break before them. */
function broken(
  life: Life, { kind, detail, ...more }: { readonly kind: BrokenKind; readonly detail: string; readonly tries?: number },
  { rules: { limits, now_ms, chance }, actions }: { readonly rules: LifeRules; readonly actions: readonly LifeAction[] },
): LifeStep {
  const { repairMs, repairMsMax, repairsSameMax, crashWindowMs } = limits;
  // It was well for a while in between.
  const before = now_ms - life.mends.at_ms > crashWindowMs ? NO_MENDS : life.mends;
  const why = `${kind}: ${detail}`;
  const same = before.why === why ? before.same + 1 : 1;
  const count = before.count + 1;
  const parked = same > repairsSameMax && kind !== NEVER_PARKED;
  const after_ms = spread(Math.min(repairMsMax, repairMs * 2 ** Math.min(count - 1, 16)), chance);
  return to({ ...life, mends: { count, same, why, at_ms: before.at_ms } }, "broken", {
    kind: "member_broken", data: { kind, detail, ...more, parked }, actions: [...actions, ...parked ? [] : [{ do: "mend", after_ms } as const]],
  });
}

function spawn(life: Life, { lazy, fresh }: LifeEvent & { is: "spawn" }): LifeStep {
  const born: Life = { state: life.state, generation: life.generation + 1, first: life.state === "none" && !lazy, tries: 0, crashes: NO_CRASHES, mends: NO_MENDS };
  // A session goes on unless it is said otherwise.
  const data = { lazy, ...fresh && life.state !== "none" ? { fresh } : {} };
  const spawning = to(born, lazy ? "dormant" : "starting", { kind: "member_spawning", data, actions: [] });
  if (!lazy) return { ...spawning, actions: [{ do: "start", after_ms: 0 }] };
  const spawned = to(born, "dormant", { kind: "member_spawned", actions: [] });
  return { ...spawning, entries: [...spawning.entries, ...spawned.entries] };
}

function started(life: Life): LifeStep {
  const state = life.state === "retiring" ? "retiring" : "active";
  const step = to({ ...life, tries: 0, first: false }, state, { kind: "member_started", actions: [] });
  if (!life.first) return step;
  return { ...step, entries: [...to(life, state, { kind: "member_spawned", actions: [] }).entries, ...step.entries] };
}

function startFailed(life: Life, { kind, detail }: LifeEvent & { is: "start_failed" }, rules: LifeRules): LifeStep {
  const { startTries } = rules.limits;
  const tries = HOPELESS.has(kind) ? startTries : life.tries + 1;
  const failed = { ...life, tries };
  const data = { kind, detail, tries };
  // What cannot be worked off is left to the deadline.
  if (life.state === "retiring") return { life: failed, entries: [], actions: [] };
  if (tries < startTries) {
    const after_ms = backoff(tries, rules);
    return to(failed, "dormant", { kind: "member_dormant", data: { why: "start_failed", ...data, after_ms }, actions: [{ do: "retry", after_ms }] });
  }
  // What somebody has to mend is shown.
  if (life.first && life.generation === 1 && !HOPELESS.has(kind)) {
    return to(NOBODY, "none", { kind: "member_spawn_failed", data, actions: [
      { do: "stop", turn: "requeue" }, { do: "bury_queue", reason: "member_spawn_failed" }, { do: "leave_edges" },
    ] });
  }
  return broken({ ...failed, first: false }, data, { rules, actions: [] });
}

function crashed(life: Life, detail: string, rules: LifeRules): LifeStep {
  const { now_ms, limits: { crashesMax, crashWindowMs } } = rules;
  const crashes = [...life.crashes.filter((at) => now_ms - at < crashWindowMs), now_ms];
  const hurt = { ...life, crashes };
  if (life.state === "retiring") {
    return { life: hurt, entries: [], actions: [{ do: "stop", turn: "requeue" }, { do: "start", after_ms: backoff(crashes.length, rules) }] };
  }
  if (rules.restart === "never") {
    return completed(hurt, { detail });
  }
  if (crashes.length >= crashesMax) {
    return broken(hurt, { kind: "crashed", detail }, { rules, actions: [{ do: "stop", turn: "requeue" }] });
  }
  const after_ms = backoff(crashes.length, rules);
  return starting(hurt, "crashed", { data: { detail, after_ms }, actions: [{ do: "stop", turn: "requeue" }, { do: "start", after_ms }] });
}

function exited(life: Life, rules: LifeRules): LifeStep {
  if (life.state === "retiring") return retired(life, "drained");
  if (rules.restart !== "always") return completed(life, {});
  const after_ms = backoff(1, rules);
  return starting(life, "exited", { data: { after_ms }, actions: [{ do: "stop", turn: "requeue" }, { do: "start", after_ms }] });
}

/** Nobody works off what is left. */
function completed(life: Life, data: Readonly<Record<string, string>>): LifeStep {
  return to(life, "completed", { kind: "member_completed", data, actions: [
    { do: "stop", turn: "requeue" }, { do: "bury_queue", reason: "member_completed" }, { do: "leave_edges" },
  ] });
}

function retire(life: Life, { drain_ms, queued }: LifeEvent & { is: "retire" }): LifeStep {
  const idle = life.state === "dormant" && queued;
  return to(life, "retiring", { kind: "member_retiring", data: { drain_ms }, actions: [
    ...idle ? [{ do: "start", after_ms: 0 } as const] : [], { do: "drain", within_ms: drain_ms },
  ] });
}

function retired(life: Life, why: string): LifeStep {
  return to(life, "retired", { kind: "member_retired", data: { why }, actions: [
    { do: "stop", turn: "requeue" }, { do: "bury_queue", reason: "member_retired" }, { do: "leave_edges" },
  ] });
}

function again(life: Life, kind: EntryKind, more: readonly LifeAction[]): LifeStep {
  return to({ ...life, generation: life.generation + 1, tries: 0, crashes: NO_CRASHES, mends: NO_MENDS }, "starting", { kind, actions: [
    { do: "stop", turn: "interrupted" }, ...more, { do: "start", after_ms: 0 },
  ] });
}

/** Doubling, ± 20 %. */
function backoff(tries: number, { chance, limits: { startBackoffMs, startBackoffMsMax } }: LifeRules): number {
  return spread(Math.min(startBackoffMsMax, startBackoffMs * 2 ** Math.min(tries - 1, 16)), chance);
}

function spread(ms: number, chance: number): number {
  return Math.round(ms * (0.8 + chance * 0.4));
}
