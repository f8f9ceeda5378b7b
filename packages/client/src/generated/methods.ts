/* Printed from the method table of packages/mob/src/http by `npm run api`: change that, not this. */

import type { Json } from "@atoll-run/core";

export interface CallOptions {
  readonly signal?: AbortSignal;
}

export type NoParams = Readonly<Record<never, never>>;

/** Something that ends. */
export interface Ends<T> {
  /** Waits for its end, over as many requests as it takes. */
  wait(o?: CallOptions): Promise<T>;
}

export interface AccessRules {
  readonly admins: readonly string[];
  readonly rules: readonly {
    readonly effect: "allow" | "deny";
    readonly principals: readonly string[];
    readonly groups: readonly string[];
    readonly actions: readonly string[];
    readonly members: readonly string[] | null;
    readonly profiles: readonly string[] | null;
    readonly labels: Readonly<Record<string, string>> | null;
  }[];
}

export interface Approval {
  readonly id: string;
  readonly state: "open" | "approved" | "rejected" | "timed_out" | "drafted" | "released";
  readonly member: string;
  readonly turn_id: string;
  readonly rule_id: string;
  readonly grant: string;
  readonly tool: string | null;
  readonly object: string | null;
  readonly fn: string | null;
  readonly args: Json;
  readonly hash: string;
  readonly asked_by: string;
  readonly approvers: readonly string[];
  readonly quorum: number;
  readonly on_timeout: "draft" | "deny";
  readonly self_approval: boolean | null;
  readonly opened_at_ms: number;
  readonly expires_at_ms: number;
  readonly decisions: readonly {
    readonly principal: string;
    readonly decision: "approve" | "reject" | "release";
    readonly reason?: string;
    readonly at_ms: number;
  }[];
  readonly call?: "begun" | "over" | "told";
  readonly trace?: string;
  readonly seq: number;
}

export interface ApprovalRule {
  readonly id: string;
  readonly match: Readonly<Record<string, Json>>;
  readonly tier: "R0" | "R1" | "R2" | "R3" | "deny";
  readonly approvers: readonly string[];
  readonly quorum: number;
  readonly timeout_ms: number;
  readonly on_timeout: "draft" | "deny";
  readonly self_approval: boolean | null;
}

/** Bytes that are kept apart, by the hash of their media type and themselves. */
export interface Blob {
  readonly blob_id: string;
  readonly media_type: string;
  readonly size: number;
}

export interface DeadLetter {
  readonly turn_id: string;
  readonly member: string;
  readonly reason: string;
  readonly error: Failure;
  readonly attempts: number;
  readonly dead_at_ms: number;
  readonly from: string;
  readonly principal: string;
  readonly conversation: string;
  readonly content_preview: string;
}

export interface DeepMember {
  readonly id: string;
  readonly profile: string;
  readonly state: "starting" | "active" | "dormant" | "suspended" | "broken" | "retiring" | "retired" | "completed";
  readonly phase: "idle" | "busy" | "waiting_approval";
  readonly generation: number;
  readonly runtime_id: string;
  readonly mode: "turn_driven" | "autonomous";
  readonly external: boolean;
  readonly wired_to: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
  readonly origin: "definition" | "desired" | "api" | "helper";
  readonly held: boolean;
  readonly spawned_by?: string;
  readonly lease: {
    readonly fence: number;
    readonly ttl_ms: number;
    readonly healthy: boolean;
  };
  readonly queue: {
    readonly depth: number;
    readonly oldest_at_ms: number | null;
    readonly dead: number;
  };
  readonly usage: Usage;
  readonly session: {
    readonly id: string;
    readonly head: number;
  };
  readonly last_error?: Failure;
  readonly final: boolean;
  readonly since_at_ms: number;
  readonly seq: number;
  readonly output_preview: string | null;
  readonly grants: readonly string[];
  readonly peers_reachable: readonly string[];
  readonly continuity: {
    readonly member: string;
    readonly runtime_id: string;
    readonly session_id: string;
    readonly generation: number;
    readonly fence: number;
    readonly version: number;
    readonly spec_hash: string;
  };
}

/** As in mob.toml, with defaults filled in. */
export type Definition = Readonly<Record<string, Json>>;

export interface Edge {
  readonly a: string;
  readonly b: string;
  readonly wired: boolean;
  readonly owner?: "managed" | "manual" | "peer";
  readonly suppressed?: boolean;
}

export interface Entry {
  readonly seq: number;
  readonly epoch: string;
  readonly id: string;
  readonly ts_ms: number;
  readonly v: 1;
  readonly mob: string;
  readonly class: "structural" | "turn" | "agent" | "approval" | "audit" | "system" | "error";
  readonly kind: 
    | "mob_created"
    | "mob_completed"
    | "mob_destroying"
    | "mob_reset"
    | "mob_started"
    | "mob_stopping"
    | "mob_stopped"
    | "member_spawned"
    | "member_retired"
    | "member_reset"
    | "members_wired"
    | "members_unwired"
    | "flow_started"
    | "flow_completed"
    | "flow_failed"
    | "flow_canceled"
    | "step_dispatched"
    | "step_target_completed"
    | "step_target_failed"
    | "step_completed"
    | "step_failed"
    | "step_skipped"
    | "topology_violation"
    | "supervisor_escalation"
    | "definition_applied"
    | "desired_set"
    | "member_spawning"
    | "member_spawn_failed"
    | "member_starting"
    | "member_started"
    | "member_dormant"
    | "member_suspended"
    | "member_broken"
    | "member_repaired"
    | "member_respawned"
    | "member_reloaded"
    | "member_retiring"
    | "member_completed"
    | "member_updated"
    | "member_held"
    | "member_released"
    | "member_deleted"
    | "edge_suppressed"
    | "edge_released"
    | "edge_disowned"
    | "labels_set"
    | "lease_acquired"
    | "lease_lost"
    | "turn_queued"
    | "turn_started"
    | "turn_waiting"
    | "turn_resumed"
    | "turn_done"
    | "turn_failed"
    | "turn_cancelled"
    | "turn_expired"
    | "turn_dead"
    | "dead_letter_redriven"
    | "dead_letter_discarded"
    | "run_started"
    | "run_completed"
    | "run_failed"
    | "turn_completed"
    | "text_complete"
    | "tool_call_requested"
    | "tool_result_received"
    | "note"
    | "tool_execution_started"
    | "tool_execution_completed"
    | "peer_content_ingested"
    | "budget_warning"
    | "compaction_started"
    | "compaction_completed"
    | "compaction_failed"
    | "approval_requested"
    | "approval_decided"
    | "approval_timed_out"
    | "approval_drafted"
    | "action_allowed"
    | "access_denied"
    | "access_changed"
    | "grant_denied"
    | "consumer_state"
    | "retention_pruned"
    | "recovered"
    | "storage_degraded"
    | "storage_recovered"
    | "spawn_failure"
    | "reconcile_incomplete"
    | "discovery_failure"
    | "checkpoint_failure"
    | "host_loop_crash"
    | "hook_failure"
    | "consumer_stalled"
    | "policy_rejected"
    | "stale_fence";
  readonly source: string;
  readonly member?: string;
  readonly generation?: number;
  readonly fence?: number;
  readonly session?: {
    readonly id: string;
    readonly seq: number;
  };
  readonly turn_id?: string;
  readonly run_id?: string;
  readonly step_id?: string;
  readonly principal?: string;
  readonly trace?: string;
  readonly cause_seq?: number;
  readonly dedupe_key?: string;
  readonly labels?: {
    readonly mob?: Readonly<Record<string, string>>;
    readonly run?: Readonly<Record<string, string>>;
    readonly member?: Readonly<Record<string, string>>;
  };
  readonly data: Readonly<Record<string, Json>>;
}

export interface Failure {
  readonly code: string;
  readonly text: string;
}

export interface Finding {
  readonly severity: "error" | "warning";
  readonly code: string;
  readonly path: string;
  readonly hint: string;
}

export type FlowStep = Readonly<Record<string, Json>>;

export interface Member {
  readonly id: string;
  readonly profile: string;
  readonly state: "starting" | "active" | "dormant" | "suspended" | "broken" | "retiring" | "retired" | "completed";
  readonly phase: "idle" | "busy" | "waiting_approval";
  readonly generation: number;
  readonly runtime_id: string;
  readonly mode: "turn_driven" | "autonomous";
  readonly external: boolean;
  readonly wired_to: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
  readonly origin: "definition" | "desired" | "api" | "helper";
  readonly held: boolean;
  readonly spawned_by?: string;
  readonly lease: {
    readonly fence: number;
    readonly ttl_ms: number;
    readonly healthy: boolean;
  };
  readonly queue: {
    readonly depth: number;
    readonly oldest_at_ms: number | null;
    readonly dead: number;
  };
  readonly usage: Usage;
  readonly session: {
    readonly id: string;
    readonly head: number;
  };
  readonly last_error?: Failure;
  readonly final: boolean;
  readonly since_at_ms: number;
  readonly seq: number;
}

export interface Meta {
  readonly key: string;
  readonly value: Json | null;
  readonly revision: number;
}

/** Why the mob is degraded. */
export interface Reason {
  readonly code: "member_broken" | "reconcile_incomplete" | "storage_degraded";
  readonly text: string;
  readonly member?: string;
}

