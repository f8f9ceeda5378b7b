/** What methods give (spec: mob 11.1): the shapes of the contract, by name. A test holds every answer against them. */
import { z } from "zod";
import type { Json } from "@atoll-run/core";
import type { Approval } from "../approvals/approval.ts";
import type { ApprovalRule, FlowStep, MobDefinition } from "../definition/definition.ts";
import type { EdgeNow } from "../edges/plan.ts";
import type { Failure } from "../errors.ts";
import type { StepRun, Target, Waits } from "../flows/run.ts";
import { KINDS, type Entry, type EntryClass, type EntryKind } from "../ledger/entry.ts";
import type { StructuralEvent, UnifiedEvent } from "../ledger/views.ts";
import type { Stored } from "../ledger/stored.ts";
import type { DeepRow } from "../member/deep.ts";
import type { MemberRow } from "../member/row.ts";
import type { Ticket, Turn, TurnCursor } from "../member/turn.ts";
import type { Reason } from "../whole/health.ts";
import { EDGE_BUCKETS } from "../edges/plan.ts";
import { MEMBER_BUCKETS } from "../reconcile/plan.ts";
import { TAINTS } from "../sessions/taint.ts";
import type { Usage } from "../usage/usage.ts";
import { approvalStates, memberStates, runStates, turnStates } from "./schemas.ts";

/** What came as JSON is JSON. */
export const json = z.custom<Json>((given) => given !== undefined).meta({ id: "Json", description: "Any JSON value." });
const count = z.int().min(0);
const ms = z.number();
const texts = z.array(z.string());
const tally = z.record(z.string(), count);
const labels = z.record(z.string(), z.string());

export const failure = z.object({ code: z.string(), text: z.string() }).meta({ id: "Failure" }) satisfies z.ZodType<Failure>;

const stored = z.object({ bytes: count, preview: z.string() }).meta({
  id: "Stored", description: "Too large to stand here: how large it is, and how it begins. Asked for alone it is whole.",
}) satisfies z.ZodType<Stored>;

const usage = z.object({
  tokens_in: count, tokens_out: count, cost_usd: z.number().nullable(), turns: count, tool_calls: count, wall_ms: ms,
}).meta({ id: "Usage", description: "Tokens, US dollars (null: a price is not known), turns, counted calls of tools, and how long turns ran." }) satisfies z.ZodType<Usage>;
const used = { usage: usage.exactOptional() };

export const memberRow = z.object({
  id: z.string(), profile: z.string(), state: memberStates, phase: z.enum(["idle", "busy", "waiting_approval"]), generation: count,
  runtime_id: z.string(), mode: z.enum(["turn_driven", "autonomous"]), external: z.boolean(), wired_to: texts, labels, origin: z.enum(["definition", "desired", "api", "helper"]), held: z.boolean(), spawned_by: z.string().exactOptional(),
  lease: z.object({ fence: count, ttl_ms: ms, healthy: z.boolean() }), queue: z.object({ depth: count, oldest_at_ms: ms.nullable(), dead: count }),
  usage, session: z.object({ id: z.string(), head: count }),
  last_error: failure.exactOptional(), final: z.boolean(), since_at_ms: ms, seq: count,
}).meta({ id: "Member" }) satisfies z.ZodType<MemberRow>;

export const deepRow = memberRow.extend({
  output_preview: z.string().nullable(), grants: texts, peers_reachable: texts, continuity: z.object({
    member: z.string(), runtime_id: z.string(), session_id: z.string(), generation: count, fence: count, version: count, spec_hash: z.string(),
  }),
}).meta({ id: "DeepMember" }) satisfies z.ZodType<DeepRow>;

export const ticket = z.object({
  turn_id: z.string(), member: z.string(), generation: count, conversation: z.string(), state: turnStates, seq: count, duplicate: z.boolean(),
}).meta({ id: "Ticket" }) satisfies z.ZodType<Ticket>;

const cursorShape = z.object({ generation: count, fence: count, turns: count }).meta({
  id: "TurnCursor", description: "A place in the work of a member: another generation or fence is another incarnation, more turns another answer.",
}) satisfies z.ZodType<TurnCursor>;

