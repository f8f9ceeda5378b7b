export { MobError, mobError, type MobCode, type MobFault } from "./errors.ts";
export { FIXED_LIMITS, MOB_LIMITS, type MobLimits } from "./limits.ts";
export type {
  Cursor, Entry, EntryClass, EntryFilter, EntryKind, EntryPage, EntryQuery, Gap, Live, NewEntry,
} from "./ledger/entry.ts";
export { listSessions, readSession, type SessionPage, type SessionQuery, type SessionRow } from "./sessions/sessions.ts";
export type { SessionBlock, SessionRecord, SessionRole } from "./sessions/record.ts";
export type { BlobPieces, BlobRow, Blobs, NewBlob } from "./blobs/blobs.ts";
export type { Ledger, LedgerParts, Writer } from "./ledger/ledger.ts";
export type {
  AccessRule, AccessRules, ApprovalRule, Bootstrap, Budget, BudgetLimits, FlowDefinition, FlowStep, Locate, MemberMode, MemberSpec, MobDefinition, ModelParams, Origin, Price, Problem, Profile, Text, Tier,
} from "./definition/definition.ts";
export type { Usage } from "./usage/usage.ts";
export type { MemberRow, MemberState } from "./member/row.ts";
export { compareCursors, type Ticket, type Turn, type TurnBody, type TurnCursor, type TurnState } from "./member/turn.ts";
export { defineMob, readDefinition, type TreeInput } from "./definition/read-definition.ts";
export type { MemberMob, SendOptions } from "./bridge/bridge.ts";
export type { BootNow, By, MemberHost, SpawnOptions, ToolAnswer, ToolCall, ToolGuard, TurnAsk } from "./member/host.ts";
export type { LinkedContext, LinkedFactory, LinkedHandler, LinkedTurn, MemberFacts } from "./member/linked.ts";
export { startMob } from "./mob.ts";
export type { MobParts, MobRooms, MobStatus } from "./rooms.ts";
export type { Reason } from "./whole/health.ts";
export type { MobHooks } from "./whole/hooks.ts";
export type { ShutdownReport } from "./whole/report.ts";
export type { CloseMobOptions, EndingPart, PhaseName, PhaseReport } from "./whole/shutdown.ts";
export { startFailed, type Stage, type StartFailed } from "./whole/start.ts";
export { memberAt, type MemberCall, type RemoteMember } from "./outside/member-at.ts";
export type { Outside, Surroundings } from "./outside/outside.ts";