export interface ReconcileReport {
  readonly revision: number;
  readonly dry_run: boolean;
  readonly members: {
    readonly spawned: readonly string[];
    readonly retained: readonly string[];
    readonly updated: readonly string[];
    readonly reloaded: readonly string[];
    readonly respawned: readonly string[];
    readonly repaired: readonly string[];
    readonly deferred: readonly string[];
    readonly held: readonly string[];
    readonly retired: readonly string[];
    readonly unmanaged: readonly string[];
    readonly failures: readonly StageFailure[];
  };
  readonly edges: {
    readonly wired_edges: readonly (readonly [string, string])[];
    readonly retained_edges: readonly (readonly [string, string])[];
    readonly unwired_edges: readonly (readonly [string, string])[];
    readonly preexisting_edges: readonly (readonly [string, string])[];
    readonly skipped_missing_members: readonly (readonly [string, string])[];
    readonly suppressed_edges: readonly (readonly [string, string])[];
    readonly pruned_stale_managed_edges: readonly (readonly [string, string])[];
    readonly failures: readonly StageFailure[];
  };
  readonly routes: {
    readonly router_module_loaded: boolean;
    readonly active_members: readonly string[];
    readonly added_route_keys: readonly string[];
    readonly removed_route_keys: readonly string[];
  };
  readonly complete: boolean;
  readonly took_ms: number;
}

export interface Run {
  readonly run_id: string;
  readonly flow: string;
  readonly params: Json;
  readonly principal: string;
  readonly state: "running" | "completed" | "failed" | "canceled";
  readonly round: number;
  readonly steps: Readonly<Record<string, StepRun>>;
  readonly error?: Failure;
  readonly escalated?: string;
  readonly started_at_ms: number;
  readonly ended_at_ms: number | null;
  readonly revision: number;
  readonly output: Json;
  readonly labels: Readonly<Record<string, string>>;
  readonly taint?: "clean" | "peer" | "external";
  readonly trace?: string;
  readonly waits?: Waits;
  readonly usage?: Usage;
}

export interface Session {
  readonly session_id: string;
  readonly member: string;
  readonly generation: number;
  readonly head: number;
  readonly archived: boolean;
}

export interface SessionRecord {
  readonly seq: number;
  readonly turn_id: string | null;
  readonly role: "user" | "assistant" | "tool" | "note" | "snapshot";
  readonly blocks: readonly {
    readonly type: string;
  }[];
  readonly tokens: number;
  readonly ts_ms: number;
  readonly covers?: number;
  readonly apart?: true;
}

export interface StageFailure {
  readonly id: string;
  readonly stage: string;
  readonly error: Failure;
}

export interface Status {
  readonly mob: string;
  readonly state: "creating" | "running" | "stopping" | "stopped" | "completed" | "destroyed";
  readonly degraded: readonly Reason[];
  readonly lease: {
    readonly epoch: number;
  };
  readonly horizon_ms: number;
  readonly members: Readonly<Record<string, number>>;
  readonly edges: number;
  readonly revision: number;
  readonly head: string;
  readonly storage: {
    readonly bytes: number;
    readonly oldest: string;
    readonly oldest_at_ms: number | null;
  } | null;
  readonly approvals_open: number;
  readonly runs_open: number;
}

export interface StepRun {
  readonly state: "waiting" | "running" | "completed" | "failed" | "skipped";
  readonly started_at_ms: number | null;
  readonly targets: Readonly<Record<string, Target>>;
  readonly completed_seq?: number;
  readonly output?: Json;
  readonly holes?: readonly {
    readonly at: readonly (string | number)[];
    readonly member: string;
    readonly turn_id: string;
  }[];
  readonly error?: Failure;
  readonly forbidden?: true;
  readonly waits?: Waits;
  readonly usage?: Usage;
}

/** Too large to stand here: how large it is, and how it begins. Asked for alone it is whole. */
export interface Stored {
  readonly bytes: number;
  readonly preview: string;
}

export interface StructuralEvent {
  readonly event_id: string;
  readonly cursor: string;
  readonly mob_id: string;
  readonly timestamp_ms: number;
  readonly kind: 
    | "mob_created"
    | "mob_completed"
    | "mob_destroying"
    | "mob_reset"
    | "mob_started"
    | "mob_stopping"
    | "mob_stopped"
    | "member_spawned"
    | "member_retired"
    | "member_reset"
    | "members_wired"
    | "members_unwired"
    | "flow_started"
    | "flow_completed"
    | "flow_failed"
    | "flow_canceled"
    | "step_dispatched"
    | "step_target_completed"
    | "step_target_failed"
    | "step_completed"
    | "step_failed"
    | "step_skipped"
    | "topology_violation"
    | "supervisor_escalation"
    | "definition_applied"
    | "desired_set"
    | "member_spawning"
    | "member_spawn_failed"
    | "member_starting"
    | "member_started"
    | "member_dormant"
    | "member_suspended"
    | "member_broken"
    | "member_repaired"
    | "member_respawned"
    | "member_reloaded"
    | "member_retiring"
    | "member_completed"
    | "member_updated"
    | "member_held"
    | "member_released"
    | "member_deleted"
    | "edge_suppressed"
    | "edge_released"
    | "edge_disowned"
    | "labels_set"
    | "lease_acquired"
    | "lease_lost"
    | "turn_queued"
    | "turn_started"
    | "turn_waiting"
    | "turn_resumed"
    | "turn_done"
    | "turn_failed"
    | "turn_cancelled"
    | "turn_expired"
    | "turn_dead"
    | "dead_letter_redriven"
    | "dead_letter_discarded"
    | "run_started"
    | "run_completed"
    | "run_failed"
    | "turn_completed"
    | "text_complete"
    | "tool_call_requested"
    | "tool_result_received"
    | "note"
    | "tool_execution_started"
    | "tool_execution_completed"
    | "peer_content_ingested"
    | "budget_warning"
    | "compaction_started"
    | "compaction_completed"
    | "compaction_failed"
    | "approval_requested"
    | "approval_decided"
    | "approval_timed_out"
    | "approval_drafted"
    | "action_allowed"
    | "access_denied"
    | "access_changed"
    | "grant_denied"
    | "consumer_state"
    | "retention_pruned"
    | "recovered"
    | "storage_degraded"
    | "storage_recovered"
    | "spawn_failure"
    | "reconcile_incomplete"
    | "discovery_failure"
    | "checkpoint_failure"
    | "host_loop_crash"
    | "hook_failure"
    | "consumer_stalled"
    | "policy_rejected"
    | "stale_fence";
  readonly run_id?: string;
  readonly step_id?: string;
  readonly agent_identity?: string;
  readonly mob_labels: Readonly<Record<string, string>>;
  readonly run_labels: Readonly<Record<string, string>>;
  readonly data: Readonly<Record<string, Json>>;
}

export interface Target {
  readonly name: string;
  readonly member: string;
  readonly state: "open" | "done" | "failed";
  readonly attempt: number;
  readonly turn_id: string | null;
  readonly at: number;
  readonly output?: Json;
  readonly stored?: Stored;
  readonly error?: Failure;
  readonly usage?: Usage;
}

export interface Ticket {
  readonly turn_id: string;
  readonly member: string;
  readonly generation: number;
  readonly conversation: string;
  readonly state: "queued" | "running" | "waiting_approval" | "done" | "failed" | "cancelled" | "expired" | "dead";
  readonly seq: number;
  readonly duplicate: boolean;
}

export interface Turn {
  readonly turn_id: string;
  readonly member: string;
  readonly generation: number;
  readonly conversation: string;
  readonly from: string;
  readonly principal: string;
  readonly run_id?: string;
  readonly step_id?: string;
  readonly state: "queued" | "running" | "waiting_approval" | "done" | "failed" | "cancelled" | "expired" | "dead";
  readonly attempt: number;
  readonly deadline_at_ms: number;
  readonly left_ms?: number;
  readonly in_place?: boolean;
  readonly output: Json | null;
  readonly stored?: Stored;
  readonly error: Failure | null;
  readonly usage?: Usage;
  readonly taint?: "clean" | "peer" | "external";
  readonly active_ms?: number;
  readonly resumed_at_ms?: number;
  readonly queued_at_ms: number;
  readonly started_at_ms: number | null;
  readonly ended_at_ms: number | null;
  readonly cursor: TurnCursor | null;
  readonly reason?: string;
  readonly reply?: "turn";
  readonly in_reply_to?: string;
  readonly trace?: string;
  readonly seq: number;
}

/** A place in the work of a member: another generation or fence is another incarnation, more turns another answer. */
export interface TurnCursor {
  readonly generation: number;
  readonly fence: number;
  readonly turns: number;
}

