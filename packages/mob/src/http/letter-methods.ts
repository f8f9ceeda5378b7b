/** Methods of dead letters (spec: mob 11.5). */
import { z } from "zod";
import { MOB_LIMITS } from "../limits.ts";
import { discardLetters, listLetters, redriveLetters, type DeadLetter, type LetterParts } from "../member/letters.ts";
import { method, type Call, type Method, type Served } from "./method.ts";
import { failure, pageOf } from "./results.ts";
import { id, member, paging } from "./schemas.ts";

const ids = z.array(id).min(1).max(MOB_LIMITS.batchMax);
const letter = z.object({
  turn_id: z.string(), member: z.string(), reason: z.string(), error: failure, attempts: z.int(), dead_at_ms: z.number(), from: z.string(), principal: z.string(),
  conversation: z.string(), content_preview: z.string(),
}).meta({ id: "DeadLetter" }) satisfies z.ZodType<DeadLetter>;
const results = z.object({ results: z.array(z.discriminatedUnion("ok", [
  z.object({ turn_id: z.string(), ok: z.literal(true), sent_as: z.string().exactOptional() }),
  z.object({ turn_id: z.string(), ok: z.literal(false), error: failure }),
])) });

export const LETTER_METHODS: readonly Method[] = [
  method({
    name: "dead_letters/list", writes: false, action: "member.view", summary: "Turns that were given up, by member, the oldest first.", result: pageOf("letters", letter, {}),
    params: z.strictObject({ member: member.optional(), reason: z.string().max(64).optional(), ...paging }),
    filters: true, run: (served, { limit = MOB_LIMITS.queryDefault, ...query }, call) => listLetters(partsOf(served, call, "member.view"), { ...query, limit }),
  }),
  method({
    name: "dead_letters/redrive", writes: true, action: "member.manage", summary: "Hands their content in again, as new turns of those who sent them.", result: results,
    params: z.strictObject({ ids }), filters: true,
    run: async (served, params, call) => ({ results: await redriveLetters(partsOf(served, call, "member.manage"), params.ids, call) }),
  }),
  method({
    name: "dead_letters/discard", writes: true, action: "member.manage", summary: "Throws them away; the ledger keeps who and why.", result: results,
    params: z.strictObject({ ids, reason: z.string().min(1).max(1_024) }),
    filters: true,
    run: async (served, { ids: given, reason }, call) => ({ results: await discardLetters(partsOf(served, call, "member.manage"), given, { principal: call.principal, reason }) }),
  }),
];

/** With letters of those members alone on which whoever calls may do that. */
function partsOf({ ledger, view, members, clock }: Served, { allows }: Call, action: string): LetterParts {
  return { ledger, view, members, now: () => clock.now(), only: (of) => allows("member.view", of) && allows(action, of) };
}
