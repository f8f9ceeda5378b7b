/**
 * The life of a member: one pure function over one table (spec: mob 3.3).
 *
 * takes where a member is and what has happened; gives where it is now, the entries that say so, and what is to be done;
 * promises that no sequence of events leaves the table; refuses, by giving nothing, an event that has no row; never does
 * anything itself: its caller writes the entries first, then acts.
 *
 * none: nobody of that id. starting: it has a fence and is on its way. active: it takes turns. dormant: no isle and no
 * timer, its mailbox is open. suspended: mail waits, nothing runs. broken: it has failed too often; mail is refused.
 * retiring: what it has is worked off. retired, completed: final, until somebody spawns the id again.
 */
import { MOB_LIMITS } from "../limits.ts";
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
  reload: ["active", "dormant"],
  repair: ["broken"],
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
  | { readonly is: Exclude<keyof typeof LIFE_TABLE, "spawn" | "start_failed" | "idle" | "crashed" | "suspend" | "retire"> };

export type BrokenKind =
  | "snapshot_missing" | "snapshot_corrupted" | "generation_mismatch" | "store_unavailable" | "resume_rejected"
  | "start_failed" | "model_missing" | "checkpoint_unrecoverable" | "crashed";

/** Trying again would not help. */
const HOPELESS: ReadonlySet<BrokenKind> = new Set(["snapshot_corrupted", "model_missing"]);

export interface Life {
  readonly state: LifeState;
  readonly generation: number;
  /** It has never been active in this generation of its id: what fails leaves no member. */
  readonly first: boolean;
  /** Starts that failed in a row. */
  readonly tries: number;
  /** Instants of the last crashes. */
  readonly crashes: readonly number[];
}

export const NOBODY: Life = { state: "none", generation: 0, first: true, tries: 0, crashes: [] };

export type LifeAction =
  | { readonly do: "start"; readonly after_ms: number }
  /** Lets go of the incarnation; its running turn goes back into the queue. */
  | { readonly do: "stop"; readonly turn: "requeue" | "interrupted" }
  /** Closes it in peace: nothing runs. */
  | { readonly do: "sleep" }
  | { readonly do: "drain"; readonly within_ms: number }
  | { readonly do: "bury_queue"; readonly reason: "member_retired" | "member_reset" }
  | { readonly do: "leave_edges" }
  | { readonly do: "reload" }
  /** Asks again after that time: {@link LifeEvent} `retry`. */
  | { readonly do: "retry"; readonly after_ms: number };

export interface LifeStep {
  readonly life: Life;
  readonly entries: readonly { readonly kind: EntryKind; readonly data: Readonly<Record<string, string | number | boolean>> }[];
  readonly actions: readonly LifeAction[];
}

export interface LifeRules {
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
    case "wake": case "retry": return to(life, "starting", { actions: [{ do: "start", after_ms: 0 }] });
    case "started": return started(life);
    case "start_failed": return startFailed(life, event, rules);
    case "idle": return event.busy ? undefined : to(life, "dormant", { kind: "member_dormant", actions: [{ do: "sleep" }] });
    case "crashed": return crashed(life, event.detail, rules);
    case "exited": return exited(life, rules);
    case "suspend":
      return to(life, "suspended", { kind: "member_suspended", data: { why: event.why }, actions: [{ do: "stop", turn: "requeue" }] });
    case "resume": return to(life, "dormant", { kind: "member_dormant", actions: [] });
    case "retire": return retire(life, event);
    case "drained": case "drain_deadline": return retired(life, event.is);
    case "respawn": return again(life, "member_respawned", []);
    case "reset":
      return again(life, "member_reset", [{ do: "bury_queue", reason: "member_reset" }]);
    case "reload": return to(life, life.state, { kind: "member_reloaded", actions: [{ do: "reload" }] });
    case "repair":
      return to({ ...life, tries: 0, crashes: [] }, "starting", { kind: "member_repaired", actions: [{ do: "start", after_ms: 0 }] });
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

function spawn(life: Life, { lazy, fresh }: LifeEvent & { is: "spawn" }): LifeStep {
  const born: Life = { state: life.state, generation: life.generation + 1, first: life.state === "none" && !lazy, tries: 0, crashes: [] };
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
  const tries = HOPELESS.has(kind) ? MOB_LIMITS.startTries : life.tries + 1;
  const failed = { ...life, tries };
  const data = { kind, detail, tries };
  // What cannot be worked off is left to the deadline.
  if (life.state === "retiring") return { life: failed, entries: [], actions: [] };
  if (tries < MOB_LIMITS.startTries) {
    return { ...to(failed, "dormant", { actions: [{ do: "retry", after_ms: backoff(tries, rules.chance) }] }), entries: [] };
  }
  if (life.first && life.generation === 1) {
    return to({ ...NOBODY }, "none", { kind: "member_spawn_failed", data, actions: [{ do: "leave_edges" }] });
  }
  return to(failed, "broken", { kind: "member_broken", data, actions: [] });
}

function crashed(life: Life, detail: string, rules: LifeRules): LifeStep {
  const crashes = [...life.crashes.filter((at) => rules.now_ms - at < MOB_LIMITS.crashWindowMs), rules.now_ms];
  const hurt = { ...life, crashes };
  if (life.state === "retiring") {
    return { life: hurt, entries: [], actions: [{ do: "stop", turn: "requeue" }, { do: "start", after_ms: backoff(crashes.length, rules.chance) }] };
  }
  if (rules.restart === "never") {
    return to(hurt, "completed", { kind: "member_completed", data: { detail }, actions: [{ do: "stop", turn: "requeue" }] });
  }
  if (crashes.length >= MOB_LIMITS.crashesMax) {
    return to(hurt, "broken", { kind: "member_broken", data: { kind: "crashed", detail }, actions: [{ do: "stop", turn: "requeue" }] });
  }
  const after_ms = backoff(crashes.length, rules.chance);
  return to(hurt, "starting", { actions: [{ do: "stop", turn: "requeue" }, { do: "start", after_ms }] });
}

function exited(life: Life, { restart, chance }: LifeRules): LifeStep {
  if (life.state === "retiring") return retired(life, "drained");
  if (restart === "always") return to(life, "starting", { actions: [{ do: "stop", turn: "requeue" }, { do: "start", after_ms: backoff(1, chance) }] });
  return to(life, "completed", { kind: "member_completed", actions: [{ do: "stop", turn: "requeue" }] });
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
  return to({ ...life, generation: life.generation + 1, tries: 0, crashes: [] }, "starting", { kind, actions: [
    { do: "stop", turn: "interrupted" }, ...more, { do: "start", after_ms: 0 },
  ] });
}

/** 1 s, doubling to 60 s, ± 20 %. */
function backoff(tries: number, chance: number): number {
  const { startBackoffMs, startBackoffMsMax } = MOB_LIMITS;
  return Math.round(Math.min(startBackoffMsMax, startBackoffMs * 2 ** Math.min(tries - 1, 16)) * (0.8 + chance * 0.4));
}