export interface UnifiedEvent {
  readonly event_id: string;
  readonly cursor: string;
  readonly source: string;
  readonly timestamp_ms: number;
  readonly event: {
    readonly class: "structural" | "turn" | "agent" | "approval" | "audit" | "system" | "error";
    readonly type: 
      | "mob_created"
      | "mob_completed"
      | "mob_destroying"
      | "mob_reset"
      | "mob_started"
      | "mob_stopping"
      | "mob_stopped"
      | "member_spawned"
      | "member_retired"
      | "member_reset"
      | "members_wired"
      | "members_unwired"
      | "flow_started"
      | "flow_completed"
      | "flow_failed"
      | "flow_canceled"
      | "step_dispatched"
      | "step_target_completed"
      | "step_target_failed"
      | "step_completed"
      | "step_failed"
      | "step_skipped"
      | "topology_violation"
      | "supervisor_escalation"
      | "definition_applied"
      | "desired_set"
      | "member_spawning"
      | "member_spawn_failed"
      | "member_starting"
      | "member_started"
      | "member_dormant"
      | "member_suspended"
      | "member_broken"
      | "member_repaired"
      | "member_respawned"
      | "member_reloaded"
      | "member_retiring"
      | "member_completed"
      | "member_updated"
      | "member_held"
      | "member_released"
      | "member_deleted"
      | "edge_suppressed"
      | "edge_released"
      | "edge_disowned"
      | "labels_set"
      | "lease_acquired"
      | "lease_lost"
      | "turn_queued"
      | "turn_started"
      | "turn_waiting"
      | "turn_resumed"
      | "turn_done"
      | "turn_failed"
      | "turn_cancelled"
      | "turn_expired"
      | "turn_dead"
      | "dead_letter_redriven"
      | "dead_letter_discarded"
      | "run_started"
      | "run_completed"
      | "run_failed"
      | "turn_completed"
      | "text_complete"
      | "tool_call_requested"
      | "tool_result_received"
      | "note"
      | "tool_execution_started"
      | "tool_execution_completed"
      | "peer_content_ingested"
      | "budget_warning"
      | "compaction_started"
      | "compaction_completed"
      | "compaction_failed"
      | "approval_requested"
      | "approval_decided"
      | "approval_timed_out"
      | "approval_drafted"
      | "action_allowed"
      | "access_denied"
      | "access_changed"
      | "grant_denied"
      | "consumer_state"
      | "retention_pruned"
      | "recovered"
      | "storage_degraded"
      | "storage_recovered"
      | "spawn_failure"
      | "reconcile_incomplete"
      | "discovery_failure"
      | "checkpoint_failure"
      | "host_loop_crash"
      | "hook_failure"
      | "consumer_stalled"
      | "policy_rejected"
      | "stale_fence";
    readonly agent_id?: string;
    readonly turn_id?: string;
    readonly run_id?: string;
    readonly payload: Readonly<Record<string, Json>>;
  };
}

/** Tokens, US dollars (null: a price is not known), turns, counted calls of tools, and how long turns ran. */
export interface Usage {
  readonly tokens_in: number;
  readonly tokens_out: number;
  readonly cost_usd: number | null;
  readonly turns: number;
  readonly tool_calls: number;
  readonly wall_ms: number;
}

/** Turns that wait for approvals: time stands still meanwhile. `waited_ms`: what is over of it. */
export interface Waits {
  readonly turns: readonly string[];
  readonly since_ms: number;
  readonly waited_ms: number;
}

/** Params and result of each method. */

