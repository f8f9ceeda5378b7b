/** The life of one approval (spec: mob 8.10, 8.11). Pure. */
import type { Json } from "@atoll-run/core";
import { mobError, type MobError } from "../errors.ts";
import { shortHash } from "../ids.ts";
import type { Entry } from "../ledger/entry.ts";
import { toCanonical } from "./canonical.ts";
import type { GuardedCall } from "./policy.ts";

export type ApprovalState = "open" | "approved" | "rejected" | "timed_out" | "drafted" | "released";

/** `release`: a draft is done after all. */
export type Decision = "approve" | "reject" | "release";

export interface Approval {
  readonly id: string;
  readonly state: ApprovalState;
  readonly member: string;
  readonly turn_id: string;
  readonly rule_id: string;
  readonly grant: string;
  readonly tool: string | null;
  readonly object: string | null;
  /** Function of the script API that the call is made with; null: code of this process makes it. */
  readonly fn: string | null;
  readonly args: Json;
  /** Of member, turn, tool and arguments: other arguments are another approval. */
  readonly hash: string;
  /** Who began the turn. */
  readonly asked_by: string;
  readonly approvers: readonly string[];
  readonly quorum: number;
  readonly on_timeout: "draft" | "deny";
  readonly self_approval: boolean | null;
  readonly opened_at_ms: number;
  readonly expires_at_ms: number;
  readonly decisions: readonly { readonly principal: string; readonly decision: Decision; readonly reason?: string; readonly at_ms: number }[];
  /** Of one that is released: its call has begun, is over, and the member has been told. Of one that was approved: its call is over. */
  readonly call?: "begun" | "over" | "told";
  /** W3C `traceparent` of the call; absent: there was none. */
  readonly trace?: string;
  readonly seq: number;
}

export function approvalHash({ member, tool, grant, args }: GuardedCall, turnId: string): string {
  return shortHash(member, turnId, tool ?? grant, toCanonical(args));
}

/** The approval that an entry is about. */
export function approvalOf({ kind, data }: Entry): string | undefined {
  const id = kind.startsWith("approval_") ? data["id"] : kind === "turn_queued" ? data["from"] === RELEASES && data["conversation"] : kind.startsWith("tool_execution_") && data["approval"];
  return typeof id === "string" ? id : undefined;
}

/** Who tells members what has become of a draft. */
export const RELEASES = "approvals";

export function foldApproval(approval: Approval | undefined, entry: Entry): Approval | undefined {
  if (entry.kind === "approval_requested") {
    const { trace } = entry;
    return { ...entry.data as unknown as Approval, state: "open", decisions: [], opened_at_ms: entry.ts_ms, ...trace === undefined ? {} : { trace }, seq: entry.seq };
  }
  if (approval === undefined) return undefined;
  const next = { ...approval, seq: entry.seq };
  switch (entry.kind) {
    case "approval_decided": {
      const { decision, reason, state } = entry.data as { decision: Decision; reason?: string; state: ApprovalState };
      const made = { principal: entry.principal ?? "", decision, at_ms: entry.ts_ms, ...reason === undefined ? {} : { reason } };
      return { ...next, state, decisions: [...approval.decisions, made] };
    }
    case "approval_timed_out": return { ...next, state: "timed_out" };
    case "approval_drafted": return { ...next, state: "drafted" };
    case "tool_execution_started": return { ...next, call: "begun" };
    case "tool_execution_completed": return { ...next, call: "over" };
    case "turn_queued": return { ...next, call: "told" };
    default: return next;
  }
}

export interface DecisionAsk {
  readonly principal: string;
  readonly decision: Decision;
  /** The local token may also approve what it has begun. */
  readonly local: boolean;
}

/**
 * The state after that decision: an open one is approved or rejected, a draft released or rejected. Throws `mob.approval_closed`, `mob.approver_mismatch`, `mob.self_approval_forbidden`: the
 * approval stays as it is.
 */
export function decideApproval(approval: Approval, { principal, decision, local }: DecisionAsk): ApprovalState {
  if (decision === "release" && approval.state === "open") {
    throw mobError("mob.conflict", `${approval.id} is open still`, { facts: { what: "state", id: approval.id, state: "open" }, hint: "Approve it." });
  }
  const isDraft = approval.state === "drafted" && decision !== "approve";
  if (approval.state !== "open" && !isDraft) throw closed(approval);
  if (approval.approvers.length > 0 && !approval.approvers.includes(principal)) {
    throw mobError("mob.approver_mismatch", `${principal} may not decide ${approval.id}`, {
      facts: { id: approval.id, principal }, hint: `Ask one of ${approval.approvers.join(", ")}.`,
    });
  }
  if (decision === "reject") return "rejected";
  if (principal === approval.asked_by && !(approval.self_approval ?? local)) {
    throw mobError("mob.self_approval_forbidden", `${principal} has begun the turn that asks for ${approval.id}`, {
      facts: { id: approval.id, principal }, hint: "Somebody else has to approve it.",
    });
  }
  const approvals = new Set(approval.decisions.filter((made) => made.decision === decision).map((made) => made.principal));
  if (approvals.has(principal)) throw mobError("mob.conflict", `${principal} has approved ${approval.id} already`, { facts: { what: "state", id: approval.id } });
  if (approvals.size + 1 < approval.quorum) return approval.state;
  return decision === "release" ? "released" : "approved";
}

function closed({ id, state }: Approval): MobError {
  const hint = state === "drafted" ? { hint: "Its call was put off: release it, or reject it." } : {};
  return mobError("mob.approval_closed", `${id} is ${state} already`, { facts: { id, state }, ...hint });
}
