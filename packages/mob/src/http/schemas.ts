/** Params that several methods have. */
import { z } from "zod";
import { memberId } from "../definition/schema.ts";
import { KINDS, type EntryClass, type EntryKind } from "../ledger/entry.ts";
import { MOB_LIMITS } from "../limits.ts";

export const none = z.strictObject({});
export const id = z.string().min(1).max(256);
export const member = memberId;
export const paging = { after: id.optional(), limit: z.int().min(0).max(MOB_LIMITS.queryMax).optional() };
export const waitMs = z.int().min(0).max(MOB_LIMITS.pollMs).optional();
export const cursor = z.string().regex(/^(?:[a-z0-9]+-)?\d{1,15}$/, "is not a cursor");
export const revision = z.int().min(0).optional();
export const turnStates = z.enum(["queued", "running", "waiting_approval", "done", "failed", "cancelled", "expired", "dead"]);
export const memberStates = z.enum(["starting", "active", "dormant", "suspended", "broken", "retiring", "retired", "completed"]);
export const approvalStates = z.enum(["open", "approved", "rejected", "timed_out", "drafted", "released"]);
export const runStates = z.enum(["running", "completed", "failed", "canceled"]);
const kinds = z.enum(Object.keys(KINDS) as [EntryKind, ...EntryKind[]]);
const classes = z.enum([...new Set(Object.values(KINDS))] as [EntryClass, ...EntryClass[]]);
/** Which entries somebody asks for: all that is named must hold. */
export const entryFilter = {
  classes: z.array(classes).optional(), kinds: z.array(kinds).optional(), member: member.optional(), generation: z.int().optional(), turn_id: id.optional(),
  run_id: id.optional(), step_id: id.optional(), principal: id.optional(), session_id: id.optional(), label: id.optional(),
};
/** Of a stream, and of the page before it. */
export const hearing = { topics: z.string().max(8_192).default("entries"), after: cursor.optional(), ...entryFilter };