export const turn = z.object({
  turn_id: z.string(), member: z.string(), generation: count, conversation: z.string(), from: z.string(), principal: z.string(),
  run_id: z.string().exactOptional(), step_id: z.string().exactOptional(), state: turnStates, attempt: count, deadline_at_ms: ms, left_ms: ms.exactOptional(), in_place: z.boolean().exactOptional(), output: json.nullable(), stored: stored.exactOptional(), error: failure.nullable(),
  ...used, taint: z.enum(TAINTS).exactOptional(), active_ms: ms.exactOptional(), resumed_at_ms: ms.exactOptional(),
  queued_at_ms: ms, started_at_ms: ms.nullable(), ended_at_ms: ms.nullable(), cursor: cursorShape.nullable(), reason: z.string().exactOptional(),
  reply: z.literal("turn").exactOptional(), in_reply_to: z.string().exactOptional(), trace: z.string().exactOptional(), seq: count,
}).meta({ id: "Turn" }) satisfies z.ZodType<Turn>;

export const edge = z.object({
  a: z.string(), b: z.string(), wired: z.boolean(), owner: z.enum(["managed", "manual", "peer"]).exactOptional(), suppressed: z.boolean().exactOptional(),
}).meta({ id: "Edge" }) satisfies z.ZodType<EdgeNow>;

export const approval = z.object({
  id: z.string(), state: approvalStates, member: z.string(), turn_id: z.string(), rule_id: z.string(), grant: z.string(), tool: z.string().nullable(),
  object: z.string().nullable(), fn: z.string().nullable(), args: json, hash: z.string(), asked_by: z.string(), approvers: texts, quorum: count,
  on_timeout: z.enum(["draft", "deny"]), self_approval: z.boolean().nullable(), opened_at_ms: ms, expires_at_ms: ms,
  decisions: z.array(z.object({
    principal: z.string(), decision: z.enum(["approve", "reject", "release"]), reason: z.string().exactOptional(), at_ms: ms,
  })), call: z.enum(["begun", "over", "told"]).exactOptional(), trace: z.string().exactOptional(), seq: count,
}).meta({ id: "Approval" }) satisfies z.ZodType<Approval>;

export const rule = z.object({
  id: z.string(), match: z.record(z.string(), json), tier: z.enum(["R0", "R1", "R2", "R3", "deny"]), approvers: texts, quorum: count, timeout_ms: ms,
  on_timeout: z.enum(["draft", "deny"]), self_approval: z.boolean().nullable(),
}).meta({ id: "ApprovalRule" }) satisfies z.ZodType<Omit<ApprovalRule, "match">>;

const target = z.object({
  name: z.string(), member: z.string(), state: z.enum(["open", "done", "failed"]), attempt: count, turn_id: z.string().nullable(), at: count,
  output: json.exactOptional(), stored: stored.exactOptional(), error: failure.exactOptional(), ...used,
}).meta({ id: "Target" }) satisfies z.ZodType<Target>;

const waits = z.object({ turns: texts, since_ms: ms, waited_ms: ms }).meta({
  id: "Waits", description: "Turns that wait for approvals: time stands still meanwhile. `waited_ms`: what is over of it.",
}) satisfies z.ZodType<Waits>;
const held = { waits: waits.exactOptional() };

const stepRun = z.object({
  state: z.enum(["waiting", "running", "completed", "failed", "skipped"]), started_at_ms: ms.nullable(), targets: z.record(z.string(), target),
  completed_seq: count.exactOptional(), output: json.exactOptional(),
  holes: z.array(z.object({ at: z.array(z.union([z.string(), count])), member: z.string(), turn_id: z.string() })).exactOptional(), error: failure.exactOptional(), forbidden: z.literal(true).exactOptional(), ...held, ...used,
}).meta({ id: "StepRun" }) satisfies z.ZodType<StepRun>;

export const run = z.object({
  run_id: z.string(), flow: z.string(), params: json, principal: z.string(), state: runStates, round: count, steps: z.record(z.string(), stepRun),
  error: failure.exactOptional(), escalated: z.string().exactOptional(), started_at_ms: ms, ended_at_ms: ms.nullable(), revision: count, output: json, labels, taint: z.enum(TAINTS).exactOptional(), trace: z.string().exactOptional(), ...held, ...used,
}).meta({ id: "Run" });

