export { MOB_CODES } from "./errors.ts";
export { createIds, isMemberId, memberScope, shortHash, type IdKind, type IdParts, type NewId } from "./ids.ts";
export { KINDS } from "./ledger/entry.ts";
export { FINAL_TURNS } from "./member/turn.ts";
export { LEDGER_JOURNAL, MOB_SCOPE, openLedger, type LedgerOptions } from "./ledger/create-ledger.ts";
export {
  FINAL_STATES, LIFE_TABLE, NOBODY, stepLife, type BrokenKind, type Life, type LifeAction, type LifeEvent, type LifeRules,
  type LifeState, type LifeStep,
} from "./member/life.ts";
export {
  EDGE_BUCKETS, keyOf, planEdges, toEdge, unfoldEdges, type Edge, type EdgeBucket, type EdgeDeed, type EdgeNow, type EdgeOwner,
  type EdgePlanRow,
} from "./edges/plan.ts";
export { decideRun, type Candidate, type Decision, type Facts, type Move } from "./flows/decide.ts";
export { beginRun, foldRun, type Failure, type Run, type RunState, type StepRun, type StepState, type Target } from "./flows/run.ts";
export { lookUp, render, type Rendered, type Scope } from "./flows/template.ts";
export { fromSnapshot, toSnapshot, View, type MemberView } from "./roster/view.ts";
export { approvalHash, decideApproval, foldApproval, type Approval, type ApprovalState } from "./approvals/approval.ts";
export { toCanonical } from "./approvals/canonical.ts";
export { judgeCall, type GuardedCall, type Judgement } from "./approvals/policy.ts";
export { MEMBER_BUCKETS, planMembers, retireGuard, type MemberBucket, type MemberNow, type MemberPlanRow } from "./reconcile/plan.ts";
