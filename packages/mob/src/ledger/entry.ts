/** One entry of the ledger, and what kinds there are (spec: mob 5.1, 5.2). Data only. */
import type { Json } from "@atoll-run/core";

/** Kind → class. */
export const KINDS = {
  ...classOf("structural", [
    "mob_created", "mob_completed", "mob_destroying", "mob_reset", "mob_started", "mob_stopping", "mob_stopped",
    "member_spawned", "member_retired", "member_reset", "members_wired", "members_unwired",
    "flow_started", "flow_completed", "flow_failed", "flow_canceled",
    "step_dispatched", "step_target_completed", "step_target_failed", "step_completed", "step_failed", "step_skipped", "topology_violation", "supervisor_escalation",
    "definition_applied", "desired_set", "member_spawning", "member_spawn_failed", "member_starting", "member_started", "member_dormant",
    "member_suspended", "member_broken", "member_repaired", "member_respawned", "member_reloaded", "member_retiring",
    "member_completed", "member_updated", "member_held", "member_released", "member_deleted",
    "edge_suppressed", "edge_released", "edge_disowned", "labels_set", "lease_acquired", "lease_lost",
  ]),
  ...classOf("turn", [
    "turn_queued", "turn_started", "turn_waiting", "turn_resumed", "turn_done", "turn_failed", "turn_cancelled",
    "turn_expired", "turn_dead", "dead_letter_redriven", "dead_letter_discarded",
  ]),
  ...classOf("agent", [
    "run_started", "run_completed", "run_failed", "turn_completed", "text_complete", "tool_call_requested", "tool_result_received", "note",
    "tool_execution_started", "tool_execution_completed", "peer_content_ingested", "budget_warning", "compaction_started", "compaction_completed", "compaction_failed",
  ]),
  ...classOf("approval", ["approval_requested", "approval_decided", "approval_timed_out", "approval_drafted", "action_allowed"]),
  ...classOf("audit", ["access_denied", "access_changed", "grant_denied"]),
  ...classOf("system", ["consumer_state", "retention_pruned", "recovered", "storage_degraded", "storage_recovered"]),
  ...classOf("error", [
    "spawn_failure", "reconcile_incomplete", "discovery_failure", "checkpoint_failure", "host_loop_crash", "hook_failure",
    "consumer_stalled", "policy_rejected", "stale_fence",
  ]),
} as const;

function classOf<C extends string, K extends string>(of: C, kinds: readonly K[]): { readonly [N in K]: C } {
  return Object.fromEntries(kinds.map((kind) => [kind, of])) as { [N in K]: C };
}

export type EntryKind = keyof typeof KINDS;
export type EntryClass = typeof KINDS[EntryKind];

export interface NewEntry {
  readonly kind: EntryKind;
  /** Who says it: `mob`, `member`, `flow`, `api`. */
  readonly source: string;
  readonly member?: string;
  readonly generation?: number;
  readonly fence?: number;
  /** The session that has the whole of it. */
  readonly session?: { readonly id: string };
  readonly turn_id?: string;
  readonly run_id?: string;
  readonly step_id?: string;
  readonly principal?: string;
  readonly trace?: string;
  readonly cause_seq?: number;
  /** At most one entry has it. */
  readonly dedupe_key?: string;
  /** At most 64 KiB as JSON. */
  readonly data: { readonly [key: string]: Json };
}

export type LabelSet = Readonly<Record<string, string>>;

/** As they were when the entry was written; those that are none are absent. */
export interface EntryLabels {
  readonly mob?: LabelSet;
  readonly run?: LabelSet;
  readonly member?: LabelSet;
}

export interface Entry extends NewEntry {
  readonly labels?: EntryLabels;
  readonly seq: number;
  /** `seq`: the record of it is the last one below that. */
  readonly session?: { readonly id: string; readonly seq: number };
  readonly epoch: string;
  readonly id: string;
  readonly ts_ms: number;
  readonly v: 1;
  readonly class: EntryClass;
  readonly mob: string;
}

/** Something is missing here: retention has taken it. */
export interface Gap {
  readonly gap: { readonly from: number; readonly to: number; readonly reason: string };
}

/** What is not stored and has no id (spec: mob 5.3): text as it comes, phases. */
export interface Live {
  readonly live: string;
  readonly after_seq: number;
  readonly member?: string;
  readonly turn_id?: string;
  readonly data: { readonly [key: string]: Json };
}

export interface EntryFilter {
  readonly classes?: readonly EntryClass[];
  readonly kinds?: readonly EntryKind[];
  readonly member?: string;
  readonly generation?: number;
  readonly turn_id?: string;
  readonly run_id?: string;
  readonly step_id?: string;
  readonly principal?: string;
  readonly session_id?: string;
  /** `name`, or `name=value`: of the mob, the run or the member. */
  readonly label?: string;
}

export interface EntryQuery extends EntryFilter {
  readonly after?: Cursor;
  readonly before?: Cursor;
  readonly mode?: "since" | "recent";
  readonly since_at_ms?: number;
  readonly until_at_ms?: number;
  /** Default 256, at most 1,000; 0 gives none. */
  readonly limit?: number;
}

export interface EntryPage {
  readonly entries: readonly Entry[];
  readonly next: string;
  readonly head: string;
  readonly oldest: string;
  readonly exhausted: boolean;
  /** Of a page that was read backward and is not the oldest: the `before` of the next one. */
  readonly before?: string;
  /** Before the first of them: retention has taken what was asked for. */
  readonly gap?: Gap["gap"];
}

/** `<epoch>-<seq>`, or a bare seq of the present epoch. */
export type Cursor = string | number;
