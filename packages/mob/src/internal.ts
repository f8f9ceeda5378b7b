export { MOB_CODES, toFailure, type Failure } from "./errors.ts";
export { createIds, isMemberId, memberScope, shortHash, type IdKind, type IdParts, type NewId } from "./ids.ts";
export { createBlobs, type BlobParts } from "./blobs/blobs.ts";
export { fromBlob, isRef, toBlob, toRef, type Ref } from "./blobs/ref.ts";
export { KINDS } from "./ledger/entry.ts";
export { Incarnation, type IncarnationEvents, type IncarnationParts } from "./member/incarnation.ts";
export { widerGrants } from "./definition/narrow.ts";
export { ACTIONS } from "./definition/words.ts";
export { Definitions } from "./definition/definitions.ts";
export { toPathText } from "./definition/problems.ts";
export { definitionHash, specHash } from "./definition/spec-hash.ts";
export { FINAL_TURNS } from "./member/turn.ts";
export { openLedger, type LedgerOptions } from "./ledger/create-ledger.ts";
export { extentOf, type Extent } from "./ledger/extent.ts";
export { LEDGER_JOURNAL, MOB_SCOPE, SLICES_JOURNAL } from "./ledger/names.ts";
export { timeCommits, type CommitFigures } from "./ledger/time-commits.ts";
export {
  FINAL_STATES, LIFE_TABLE, NO_MENDS, NOBODY, stepLife, type BrokenKind, type Life, type LifeAction, type LifeEvent, type LifeRules,
  type LifeState, type LifeStep,
} from "./member/life.ts";
export {
  EDGE_BUCKETS, keyOf, planEdges, toEdge, unfoldEdges, type Edge, type EdgeBucket, type EdgeDeed, type EdgeNow, type EdgeOwner,
  type EdgePlanRow,
} from "./edges/plan.ts";
export { decideRun, messageOf, type Candidate, type Decision, type Facts, type Move } from "./flows/decide.ts";
export { beginRun, foldRun, foldWait, waitedMs, outputOfRun, type Run, type RunState, type StepRun, type StepState, type Target } from "./flows/run.ts";
export { lookUp, render, type Rendered, type Scope } from "./flows/template.ts";
export type { MemberView } from "./roster/row.ts";
export type { Kept } from "./roster/kept.ts";
export { View } from "./roster/view.ts";
export { viewAt } from "./roster/view-at.ts";
export type { Finding } from "./verify/finding.ts";
export { keysSince, verifyMob } from "./verify/verify.ts";
export { openRetention, type Retention, type RetentionParts } from "./roster/retention.ts";
export { openRoster, type Roster, type RosterParts } from "./roster/roster.ts";
export {
  countMembers, listApprovals, listEdges, listMembers, listRuns, listTurns, type MemberPage, type MemberQuery,
} from "./roster/query.ts";
export { approvalHash, decideApproval, foldApproval, type Approval, type ApprovalState } from "./approvals/approval.ts";
export { toCanonical } from "./approvals/canonical.ts";
export { judgeCall, withheldTools, type GuardedCall, type Judgement } from "./approvals/policy.ts";
export { MEMBER_BUCKETS, planMembers, retireGuard, type MemberBucket, type MemberNow, type MemberPlanRow } from "./reconcile/plan.ts";
export { mergeDesired, type Desired } from "./reconcile/desired.ts";
export type { EdgeReport, MemberReport, ReconcileReport } from "./reconcile/report.ts";
export { withCommit } from "./ledger/watched-store.ts";
export { createEdgeWorks, type EdgeWorks } from "./reconcile/edge-works.ts";
export { createReconciler, type ReconcileAsk, type Reconciler, type ReconcilerParts } from "./reconcile/engine.ts";
export { spawnMany, type SpawnResult } from "./reconcile/spawn-many.ts";
export { openApprovals, type ApprovalBook, type ApprovalParts, type Decide } from "./approvals/book.ts";
export { openRunner, type FlowRunner, type RunAsk, type RunnerParts } from "./flows/runner.ts";
export { hashToken, ROLES, type Principal, type Role, type Token } from "./http/access.ts";
export { Rights, type Right, type RightsParts, type Subject } from "./http/rights.ts";
export { callMethod, findMethod } from "./http/call-method.ts";
export type { Lifecycle, Method, Served } from "./http/method.ts";
export { paramsSchema, resultSchema, toOpenApi, type Schema } from "./http/openapi.ts";
export type { OidcConfig } from "./http/oidc.ts";
export { serveHttp, type HttpParts, type HttpServer } from "./http/server.ts";
export { findRoute, METHODS, routeOf } from "./http/table.ts";
export { journalOf, readRecord, recordOp, scopeOfSession, sessionOf, toBlocks, wholeRecord } from "./sessions/record.ts";
export { memberOfRoute, readAddress, routeTo, typeTextOfMob } from "./outside/address.ts";
export { OUTSIDE_NODE } from "./outside/outside.ts";
export { Health } from "./whole/health.ts";
export { MOB_COMMANDS, MobLife, type MobCommand } from "./whole/mob-life.ts";
export { Shutdown } from "./whole/shutdown.ts";
export type { MobState } from "./roster/mob-fold.ts";