export interface MobMethods {
  "status": {
    readonly params: NoParams;
    readonly result: Status;
  };
  "definition/get": {
    readonly params: NoParams;
    readonly result: {
      readonly definition: Definition;
      readonly revision: number;
      readonly source: string | null;
    };
  };
  "definition/reload": {
    readonly params: {
      readonly dry_run?: boolean;
      readonly expected_revision?: number;
      readonly force?: boolean;
    };
    readonly result: ReconcileReport;
  };
  "reconcile": {
    readonly params: {
      readonly desired?: readonly {
        readonly id: string;
        readonly profile: string;
        readonly labels?: Readonly<Record<string, string>>;
        readonly context?: Json;
        readonly instructions?: readonly (string | {
          readonly file: string;
        })[];
        readonly model?: string;
        readonly system?: string | {
          readonly file: string;
        };
        readonly grants?: readonly string[];
        readonly external?: boolean;
        readonly mode?: "turn_driven" | "autonomous";
        readonly budget?: {
          readonly turn?: {
            readonly tokens?: number;
            readonly cost_usd?: number;
            readonly tool_calls?: number;
            readonly wall_ms?: number | string;
          };
          readonly day?: {
            readonly tokens?: number;
            readonly cost_usd?: number;
            readonly tool_calls?: number;
            readonly wall_ms?: number | string;
            readonly turns?: number;
          };
          readonly life?: {
            readonly tokens?: number;
            readonly cost_usd?: number;
            readonly tool_calls?: number;
            readonly wall_ms?: number | string;
            readonly turns?: number;
          };
        };
        readonly display_name?: string;
        readonly initial_message?: string;
        readonly resume?: "last" | "fresh" | {
          readonly session_id: string;
        };
      }[];
      readonly retire_stale?: boolean;
      readonly dry_run?: boolean;
      readonly expected_revision?: number;
      readonly force?: boolean;
    };
    readonly result: ReconcileReport;
  };
  "diff": {
    readonly params: NoParams;
    readonly result: ReconcileReport;
  };
  "boot": {
    readonly params: {
      readonly wait_ms?: number;
    };
    readonly result: {
      readonly mode: "lazy" | "eager" | "lazy_warm";
      readonly complete: boolean;
      readonly ready: boolean;
      readonly members: number;
      readonly edges: number;
      readonly error?: {
        readonly member: string;
        readonly code: string;
        readonly text: string;
      };
      readonly counts: {
        readonly dormant: number;
        readonly warming: number;
        readonly active: number;
        readonly broken: number;
      };
    };
  };
  "verify": {
    readonly params: NoParams;
    readonly result: {
      readonly findings: readonly Finding[];
    };
  };
  "lifecycle/down": {
    readonly params: NoParams;
    readonly result: Status;
  };
  "lifecycle/stop": {
    readonly params: NoParams;
    readonly result: Status;
  };
  "lifecycle/resume": {
    readonly params: NoParams;
    readonly result: Status;
  };
  "lifecycle/complete": {
    readonly params: NoParams;
    readonly result: Status;
  };
  "lifecycle/reset": {
    readonly params: {
      readonly confirm: string;
    };
    readonly result: Status;
  };
  "lifecycle/destroy": {
    readonly params: {
      readonly confirm: string;
    };
    readonly result: Status;
  };
  "members/list": {
    readonly params: {
      readonly state?: "starting" | "active" | "dormant" | "suspended" | "broken" | "retiring" | "retired" | "completed";
      readonly profile?: string;
      readonly label?: string;
      readonly edge?: string;
      readonly q?: string;
      readonly after?: string;
      readonly limit?: number;
    };
    readonly result: {
      readonly members: readonly Member[];
      readonly revision: number;
      readonly next?: string;
    };
  };
  "members/get": {
    readonly params: {
      readonly member: string;
      readonly deep?: boolean;
    };
    readonly result: DeepMember | Member;
  };
  "members/spawn": {
    readonly params: {
      readonly spec: {
        readonly id: string;
        readonly profile: string;
        readonly labels?: Readonly<Record<string, string>>;
        readonly context?: Json;
        readonly instructions?: readonly (string | {
          readonly file: string;
        })[];
        readonly model?: string;
        readonly system?: string | {
          readonly file: string;
        };
        readonly grants?: readonly string[];
        readonly external?: boolean;
        readonly mode?: "turn_driven" | "autonomous";
        readonly budget?: {
          readonly turn?: {
            readonly tokens?: number;
            readonly cost_usd?: number;
            readonly tool_calls?: number;
            readonly wall_ms?: number | string;
          };
          readonly day?: {
            readonly tokens?: number;
            readonly cost_usd?: number;
            readonly tool_calls?: number;
            readonly wall_ms?: number | string;
            readonly turns?: number;
          };
          readonly life?: {
            readonly tokens?: number;
            readonly cost_usd?: number;
            readonly tool_calls?: number;
            readonly wall_ms?: number | string;
            readonly turns?: number;
          };
        };
        readonly display_name?: string;
        readonly initial_message?: string;
        readonly resume?: "last" | "fresh" | {
          readonly session_id: string;
        };
      };
      readonly expected_revision?: number;
    };
    readonly result: Member;
  };
  "members/ensure": {
    readonly params: {
      readonly spec: {
        readonly id: string;
        readonly profile: string;
        readonly labels?: Readonly<Record<string, string>>;
        readonly context?: Json;
        readonly instructions?: readonly (string | {
          readonly file: string;
        })[];
        readonly model?: string;
        readonly system?: string | {
          readonly file: string;
        };
        readonly grants?: readonly string[];
        readonly external?: boolean;
        readonly mode?: "turn_driven" | "autonomous";
        readonly budget?: {
          readonly turn?: {
            readonly tokens?: number;
            readonly cost_usd?: number;
            readonly tool_calls?: number;
            readonly wall_ms?: number | string;
          };
          readonly day?: {
            readonly tokens?: number;
            readonly cost_usd?: number;
            readonly tool_calls?: number;
            readonly wall_ms?: number | string;
            readonly turns?: number;
          };
          readonly life?: {
            readonly tokens?: number;
            readonly cost_usd?: number;
            readonly tool_calls?: number;
            readonly wall_ms?: number | string;
            readonly turns?: number;
          };
        };
        readonly display_name?: string;
        readonly initial_message?: string;
        readonly resume?: "last" | "fresh" | {
          readonly session_id: string;
        };
      };
      readonly expected_revision?: number;
    };
    readonly result: {
      readonly row: Member;
      readonly created: boolean;
    };
  };
  "members/spawn_many": {
    readonly params: {
      readonly specs: readonly {
        readonly id: string;
        readonly profile: string;
        readonly labels?: Readonly<Record<string, string>>;
        readonly context?: Json;
        readonly instructions?: readonly (string | {
          readonly file: string;
        })[];
        readonly model?: string;
        readonly system?: string | {
          readonly file: string;
        };
        readonly grants?: readonly string[];
        readonly external?: boolean;
        readonly mode?: "turn_driven" | "autonomous";
        readonly budget?: {
          readonly turn?: {
            readonly tokens?: number;
            readonly cost_usd?: number;
            readonly tool_calls?: number;
            readonly wall_ms?: number | string;
          };
          readonly day?: {
            readonly tokens?: number;
            readonly cost_usd?: number;
            readonly tool_calls?: number;
            readonly wall_ms?: number | string;
            readonly turns?: number;
          };
          readonly life?: {
            readonly tokens?: number;
            readonly cost_usd?: number;
            readonly tool_calls?: number;
            readonly wall_ms?: number | string;
            readonly turns?: number;
          };
        };
        readonly display_name?: string;
        readonly initial_message?: string;
        readonly resume?: "last" | "fresh" | {
          readonly session_id: string;
        };
      }[];
      readonly on_failure?: "continue" | "rollback";
      readonly expected_revision?: number;
    };
    readonly result: {
      readonly results: readonly (
        | {
        readonly id: string;
        readonly ok: true;
        readonly row: Member;
      }
        | {
        readonly id: string;
        readonly ok: false;
        readonly error: Failure;
      })[];
    };
  };
  "members/retire": {
    readonly params: {
      readonly member: string;
      readonly hold?: boolean;
      readonly drain_ms?: number;
      readonly expected_revision?: number;
    };
    readonly result: Member;
  };
  "members/respawn": {
    readonly params: {
      readonly member: string;
      readonly expected_revision?: number;
    };
    readonly result: Member;
  };
  "members/reload": {
    readonly params: {
      readonly member: string;
      readonly expected_revision?: number;
    };
    readonly result: Member;
  };
  "members/repair": {
    readonly params: {
      readonly member: string;
      readonly expected_revision?: number;
    };
    readonly result: Member;
  };
  "members/release": {
    readonly params: {
      readonly member: string;
      readonly expected_revision?: number;
    };
    readonly result: Member;
  };
  "members/resume": {
    readonly params: {
      readonly member: string;
      readonly expected_revision?: number;
    };
    readonly result: Member;
  };
  "members/suspend": {
    readonly params: {
      readonly member: string;
      readonly expected_revision?: number;
    };
    readonly result: Member;
  };
  "members/reset": {
    readonly params: {
      readonly member: string;
      readonly confirm: string;
      readonly expected_revision?: number;
    };
    readonly result: Member;
  };
  "members/delete": {
    readonly params: {
      readonly member: string;
      readonly confirm: string;
      readonly expected_revision?: number;
    };
    readonly result: Member;
  };
  "members/set_model": {
    readonly params: {
      readonly member: string;
      readonly model: string;
      readonly expected_revision?: number;
    };
    readonly result: Member;
  };
  "members/cancel": {
    readonly params: {
      readonly member: string;
      readonly queued?: boolean;
    };
    readonly result: {
      readonly cancelled: readonly string[];
    };
  };
  "members/wait": {
    readonly params: {
      readonly members: readonly string[];
      readonly until: "ready" | "final";
      readonly timeout_ms?: number;
    };
    readonly result: {
      readonly met: readonly string[];
      readonly pending: readonly string[];
      readonly broken: readonly string[];
    };
  };
  "send": {
    readonly params: {
      readonly to: string;
      readonly content: Json;
      readonly conversation?: string;
      readonly idempotency_key?: string;
      readonly deadline_ms?: number;
      readonly pick?: "one";
    };
    readonly result: {
      readonly tickets: readonly Ticket[];
    };
  };
  "dispatch": {
    readonly params: {
      readonly to: string;
      readonly content: Json;
      readonly conversation?: string;
      readonly idempotency_key?: string;
      readonly deadline_ms?: number;
      readonly pick?: "one";
    };
    readonly result: {
      readonly tickets: readonly Ticket[];
    };
  };
  "turns/list": {
    readonly params: {
      readonly member?: string;
      readonly state?: "queued" | "running" | "waiting_approval" | "done" | "failed" | "cancelled" | "expired" | "dead";
      readonly run_id?: string;
      readonly after?: string;
      readonly limit?: number;
    };
    readonly result: {
      readonly turns: readonly Turn[];
      readonly next?: string;
    };
  };
  "turns/get": {
    readonly params: {
      readonly turn_id: string;
    };
    readonly result: Turn;
  };
  "turns/wait": {
    readonly params: {
      readonly turn_id: string;
      readonly timeout_ms?: number;
    };
    readonly result: Turn;
  };
  "turns/cancel": {
    readonly params: {
      readonly turn_id: string;
      readonly reason?: string;
    };
    readonly result: Turn;
  };
  "edges/list": {
    readonly params: {
      readonly member?: string;
      readonly owner?: "managed" | "manual" | "peer";
      readonly after?: string;
      readonly limit?: number;
    };
    readonly result: {
      readonly edges: readonly Edge[];
      readonly revision: number;
      readonly next?: string;
    };
  };
  "edges/wire": {
    readonly params: {
      readonly a: string;
      readonly b: string;
      readonly expected_revision?: number;
    };
    readonly result: Edge;
  };
  "edges/unwire": {
    readonly params: {
      readonly a: string;
      readonly b: string;
      readonly hold?: boolean;
      readonly expected_revision?: number;
    };
    readonly result: {
      readonly revision: number;
    };
  };
  "edges/release": {
    readonly params: {
      readonly a: string;
      readonly b: string;
      readonly expected_revision?: number;
    };
    readonly result: {
      readonly revision: number;
    };
  };
  "edges/reconcile": {
    readonly params: {
      readonly dry_run?: boolean;
      readonly expected_revision?: number;
    };
    readonly result: ReconcileReport;
  };
  "approvals/list": {
    readonly params: {
      readonly state?: "open" | "approved" | "rejected" | "timed_out" | "drafted" | "released";
      readonly member?: string;
      readonly after?: string;
      readonly limit?: number;
    };
    readonly result: {
      readonly approvals: readonly Approval[];
      readonly next?: string;
    };
  };
  "approvals/get": {
    readonly params: {
      readonly id: string;
    };
    readonly result: Approval;
  };
  "approvals/audit": {
    readonly params: {
      readonly member?: string;
      readonly turn_id?: string;
      readonly after?: string;
      readonly limit?: number;
    };
    readonly result: {
      readonly entries: readonly Entry[];
      readonly next: string;
      readonly exhausted: boolean;
    };
  };
  "approvals/policy": {
    readonly params: NoParams;
    readonly result: {
      readonly rules: readonly ApprovalRule[];
    };
  };
  "approvals/evaluate": {
    readonly params: {
      readonly member: string;
      readonly grant: string;
      readonly tool?: string;
      readonly arguments?: Json;
    };
    readonly result: {
      readonly tier: "R0" | "R1" | "R2" | "R3" | "deny";
      readonly rule_id: string | null;
    };
  };
  "approvals/decide": {
    readonly params: {
      readonly id: string;
      readonly decision: "approve" | "reject" | "release";
      readonly reason?: string;
      readonly approver_id?: string;
    };
    readonly result: Approval;
  };
  "flows/list": {
    readonly params: NoParams;
    readonly result: {
      readonly flows: readonly {
        readonly name: string;
        readonly steps: readonly string[];
      }[];
    };
  };
  "flows/get": {
    readonly params: {
      readonly flow: string;
    };
    readonly result: {
      readonly name: string;
      readonly steps: Readonly<Record<string, FlowStep>>;
    };
  };
  "flows/run": {
    readonly params: {
      readonly flow: string;
      readonly params?: Json;
      readonly idempotency_key?: string;
      readonly labels?: Readonly<Record<string, string>>;
    };
    readonly result: {
      readonly run_id: string;
    };
  };
  "runs/list": {
    readonly params: {
      readonly flow?: string;
      readonly state?: "running" | "completed" | "failed" | "canceled";
      readonly label?: string;
      readonly after?: string;
      readonly limit?: number;
    };
    readonly result: {
      readonly runs: readonly Run[];
      readonly next?: string;
    };
  };
  "runs/get": {
    readonly params: {
      readonly run_id: string;
    };
    readonly result: Run;
  };
  "runs/wait": {
    readonly params: {
      readonly run_id: string;
      readonly timeout_ms?: number;
    };
    readonly result: Run;
  };
  "runs/cancel": {
    readonly params: {
      readonly run_id: string;
    };
    readonly result: Run;
  };
  "runs/resume": {
    readonly params: {
      readonly run_id: string;
    };
    readonly result: Run;
  };
  "ledger/query": {
    readonly params: {
      readonly after?: string;
      readonly before?: string;
      readonly mode?: "since" | "recent";
      readonly since_at_ms?: number;
      readonly until_at_ms?: number;
      readonly classes?: readonly ("structural" | "turn" | "agent" | "approval" | "audit" | "system" | "error")[];
      readonly kinds?: readonly (
        | "mob_created"
        | "mob_completed"
        | "mob_destroying"
        | "mob_reset"
        | "mob_started"
        | "mob_stopping"
        | "mob_stopped"
        | "member_spawned"
        | "member_retired"
        | "member_reset"
        | "members_wired"
        | "members_unwired"
        | "flow_started"
        | "flow_completed"
        | "flow_failed"
        | "flow_canceled"
        | "step_dispatched"
        | "step_target_completed"
        | "step_target_failed"
        | "step_completed"
        | "step_failed"
        | "step_skipped"
        | "topology_violation"
        | "supervisor_escalation"
        | "definition_applied"
        | "desired_set"
        | "member_spawning"
        | "member_spawn_failed"
        | "member_starting"
        | "member_started"
        | "member_dormant"
        | "member_suspended"
        | "member_broken"
        | "member_repaired"
        | "member_respawned"
        | "member_reloaded"
        | "member_retiring"
        | "member_completed"
        | "member_updated"
        | "member_held"
        | "member_released"
        | "member_deleted"
        | "edge_suppressed"
        | "edge_released"
        | "edge_disowned"
        | "labels_set"
        | "lease_acquired"
        | "lease_lost"
        | "turn_queued"
        | "turn_started"
        | "turn_waiting"
        | "turn_resumed"
        | "turn_done"
        | "turn_failed"
        | "turn_cancelled"
        | "turn_expired"
        | "turn_dead"
        | "dead_letter_redriven"
        | "dead_letter_discarded"
        | "run_started"
        | "run_completed"
        | "run_failed"
        | "turn_completed"
        | "text_complete"
        | "tool_call_requested"
        | "tool_result_received"
        | "note"
        | "tool_execution_started"
        | "tool_execution_completed"
        | "peer_content_ingested"
        | "budget_warning"
        | "compaction_started"
        | "compaction_completed"
        | "compaction_failed"
        | "approval_requested"
        | "approval_decided"
        | "approval_timed_out"
        | "approval_drafted"
        | "action_allowed"
        | "access_denied"
        | "access_changed"
        | "grant_denied"
        | "consumer_state"
        | "retention_pruned"
        | "recovered"
        | "storage_degraded"
        | "storage_recovered"
        | "spawn_failure"
        | "reconcile_incomplete"
        | "discovery_failure"
        | "checkpoint_failure"
        | "host_loop_crash"
        | "hook_failure"
        | "consumer_stalled"
        | "policy_rejected"
        | "stale_fence")[];
      readonly member?: string;
      readonly generation?: number;
      readonly turn_id?: string;
      readonly run_id?: string;
      readonly step_id?: string;
      readonly principal?: string;
      readonly session_id?: string;
      readonly label?: string;
      readonly limit?: number;
    };
    readonly result: {
      readonly entries: readonly Entry[];
      readonly next: string;
      readonly head: string;
      readonly oldest: string;
      readonly exhausted: boolean;
      readonly before?: string;
      readonly gap?: {
        readonly from: number;
        readonly to: number;
        readonly reason: string;
      };
    };
  };
  "ledger/view": {
    readonly params: {
      readonly view: string;
      readonly after?: string;
      readonly before?: string;
      readonly since_at_ms?: number;
      readonly until_at_ms?: number;
      readonly limit?: number;
    };
    readonly result: {
      readonly events: readonly (StructuralEvent | UnifiedEvent)[];
      readonly next: string;
      readonly head: string;
      readonly oldest: string;
      readonly exhausted: boolean;
      readonly before?: string;
      readonly gap?: {
        readonly from: number;
        readonly to: number;
        readonly reason: string;
      };
    };
  };
  "ledger/head": {
    readonly params: NoParams;
    readonly result: {
      readonly head: string;
      readonly epoch: string;
    };
  };
  "ledger/state_at": {
    readonly params: {
      readonly seq: number;
    };
    readonly result: {
      readonly seq: number;
      readonly revision: number;
      readonly members: readonly Member[];
      readonly edges: readonly Edge[];
      readonly runs: readonly Run[];
    };
  };
  "ledger/subscribe": {
    readonly params: {
      readonly topics?: string;
      readonly after?: string;
      readonly classes?: readonly ("structural" | "turn" | "agent" | "approval" | "audit" | "system" | "error")[];
      readonly kinds?: readonly (
        | "mob_created"
        | "mob_completed"
        | "mob_destroying"
        | "mob_reset"
        | "mob_started"
        | "mob_stopping"
        | "mob_stopped"
        | "member_spawned"
        | "member_retired"
        | "member_reset"
        | "members_wired"
        | "members_unwired"
        | "flow_started"
        | "flow_completed"
        | "flow_failed"
        | "flow_canceled"
        | "step_dispatched"
        | "step_target_completed"
        | "step_target_failed"
        | "step_completed"
        | "step_failed"
        | "step_skipped"
        | "topology_violation"
        | "supervisor_escalation"
        | "definition_applied"
        | "desired_set"
        | "member_spawning"
        | "member_spawn_failed"
        | "member_starting"
        | "member_started"
        | "member_dormant"
        | "member_suspended"
        | "member_broken"
        | "member_repaired"
        | "member_respawned"
        | "member_reloaded"
        | "member_retiring"
        | "member_completed"
        | "member_updated"
        | "member_held"
        | "member_released"
        | "member_deleted"
        | "edge_suppressed"
        | "edge_released"
        | "edge_disowned"
        | "labels_set"
        | "lease_acquired"
        | "lease_lost"
        | "turn_queued"
        | "turn_started"
        | "turn_waiting"
        | "turn_resumed"
        | "turn_done"
        | "turn_failed"
        | "turn_cancelled"
        | "turn_expired"
        | "turn_dead"
        | "dead_letter_redriven"
        | "dead_letter_discarded"
        | "run_started"
        | "run_completed"
        | "run_failed"
        | "turn_completed"
        | "text_complete"
        | "tool_call_requested"
        | "tool_result_received"
        | "note"
        | "tool_execution_started"
        | "tool_execution_completed"
        | "peer_content_ingested"
        | "budget_warning"
        | "compaction_started"
        | "compaction_completed"
        | "compaction_failed"
        | "approval_requested"
        | "approval_decided"
        | "approval_timed_out"
        | "approval_drafted"
        | "action_allowed"
        | "access_denied"
        | "access_changed"
        | "grant_denied"
        | "consumer_state"
        | "retention_pruned"
        | "recovered"
        | "storage_degraded"
        | "storage_recovered"
        | "spawn_failure"
        | "reconcile_incomplete"
        | "discovery_failure"
        | "checkpoint_failure"
        | "host_loop_crash"
        | "hook_failure"
        | "consumer_stalled"
        | "policy_rejected"
        | "stale_fence")[];
      readonly member?: string;
      readonly generation?: number;
      readonly turn_id?: string;
      readonly run_id?: string;
      readonly step_id?: string;
      readonly principal?: string;
      readonly session_id?: string;
      readonly label?: string;
      readonly limit?: number;
    };
    readonly result: {
      readonly entries: readonly Entry[];
      readonly next: string;
      readonly stream_url: string;
      readonly keep_alive_ms: number;
      readonly gap?: {
        readonly from: number;
        readonly to: number;
        readonly reason: string;
      };
    };
  };
  "sessions/list": {
    readonly params: {
      readonly member: string;
    };
    readonly result: {
      readonly sessions: readonly Session[];
    };
  };
  "sessions/read": {
    readonly params: {
      readonly session_id: string;
      readonly mode?: "recent" | "since";
      readonly after?: number;
      readonly before?: number;
      readonly limit?: number;
    };
    readonly result: {
      readonly session_id: string;
      readonly member: string;
      readonly records: readonly SessionRecord[];
      readonly head: number;
      readonly next?: number;
    };
  };
  "dead_letters/list": {
    readonly params: {
      readonly member?: string;
      readonly reason?: string;
      readonly after?: string;
      readonly limit?: number;
    };
    readonly result: {
      readonly letters: readonly DeadLetter[];
      readonly next?: string;
    };
  };
  "dead_letters/redrive": {
    readonly params: {
      readonly ids: readonly string[];
    };
    readonly result: {
      readonly results: readonly (
        | {
        readonly turn_id: string;
        readonly ok: true;
        readonly sent_as?: string;
      }
        | {
        readonly turn_id: string;
        readonly ok: false;
        readonly error: Failure;
      })[];
    };
  };
  "dead_letters/discard": {
    readonly params: {
      readonly ids: readonly string[];
      readonly reason: string;
    };
    readonly result: {
      readonly results: readonly (
        | {
        readonly turn_id: string;
        readonly ok: true;
        readonly sent_as?: string;
      }
        | {
        readonly turn_id: string;
        readonly ok: false;
        readonly error: Failure;
      })[];
    };
  };
  "labels/get": {
    readonly params: {
      readonly scope: "mob" | "run" | "member";
      readonly id?: string;
    };
    readonly result: {
      readonly scope: "mob" | "run" | "member";
      readonly id?: string;
      readonly labels: Readonly<Record<string, string>>;
    };
  };
  "labels/set": {
    readonly params: {
      readonly scope: "mob" | "run" | "member";
      readonly id?: string;
      readonly labels: Readonly<Record<string, string>>;
    };
    readonly result: {
      readonly scope: "mob" | "run" | "member";
      readonly id?: string;
      readonly labels: Readonly<Record<string, string>>;
    };
  };
  "labels/delete": {
    readonly params: {
      readonly scope: "mob" | "run" | "member";
      readonly id?: string;
    };
    readonly result: {
      readonly scope: "mob" | "run" | "member";
      readonly id?: string;
      readonly labels: Readonly<Record<string, string>>;
    };
  };
  "meta/get": {
    readonly params: {
      readonly key: string;
    };
    readonly result: Meta;
  };
  "meta/set": {
    readonly params: {
      readonly key: string;
      readonly value: Json | null;
      readonly expected?: number;
    };
    readonly result: Meta;
  };
  "blobs/put": {
    readonly params: {
      readonly media_type: string;
      /** Its bytes, in base64. */
      readonly data: string;
    };
    readonly result: Blob;
  };
  "blobs/get": {
    readonly params: {
      readonly blob_id: string;
    };
    readonly result: {
      readonly blob_id: string;
      readonly media_type: string;
      readonly size: number;
      /** Its bytes, in base64. */
      readonly data: string;
    };
  };
  "blobs/stat": {
    readonly params: {
      readonly blob_id: string;
    };
    readonly result: Blob;
  };
  "capabilities": {
    readonly params: NoParams;
    readonly result: {
      readonly contract_version: number;
      readonly methods: readonly string[];
      readonly modules: readonly string[];
      readonly topics: readonly string[];
      readonly limits: Readonly<Record<string, number>>;
    };
  };
  "access/whoami": {
    readonly params: NoParams;
    readonly result: {
      readonly principal: string;
      readonly role: "none" | "viewer" | "approver" | "operator" | "admin";
      readonly groups: readonly string[];
      readonly local: boolean;
      readonly read_only: boolean;
    };
  };
  "access/get": {
    readonly params: NoParams;
    readonly result: {
      readonly rules: AccessRules | null;
      readonly roles: Readonly<Record<string, readonly string[]>>;
    };
  };
  "access/preview": {
    readonly params: {
      readonly principal: string;
      readonly groups?: readonly string[];
      readonly role?: "none" | "viewer" | "approver" | "operator" | "admin";
      readonly action: string;
      readonly member?: string;
    };
    readonly result: {
      readonly allowed: boolean;
    };
  };
}

