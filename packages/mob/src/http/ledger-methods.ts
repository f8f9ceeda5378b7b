/** Methods of the ledger (spec: mob 5.6, 11.5). */
import { z } from "zod";
import { KINDS, type EntryClass, type EntryKind } from "../ledger/entry.ts";
import { MOB_LIMITS } from "../limits.ts";
import { method, type Method } from "./method.ts";
import { entry } from "./results.ts";
import { cursor, id, member, none } from "./schemas.ts";

const kinds = z.enum(Object.keys(KINDS) as [EntryKind, ...EntryKind[]]);
const classes = z.enum([...new Set(Object.values(KINDS))] as [EntryClass, ...EntryClass[]]);

export const LEDGER_METHODS: readonly Method[] = [
  method({
    name: "ledger/query", writes: false, action: "ledger.view", summary: "Entries, ascending; without after the newest.",
    result: z.object({ entries: z.array(entry), next: cursor, head: cursor, oldest: cursor, exhausted: z.boolean() }),
    params: z.strictObject({
      after: cursor.optional(), before: cursor.optional(), mode: z.enum(["since", "recent"]).optional(), since_at_ms: z.int().optional(), until_at_ms: z.int().optional(),
      classes: z.array(classes).optional(), kinds: z.array(kinds).optional(), member: member.optional(), generation: z.int().optional(), turn_id: id.optional(),
      run_id: id.optional(), step_id: id.optional(), principal: id.optional(), limit: z.int().min(0).max(MOB_LIMITS.queryMax).optional(),
    }),
    run: ({ ledger }, params) => ledger.query(given(params)),
  }),
  method({
    name: "ledger/head", writes: false, action: "ledger.view", summary: "The cursor of the newest entry.",
    result: z.object({ head: cursor, epoch: z.string() }), params: none,
    run: ({ ledger }) => ({ head: ledger.cursor(ledger.head), epoch: ledger.epoch }),
  }),
];

/** Without those that are absent. */
function given<T extends object>(params: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(params).filter(([, value]) => value !== undefined)) as never;
}