export const flowStep = z.custom<FlowStep>((given) => typeof given === "object").meta({ id: "FlowStep", type: "object" });
export const definition = z.custom<MobDefinition>((given) => typeof given === "object").meta({
  id: "Definition", type: "object", description: "As in mob.toml, with defaults filled in.",
});

export const entry = z.object({
  seq: count, epoch: z.string(), id: z.string(), ts_ms: ms, v: z.literal(1), mob: z.string(),
  class: z.enum([...new Set(Object.values(KINDS))] as [EntryClass, ...EntryClass[]]), kind: z.enum(Object.keys(KINDS) as [EntryKind, ...EntryKind[]]),
  source: z.string(), member: z.string().exactOptional(), generation: count.exactOptional(), fence: count.exactOptional(),
  session: z.object({ id: z.string(), seq: count }).exactOptional(), turn_id: z.string().exactOptional(), run_id: z.string().exactOptional(),
  step_id: z.string().exactOptional(), principal: z.string().exactOptional(), trace: z.string().exactOptional(), cause_seq: count.exactOptional(),
  dedupe_key: z.string().exactOptional(), labels: z.object({ mob: labels.exactOptional(), run: labels.exactOptional(), member: labels.exactOptional() }).exactOptional(),
  data: z.record(z.string(), json),
}).meta({ id: "Entry" }) satisfies z.ZodType<Entry>;

const kind = entry.shape.kind;
const structuralEvent = z.object({
  event_id: z.string(), cursor: z.string(), mob_id: z.string(), timestamp_ms: ms, kind, run_id: z.string().exactOptional(), step_id: z.string().exactOptional(),
  agent_identity: z.string().exactOptional(), mob_labels: labels, run_labels: labels, data: z.record(z.string(), json),
}).meta({ id: "StructuralEvent" }) satisfies z.ZodType<StructuralEvent>;
const unifiedEvent = z.object({
  event_id: z.string(), cursor: z.string(), source: z.string(), timestamp_ms: ms, event: z.object({
    class: entry.shape.class, type: kind, agent_id: z.string().exactOptional(), turn_id: z.string().exactOptional(), run_id: z.string().exactOptional(),
    payload: z.record(z.string(), json),
  }),
}).meta({ id: "UnifiedEvent" }) satisfies z.ZodType<UnifiedEvent>;
export const viewEvent = z.union([structuralEvent, unifiedEvent]);

const stageFailure = z.object({ id: z.string(), stage: z.string(), error: failure }).meta({ id: "StageFailure" });
const failures = { failures: z.array(stageFailure) };
const buckets = <B extends string, S extends z.ZodType>(names: readonly B[], of: S): { [bucket in B]: S } =>
  Object.fromEntries(names.map((name) => [name, of])) as { [bucket in B]: S };

export const report = z.object({
  revision: count, dry_run: z.boolean(), members: z.object({ ...buckets(MEMBER_BUCKETS, texts), ...failures }),
  edges: z.object({ ...buckets(EDGE_BUCKETS, z.array(z.tuple([z.string(), z.string()]))), ...failures }),
  routes: z.object({ router_module_loaded: z.boolean(), active_members: texts, added_route_keys: texts, removed_route_keys: texts }),
  complete: z.boolean(), took_ms: ms,
}).meta({ id: "ReconcileReport" });

const reason = z.object({
  code: z.enum(["member_broken", "reconcile_incomplete", "storage_degraded"]), text: z.string(), member: z.string().exactOptional(),
}).meta({ id: "Reason", description: "Why the mob is degraded." }) satisfies z.ZodType<Reason>;

export const status = z.object({
  mob: z.string(), state: z.enum(["creating", "running", "stopping", "stopped", "completed", "destroyed"]), degraded: z.array(reason), lease: z.object({ epoch: count }), horizon_ms: ms,
  members: tally, edges: count, revision: count, head: z.string(), storage: z.object({ bytes: count, oldest: z.string(), oldest_at_ms: ms.nullable() }).nullable(),
  approvals_open: count, runs_open: count,
}).meta({ id: "Status" });

/** A page of those, and where the next one begins. */
export const pageOf = <K extends string, S extends z.ZodType, M extends z.ZodRawShape>(name: K, of: S, more: M) =>
  z.object({ [name]: z.array(of), ...more, next: z.string().exactOptional() } as { [key in K]: z.ZodArray<S> } & M & { next: z.ZodExactOptional<z.ZodString> });