/** Methods as they are called: `mob.members.list({ state: "active" })`. */
export interface MobApi {
  /** What the mob is doing. */
  status(params?: MobMethods["status"]["params"], o?: CallOptions): Promise<MobMethods["status"]["result"]>;
  /** Makes the mob what it is to be. */
  reconcile(params?: MobMethods["reconcile"]["params"], o?: CallOptions): Promise<MobMethods["reconcile"]["result"]>;
  /** What a pass of reconcile would do. */
  diff(params?: MobMethods["diff"]["params"], o?: CallOptions): Promise<MobMethods["diff"]["result"]>;
  /** How far the start is; waits until no member is starting. */
  boot(params?: MobMethods["boot"]["params"], o?: CallOptions): Promise<MobMethods["boot"]["result"]>;
  /** Folds the ledger anew and compares; says what is not as it should be. */
  verify(params?: MobMethods["verify"]["params"], o?: CallOptions): Promise<MobMethods["verify"]["result"]>;
  /** Gives a turn to a member that is open to the outside, or to all of a profile: @name. */
  send(params: MobMethods["send"]["params"], o?: CallOptions): Promise<MobMethods["send"]["result"]>;
  send(to: MobMethods["send"]["params"]["to"], content: MobMethods["send"]["params"]["content"], more?: Omit<MobMethods["send"]["params"], "to" | "content">, o?: CallOptions): Promise<MobMethods["send"]["result"]>;
  /** Gives a turn to any member. */
  dispatch(params: MobMethods["dispatch"]["params"], o?: CallOptions): Promise<MobMethods["dispatch"]["result"]>;
  dispatch(to: MobMethods["dispatch"]["params"]["to"], content: MobMethods["dispatch"]["params"]["content"], more?: Omit<MobMethods["dispatch"]["params"], "to" | "content">, o?: CallOptions): Promise<MobMethods["dispatch"]["result"]>;
  /** What you may call and hear here. */
  capabilities(params?: MobMethods["capabilities"]["params"], o?: CallOptions): Promise<MobMethods["capabilities"]["result"]>;
  readonly definition: {
    /** What the mob is to be. */
    get(params?: MobMethods["definition/get"]["params"], o?: CallOptions): Promise<MobMethods["definition/get"]["result"]>;
    /** Reads the files of the definition anew: all of it counts from then on, or none of it. */
    reload(params?: MobMethods["definition/reload"]["params"], o?: CallOptions): Promise<MobMethods["definition/reload"]["result"]>;
  };
  readonly lifecycle: {
    /** Ends what runs the mob, in order; roster and mail stay for the next start. */
    down(params?: MobMethods["lifecycle/down"]["params"], o?: CallOptions): Promise<MobMethods["lifecycle/down"]["result"]>;
    /** Nothing runs any more until it is resumed, also after a restart; roster and mail stay. */
    stop(params?: MobMethods["lifecycle/stop"]["params"], o?: CallOptions): Promise<MobMethods["lifecycle/stop"]["result"]>;
    /** Goes on after a stop. */
    resume(params?: MobMethods["lifecycle/resume"]["params"], o?: CallOptions): Promise<MobMethods["lifecycle/resume"]["result"]>;
    /** The mob is done: its members are retired, and nothing runs any more. */
    complete(params?: MobMethods["lifecycle/complete"]["params"], o?: CallOptions): Promise<MobMethods["lifecycle/complete"]["result"]>;
    /** Retires all; those of the definition come back, each with a new session. */
    reset(params: MobMethods["lifecycle/reset"]["params"], o?: CallOptions): Promise<MobMethods["lifecycle/reset"]["result"]>;
    /** Ends the mob for good and removes its store. */
    destroy(params: MobMethods["lifecycle/destroy"]["params"], o?: CallOptions): Promise<MobMethods["lifecycle/destroy"]["result"]>;
  };
  readonly members: {
    /** Members, by id. */
    list(params?: MobMethods["members/list"]["params"], o?: CallOptions): Promise<MobMethods["members/list"]["result"]>;
    /** One member; deep: also what it may do and whom it reaches. */
    get(params: MobMethods["members/get"]["params"], o?: CallOptions): Promise<MobMethods["members/get"]["result"]>;
    get(member: MobMethods["members/get"]["params"]["member"], more?: Omit<MobMethods["members/get"]["params"], "member">, o?: CallOptions): Promise<MobMethods["members/get"]["result"]>;
    /** Makes a member; it starts at its first turn. */
    spawn(params: MobMethods["members/spawn"]["params"], o?: CallOptions): Promise<MobMethods["members/spawn"]["result"]>;
    /** Makes a member unless it is there. */
    ensure(params: MobMethods["members/ensure"]["params"], o?: CallOptions): Promise<MobMethods["members/ensure"]["result"]>;
    /** Makes several members, with one answer for each. */
    spawn_many(params: MobMethods["members/spawn_many"]["params"], o?: CallOptions): Promise<MobMethods["members/spawn_many"]["result"]>;
    /** Works off its queue, then it is over. */
    retire(params: MobMethods["members/retire"]["params"], o?: CallOptions): Promise<MobMethods["members/retire"]["result"]>;
    retire(member: MobMethods["members/retire"]["params"]["member"], more?: Omit<MobMethods["members/retire"]["params"], "member">, o?: CallOptions): Promise<MobMethods["members/retire"]["result"]>;
    /** A new generation; session and queue stay. */
    respawn(params: MobMethods["members/respawn"]["params"], o?: CallOptions): Promise<MobMethods["members/respawn"]["result"]>;
    respawn(member: MobMethods["members/respawn"]["params"]["member"], more?: Omit<MobMethods["members/respawn"]["params"], "member">, o?: CallOptions): Promise<MobMethods["members/respawn"]["result"]>;
    /** Reads profile, script and grants again. */
    reload(params: MobMethods["members/reload"]["params"], o?: CallOptions): Promise<MobMethods["members/reload"]["result"]>;
    reload(member: MobMethods["members/reload"]["params"]["member"], more?: Omit<MobMethods["members/reload"]["params"], "member">, o?: CallOptions): Promise<MobMethods["members/reload"]["result"]>;
    /** Starts a broken member again. */
    repair(params: MobMethods["members/repair"]["params"], o?: CallOptions): Promise<MobMethods["members/repair"]["result"]>;
    repair(member: MobMethods["members/repair"]["params"]["member"], more?: Omit<MobMethods["members/repair"]["params"], "member">, o?: CallOptions): Promise<MobMethods["members/repair"]["result"]>;
    /** Lets reconcile decide about a held member again. */
    release(params: MobMethods["members/release"]["params"], o?: CallOptions): Promise<MobMethods["members/release"]["result"]>;
    release(member: MobMethods["members/release"]["params"]["member"], more?: Omit<MobMethods["members/release"]["params"], "member">, o?: CallOptions): Promise<MobMethods["members/release"]["result"]>;
    /** Lets a suspended member work again. */
    resume(params: MobMethods["members/resume"]["params"], o?: CallOptions): Promise<MobMethods["members/resume"]["result"]>;
    resume(member: MobMethods["members/resume"]["params"]["member"], more?: Omit<MobMethods["members/resume"]["params"], "member">, o?: CallOptions): Promise<MobMethods["members/resume"]["result"]>;
    /** Lets nothing of it run; its mail waits. */
    suspend(params: MobMethods["members/suspend"]["params"], o?: CallOptions): Promise<MobMethods["members/suspend"]["result"]>;
    suspend(member: MobMethods["members/suspend"]["params"]["member"], more?: Omit<MobMethods["members/suspend"]["params"], "member">, o?: CallOptions): Promise<MobMethods["members/suspend"]["result"]>;
    /** A new generation with a new session; its queue becomes dead letters. */
    reset(params: MobMethods["members/reset"]["params"], o?: CallOptions): Promise<MobMethods["members/reset"]["result"]>;
    reset(member: MobMethods["members/reset"]["params"]["member"], more: Omit<MobMethods["members/reset"]["params"], "member">, o?: CallOptions): Promise<MobMethods["members/reset"]["result"]>;
    /** Ends a member at once and takes away all it has but its entries; gives its last row. */
    delete(params: MobMethods["members/delete"]["params"], o?: CallOptions): Promise<MobMethods["members/delete"]["result"]>;
    delete(member: MobMethods["members/delete"]["params"]["member"], more: Omit<MobMethods["members/delete"]["params"], "member">, o?: CallOptions): Promise<MobMethods["members/delete"]["result"]>;
    /** Gives a member a model of its own, after its running turn. */
    set_model(params: MobMethods["members/set_model"]["params"], o?: CallOptions): Promise<MobMethods["members/set_model"]["result"]>;
    set_model(member: MobMethods["members/set_model"]["params"]["member"], model: MobMethods["members/set_model"]["params"]["model"], more?: Omit<MobMethods["members/set_model"]["params"], "member" | "model">, o?: CallOptions): Promise<MobMethods["members/set_model"]["result"]>;
    /** Cancels what it works on; with queued also what waits. */
    cancel(params: MobMethods["members/cancel"]["params"], o?: CallOptions): Promise<MobMethods["members/cancel"]["result"]>;
    cancel(member: MobMethods["members/cancel"]["params"]["member"], more?: Omit<MobMethods["members/cancel"]["params"], "member">, o?: CallOptions): Promise<MobMethods["members/cancel"]["result"]>;
    /** Waits until members take turns, or are over; gives who is not, when the time is over. */
    wait(params: MobMethods["members/wait"]["params"], o?: CallOptions): Promise<MobMethods["members/wait"]["result"]>;
  };
  readonly turns: {
    /** Turns, the oldest first; of those that are over the newest are kept. */
    list(params?: MobMethods["turns/list"]["params"], o?: CallOptions): Promise<MobMethods["turns/list"]["result"]>;
    /** One turn. */
    get(params: MobMethods["turns/get"]["params"], o?: CallOptions): Promise<MobMethods["turns/get"]["result"]>;
    get(turn_id: MobMethods["turns/get"]["params"]["turn_id"], more?: NoParams, o?: CallOptions): Promise<MobMethods["turns/get"]["result"]>;
    /** Waits for the end of a turn. */
    wait(params: MobMethods["turns/wait"]["params"], o?: CallOptions): Promise<MobMethods["turns/wait"]["result"]>;
    wait(turn_id: MobMethods["turns/wait"]["params"]["turn_id"], more?: Omit<MobMethods["turns/wait"]["params"], "turn_id">, o?: CallOptions): Promise<MobMethods["turns/wait"]["result"]>;
    /** Cancels a turn; gives the state it had, when it was over. */
    cancel(params: MobMethods["turns/cancel"]["params"], o?: CallOptions): Promise<MobMethods["turns/cancel"]["result"]>;
    cancel(turn_id: MobMethods["turns/cancel"]["params"]["turn_id"], more?: Omit<MobMethods["turns/cancel"]["params"], "turn_id">, o?: CallOptions): Promise<MobMethods["turns/cancel"]["result"]>;
  };
  readonly edges: {
    /** Edges, by their ends. */
    list(params?: MobMethods["edges/list"]["params"], o?: CallOptions): Promise<MobMethods["edges/list"]["result"]>;
    /** Lets two members speak with each other. */
    wire(params: MobMethods["edges/wire"]["params"], o?: CallOptions): Promise<MobMethods["edges/wire"]["result"]>;
    wire(a: MobMethods["edges/wire"]["params"]["a"], b: MobMethods["edges/wire"]["params"]["b"], more?: Omit<MobMethods["edges/wire"]["params"], "a" | "b">, o?: CallOptions): Promise<MobMethods["edges/wire"]["result"]>;
    /** Ends an edge; with hold it stays so until it is released. */
    unwire(params: MobMethods["edges/unwire"]["params"], o?: CallOptions): Promise<MobMethods["edges/unwire"]["result"]>;
    unwire(a: MobMethods["edges/unwire"]["params"]["a"], b: MobMethods["edges/unwire"]["params"]["b"], more?: Omit<MobMethods["edges/unwire"]["params"], "a" | "b">, o?: CallOptions): Promise<MobMethods["edges/unwire"]["result"]>;
    /** Lets reconcile decide about an edge again. */
    release(params: MobMethods["edges/release"]["params"], o?: CallOptions): Promise<MobMethods["edges/release"]["result"]>;
    release(a: MobMethods["edges/release"]["params"]["a"], b: MobMethods["edges/release"]["params"]["b"], more?: Omit<MobMethods["edges/release"]["params"], "a" | "b">, o?: CallOptions): Promise<MobMethods["edges/release"]["result"]>;
    /** Wires and unwires what the definition says, of the members that are there. */
    reconcile(params?: MobMethods["edges/reconcile"]["params"], o?: CallOptions): Promise<MobMethods["edges/reconcile"]["result"]>;
  };
  readonly approvals: {
    /** Approvals, the oldest first. */
    list(params?: MobMethods["approvals/list"]["params"], o?: CallOptions): Promise<MobMethods["approvals/list"]["result"]>;
    /** One approval, with all its arguments while it is open. */
    get(params: MobMethods["approvals/get"]["params"], o?: CallOptions): Promise<MobMethods["approvals/get"]["result"]>;
    get(id: MobMethods["approvals/get"]["params"]["id"], more?: NoParams, o?: CallOptions): Promise<MobMethods["approvals/get"]["result"]>;
    /** What was allowed, asked and decided, ascending; without after the newest. */
    audit(params?: MobMethods["approvals/audit"]["params"], o?: CallOptions): Promise<MobMethods["approvals/audit"]["result"]>;
    /** The rules. */
    policy(params?: MobMethods["approvals/policy"]["params"], o?: CallOptions): Promise<MobMethods["approvals/policy"]["result"]>;
    /** What the rules say of a call; nothing is asked. */
    evaluate(params: MobMethods["approvals/evaluate"]["params"], o?: CallOptions): Promise<MobMethods["approvals/evaluate"]["result"]>;
    /** Approves or rejects what is open, releases or rejects a draft, as who is signed in. */
    decide(params: MobMethods["approvals/decide"]["params"], o?: CallOptions): Promise<MobMethods["approvals/decide"]["result"]>;
    decide(id: MobMethods["approvals/decide"]["params"]["id"], decision: MobMethods["approvals/decide"]["params"]["decision"], more?: Omit<MobMethods["approvals/decide"]["params"], "id" | "decision">, o?: CallOptions): Promise<MobMethods["approvals/decide"]["result"]>;
  };
  readonly flows: {
    /** Flows of the definition. */
    list(params?: MobMethods["flows/list"]["params"], o?: CallOptions): Promise<MobMethods["flows/list"]["result"]>;
    /** One flow. */
    get(params: MobMethods["flows/get"]["params"], o?: CallOptions): Promise<MobMethods["flows/get"]["result"]>;
    get(flow: MobMethods["flows/get"]["params"]["flow"], more?: NoParams, o?: CallOptions): Promise<MobMethods["flows/get"]["result"]>;
    /** Begins a run. */
    run(params: MobMethods["flows/run"]["params"], o?: CallOptions): Promise<MobMethods["flows/run"]["result"] & Ends<MobMethods["runs/wait"]["result"]>>;
    run(flow: MobMethods["flows/run"]["params"]["flow"], params?: MobMethods["flows/run"]["params"]["params"], more?: Omit<MobMethods["flows/run"]["params"], "flow" | "params">, o?: CallOptions): Promise<MobMethods["flows/run"]["result"] & Ends<MobMethods["runs/wait"]["result"]>>;
  };
  readonly runs: {
    /** Runs. */
    list(params?: MobMethods["runs/list"]["params"], o?: CallOptions): Promise<MobMethods["runs/list"]["result"]>;
    /** One run. */
    get(params: MobMethods["runs/get"]["params"], o?: CallOptions): Promise<MobMethods["runs/get"]["result"]>;
    get(run_id: MobMethods["runs/get"]["params"]["run_id"], more?: NoParams, o?: CallOptions): Promise<MobMethods["runs/get"]["result"]>;
    /** Waits for the end of a run. */
    wait(params: MobMethods["runs/wait"]["params"], o?: CallOptions): Promise<MobMethods["runs/wait"]["result"]>;
    wait(run_id: MobMethods["runs/wait"]["params"]["run_id"], more?: Omit<MobMethods["runs/wait"]["params"], "run_id">, o?: CallOptions): Promise<MobMethods["runs/wait"]["result"]>;
    /** Cancels a run and its turns. */
    cancel(params: MobMethods["runs/cancel"]["params"], o?: CallOptions): Promise<MobMethods["runs/cancel"]["result"]>;
    cancel(run_id: MobMethods["runs/cancel"]["params"]["run_id"], more?: NoParams, o?: CallOptions): Promise<MobMethods["runs/cancel"]["result"]>;
    /** Goes on at what has failed. */
    resume(params: MobMethods["runs/resume"]["params"], o?: CallOptions): Promise<MobMethods["runs/resume"]["result"]>;
    resume(run_id: MobMethods["runs/resume"]["params"]["run_id"], more?: NoParams, o?: CallOptions): Promise<MobMethods["runs/resume"]["result"]>;
  };
  readonly ledger: {
    /** Entries, ascending; without after the newest. */
    query(params?: MobMethods["ledger/query"]["params"], o?: CallOptions): Promise<MobMethods["ledger/query"]["result"]>;
    /** Entries as events of a view: structural, unified, agent, audit, errors, run:<id>, member:<id>. */
    view(params: MobMethods["ledger/view"]["params"], o?: CallOptions): Promise<MobMethods["ledger/view"]["result"]>;
    /** The cursor of the newest entry. */
    head(params?: MobMethods["ledger/head"]["params"], o?: CallOptions): Promise<MobMethods["ledger/head"]["result"]>;
    /** Members, edges and runs as they were after that entry. */
    state_at(params: MobMethods["ledger/state_at"]["params"], o?: CallOptions): Promise<MobMethods["ledger/state_at"]["result"]>;
    /** A page of entries, and the address of the stream that goes on where it ends. */
    subscribe(params?: MobMethods["ledger/subscribe"]["params"], o?: CallOptions): Promise<MobMethods["ledger/subscribe"]["result"]>;
  };
  readonly sessions: {
    /** Sessions of a member, the oldest first. */
    list(params: MobMethods["sessions/list"]["params"], o?: CallOptions): Promise<MobMethods["sessions/list"]["result"]>;
    /** Records of a session, ascending: the newest ones, or with after those that come after it. */
    read(params: MobMethods["sessions/read"]["params"], o?: CallOptions): Promise<MobMethods["sessions/read"]["result"]>;
    read(session_id: MobMethods["sessions/read"]["params"]["session_id"], more?: Omit<MobMethods["sessions/read"]["params"], "session_id">, o?: CallOptions): Promise<MobMethods["sessions/read"]["result"]>;
  };
  readonly dead_letters: {
    /** Turns that were given up, by member, the oldest first. */
    list(params?: MobMethods["dead_letters/list"]["params"], o?: CallOptions): Promise<MobMethods["dead_letters/list"]["result"]>;
    /** Hands their content in again, as new turns of those who sent them. */
    redrive(params: MobMethods["dead_letters/redrive"]["params"], o?: CallOptions): Promise<MobMethods["dead_letters/redrive"]["result"]>;
    /** Throws them away; the ledger keeps who and why. */
    discard(params: MobMethods["dead_letters/discard"]["params"], o?: CallOptions): Promise<MobMethods["dead_letters/discard"]["result"]>;
  };
  readonly labels: {
    /** Labels of the mob, a run or a member. */
    get(params: MobMethods["labels/get"]["params"], o?: CallOptions): Promise<MobMethods["labels/get"]["result"]>;
    /** Sets all of them; none clears them. */
    set(params: MobMethods["labels/set"]["params"], o?: CallOptions): Promise<MobMethods["labels/set"]["result"]>;
    /** Takes all of them away, and gives those that were there. */
    delete(params: MobMethods["labels/delete"]["params"], o?: CallOptions): Promise<MobMethods["labels/delete"]["result"]>;
  };
  readonly meta: {
    /** A value that a program keeps here, with its revision; 0 when there is none. */
    get(params: MobMethods["meta/get"]["params"], o?: CallOptions): Promise<MobMethods["meta/get"]["result"]>;
    get(key: MobMethods["meta/get"]["params"]["key"], more?: NoParams, o?: CallOptions): Promise<MobMethods["meta/get"]["result"]>;
    /** Sets it, with expected only if that is its revision; null takes it away. */
    set(params: MobMethods["meta/set"]["params"], o?: CallOptions): Promise<MobMethods["meta/set"]["result"]>;
    set(key: MobMethods["meta/set"]["params"]["key"], more: Omit<MobMethods["meta/set"]["params"], "key">, o?: CallOptions): Promise<MobMethods["meta/set"]["result"]>;
  };
  readonly blobs: {
    /** Keeps bytes, at most 25 MiB; equal ones of one media type are one blob. A body of multipart/form-data with one file brings them as they are. */
    put(params: MobMethods["blobs/put"]["params"], o?: CallOptions): Promise<MobMethods["blobs/put"]["result"]>;
    /** A blob with its bytes. Over REST it is the bytes alone. */
    get(params: MobMethods["blobs/get"]["params"], o?: CallOptions): Promise<MobMethods["blobs/get"]["result"]>;
    get(blob_id: MobMethods["blobs/get"]["params"]["blob_id"], more?: NoParams, o?: CallOptions): Promise<MobMethods["blobs/get"]["result"]>;
    /** Media type and size of a blob. */
    stat(params: MobMethods["blobs/stat"]["params"], o?: CallOptions): Promise<MobMethods["blobs/stat"]["result"]>;
    stat(blob_id: MobMethods["blobs/stat"]["params"]["blob_id"], more?: NoParams, o?: CallOptions): Promise<MobMethods["blobs/stat"]["result"]>;
  };
  readonly access: {
    /** Who you are here. */
    whoami(params?: MobMethods["access/whoami"]["params"], o?: CallOptions): Promise<MobMethods["access/whoami"]["result"]>;
    /** The rules, and what roles may. */
    get(params?: MobMethods["access/get"]["params"], o?: CallOptions): Promise<MobMethods["access/get"]["result"]>;
    /** Whether somebody might do something, on a member or on the mob as a whole. */
    preview(params: MobMethods["access/preview"]["params"], o?: CallOptions): Promise<MobMethods["access/preview"]["result"]>;
  };
}

