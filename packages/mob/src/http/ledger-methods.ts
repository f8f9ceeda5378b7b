/** Methods of the ledger (spec: mob 5.6, 11.5). */
import { z } from "zod";
import { KINDS, type EntryClass, type EntryKind } from "../ledger/entry.ts";
import { outputOfRun } from "../flows/run.ts";
import { MOB_LIMITS } from "../limits.ts";
import type { MemberRow } from "../member/row.ts";
import { viewAt } from "../roster/view-at.ts";
import { STREAM_PATH } from "./credentials.ts";
import { KEEP_ALIVE_MS } from "./events.ts";
import { shownRun } from "./flow-methods.ts";
import { method, type Method } from "./method.ts";
import { edge, entry, memberRow, run } from "./results.ts";
import { cursor, id, member, none } from "./schemas.ts";
import { readTopics, topicsOf } from "./topics.ts";

const kinds = z.enum(Object.keys(KINDS) as [EntryKind, ...EntryKind[]]);
const classes = z.enum([...new Set(Object.values(KINDS))] as [EntryClass, ...EntryClass[]]);

/** Retention has taken what was asked for. */
const gap = z.object({ from: z.int(), to: z.int(), reason: z.string() }).exactOptional();

export const LEDGER_METHODS: readonly Method[] = [
  method({
    name: "ledger/query", writes: false, action: "ledger.view", summary: "Entries, ascending; without after the newest.",
    result: z.object({ entries: z.array(entry), next: cursor, head: cursor, oldest: cursor, exhausted: z.boolean(), gap }),
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
  method({
    name: "ledger/state_at", writes: false, action: "ledger.view", summary: "Members, edges and runs as they were after that entry.", waits: true,
    params: z.strictObject({ seq: z.int().min(0) }),
    result: z.object({ seq: z.int(), revision: z.int(), members: z.array(memberRow), edges: z.array(edge), runs: z.array(run) }),
    run: async ({ ledger }, { seq }, { signal }) => {
      const view = await viewAt(ledger, seq, { signal });
      return {
        seq, revision: view.revision, members: view.ids().map((of) => view.row(of) as MemberRow), edges: [...view.edges.values()],
        runs: [...view.runs.values()].map((one) => ({ ...shownRun(one), output: outputOfRun(one) })),
      };
    },
  }),
  method({
    name: "ledger/subscribe", writes: false, action: "ledger.view",
    summary: "A page of entries, and the address of the stream that goes on where it ends.",
    params: z.strictObject({ topics: z.string().max(8_192).default("entries"), after: cursor.optional(), limit: z.int().min(0).max(MOB_LIMITS.queryMax).optional() }),
    result: z.object({ entries: z.array(entry), next: cursor, stream_url: z.string(), keep_alive_ms: z.int(), gap }),
    run: async ({ ledger }, { topics, after, limit = MOB_LIMITS.queryDefault }) => {
      const wanted = readTopics(topics);
      const page = await ledger.query({ limit, ...after === undefined ? {} : { after } });
      return {
        entries: page.entries.filter((one) => topicsOf(one).some((topic) => wanted.includes(topic))), next: page.next, keep_alive_ms: KEEP_ALIVE_MS,
        ...page.gap === undefined ? {} : { gap: page.gap },
        stream_url: `${STREAM_PATH}?${new URLSearchParams({ topics, after: page.next }).toString()}`,
      };
    },
  }),
];

/** Without those that are absent. */
function given<T extends object>(params: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(params).filter(([, value]) => value !== undefined)) as never;
}
