/** Methods of session logs (spec: mob 6.5, 11.5). */
import { z } from "zod";
import { listSessions, readSession, type SessionRow } from "../sessions/sessions.ts";
import type { SessionRecord } from "../sessions/record.ts";
import { MOB_LIMITS } from "../limits.ts";
import { method, type Method, type Served, type Thing } from "./method.ts";
import { json } from "./results.ts";
import { id, member } from "./schemas.ts";

const count = z.int().min(0);
const session = z.object({
  session_id: z.string(), member: z.string(), generation: count, head: count, archived: z.boolean(),
}).meta({ id: "Session" }) satisfies z.ZodType<SessionRow>;

const record = z.object({
  seq: count, turn_id: z.string().nullable(), role: z.enum(["user", "assistant", "tool", "note", "snapshot"]), blocks: z.array(z.object({ type: z.string() }).catchall(json)),
  tokens: z.number(), ts_ms: z.number(), covers: count.exactOptional(), apart: z.literal(true).exactOptional(),
}).meta({ id: "SessionRecord" }) satisfies z.ZodType<SessionRecord>;

async function ofSession({ session_id }: { readonly session_id: string }, { ledger }: Served): Promise<readonly Thing[]> {
  const page = await readSession(ledger.store, { session_id, limit: 0 }).catch(() => undefined);
  return [{ what: "session", id: session_id, member: page?.member }];
}

export const SESSION_METHODS: readonly Method[] = [
  method({
    name: "sessions/list", writes: false, action: "session.read", summary: "Sessions of a member, the oldest first.", params: z.strictObject({ member }),
    result: z.object({ sessions: z.array(session) }),
    run: async ({ ledger, view }, params) => ({ sessions: await listSessions({ store: ledger.store, view }, params.member) }),
  }),
  method({
    name: "sessions/read", writes: false, action: "session.read", keys: ["session_id"], about: ofSession,
    summary: "Records of a session, ascending: the newest ones, or with after those that come after it.",
    params: z.strictObject({
      session_id: id, mode: z.enum(["recent", "since"]).optional(), after: count.optional(), before: count.optional(),
      limit: z.int().min(0).max(MOB_LIMITS.queryMax).optional(),
    }),
    result: z.object({ session_id: z.string(), member: z.string(), records: z.array(record), head: count, next: count.exactOptional() }),
    run: ({ ledger }, params) => readSession(ledger.store, params),
  }),
];