export interface MethodRow {
  readonly writes: boolean;
  /** Params that may stand before the others; the first is a string. */
  readonly leading?: readonly string[];
  /** The method that waits for its end, and the param that names it. */
  readonly over?: { readonly by: keyof MobMethods; readonly key: string };
}

/** Methods by name; those that write may have happened although their answer was lost. */
export const METHODS: Readonly<Record<keyof MobMethods, MethodRow>> = {
  "status": { writes: false },
  "definition/get": { writes: false },
  "definition/reload": { writes: true },
  "reconcile": { writes: true },
  "diff": { writes: false },
  "boot": { writes: false },
  "verify": { writes: false },
  "lifecycle/down": { writes: true },
  "lifecycle/stop": { writes: true },
  "lifecycle/resume": { writes: true },
  "lifecycle/complete": { writes: true },
  "lifecycle/reset": { writes: true },
  "lifecycle/destroy": { writes: true },
  "members/list": { writes: false },
  "members/get": { writes: false, leading: ["member"] },
  "members/spawn": { writes: true },
  "members/ensure": { writes: true },
  "members/spawn_many": { writes: true },
  "members/retire": { writes: true, leading: ["member"] },
  "members/respawn": { writes: true, leading: ["member"] },
  "members/reload": { writes: true, leading: ["member"] },
  "members/repair": { writes: true, leading: ["member"] },
  "members/release": { writes: true, leading: ["member"] },
  "members/resume": { writes: true, leading: ["member"] },
  "members/suspend": { writes: true, leading: ["member"] },
  "members/reset": { writes: true, leading: ["member"] },
  "members/delete": { writes: true, leading: ["member"] },
  "members/set_model": { writes: true, leading: ["member", "model"] },
  "members/cancel": { writes: true, leading: ["member"] },
  "members/wait": { writes: false },
  "send": { writes: true, leading: ["to", "content"] },
  "dispatch": { writes: true, leading: ["to", "content"] },
  "turns/list": { writes: false },
  "turns/get": { writes: false, leading: ["turn_id"] },
  "turns/wait": { writes: false, leading: ["turn_id"] },
  "turns/cancel": { writes: true, leading: ["turn_id"] },
  "edges/list": { writes: false },
  "edges/wire": { writes: true, leading: ["a", "b"] },
  "edges/unwire": { writes: true, leading: ["a", "b"] },
  "edges/release": { writes: true, leading: ["a", "b"] },
  "edges/reconcile": { writes: true },
  "approvals/list": { writes: false },
  "approvals/get": { writes: false, leading: ["id"] },
  "approvals/audit": { writes: false },
  "approvals/policy": { writes: false },
  "approvals/evaluate": { writes: false },
  "approvals/decide": { writes: true, leading: ["id", "decision"] },
  "flows/list": { writes: false },
  "flows/get": { writes: false, leading: ["flow"] },
  "flows/run": { writes: true, leading: ["flow", "params"], over: { by: "runs/wait", key: "run_id" } },
  "runs/list": { writes: false },
  "runs/get": { writes: false, leading: ["run_id"] },
  "runs/wait": { writes: false, leading: ["run_id"] },
  "runs/cancel": { writes: true, leading: ["run_id"] },
  "runs/resume": { writes: true, leading: ["run_id"] },
  "ledger/query": { writes: false },
  "ledger/view": { writes: false },
  "ledger/head": { writes: false },
  "ledger/state_at": { writes: false },
  "ledger/subscribe": { writes: false },
  "sessions/list": { writes: false },
  "sessions/read": { writes: false, leading: ["session_id"] },
  "dead_letters/list": { writes: false },
  "dead_letters/redrive": { writes: true },
  "dead_letters/discard": { writes: true },
  "labels/get": { writes: false },
  "labels/set": { writes: true },
  "labels/delete": { writes: true },
  "meta/get": { writes: false, leading: ["key"] },
  "meta/set": { writes: true, leading: ["key"] },
  "blobs/put": { writes: true },
  "blobs/get": { writes: false, leading: ["blob_id"] },
  "blobs/stat": { writes: false, leading: ["blob_id"] },
  "capabilities": { writes: false },
  "access/whoami": { writes: false },
  "access/get": { writes: false },
  "access/preview": { writes: false },
};

export type Topic = "entries" | "structural" | "turns" | "approvals" | "errors" | "roster" | "metrics" | `run:${string}` | `member:${string}` | `live:${string}`;

export type MobCode =
  | "mob.parse"
  | "mob.invalid_request"
  | "mob.method_unknown"
  | "mob.invalid_params"
  | "mob.definition_invalid"
  | "mob.content_empty"
  | "mob.unsupported_content"
  | "mob.tool_failed"
  | "mob.model_unavailable"
  | "mob.start_failed"
  | "mob.output_invalid"
  | "mob.not_found"
  | "mob.session_not_found"
  | "mob.conflict"
  | "mob.desired_conflict"
  | "mob.already_running"
  | "mob.retire_guard"
  | "mob.approval_closed"
  | "mob.approver_mismatch"
  | "mob.self_approval_forbidden"
  | "mob.stale_cursor"
  | "mob.member_broken"
  | "mob.member_gone"
  | "mob.not_addressable"
  | "mob.stale_fence"
  | "mob.unavailable"
  | "mob.storage_degraded"
  | "mob.lease_held"
  | "mob.shutting_down"
  | "mob.deadline"
  | "mob.overloaded"
  | "mob.budget_exhausted"
  | "mob.too_large"
  | "mob.unauthenticated"
  | "mob.token_in_query"
  | "mob.denied"
  | "mob.grant_widened"
  | "mob.read_only"
  | "mob.interrupted"
  | "mob.internal";
