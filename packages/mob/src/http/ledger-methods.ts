/** Methods of the ledger (spec: mob 5.6, 11.5). */
import { z } from "zod";
import { outputOfRun } from "../flows/run.ts";
import { LEDGER_VIEWS, readView } from "../ledger/views.ts";
import { MOB_LIMITS } from "../limits.ts";
import type { MemberRow } from "../member/row.ts";
import { viewAt } from "../roster/view-at.ts";
import { STREAM_PATH } from "./credentials.ts";
import { KEEP_ALIVE_MS } from "./events.ts";
import { shownRun } from "./flow-methods.ts";
import { hearsEntries, readTopics, ROSTER, toMatcher, toNarrow } from "./hearing.ts";
import { method, type Method } from "./method.ts";
import { edge, entry, memberRow, run, viewEvent } from "./results.ts";
import { cursor, entryFilter, hearing, none } from "./schemas.ts";
import { seenBy, shownRow } from "./sight.ts";

/** Retention has taken what was asked for. */
const gap = z.object({ from: z.int(), to: z.int(), reason: z.string() }).exactOptional();

export const LEDGER_METHODS: readonly Method[] = [
  method({
    name: "ledger/query", writes: false, action: "ledger.view", summary: "Entries, ascending; without after the newest.",
    result: z.object({ entries: z.array(entry), next: cursor, head: cursor, oldest: cursor, exhausted: z.boolean(), before: cursor.exactOptional(), gap }),
    params: z.strictObject({
      after: cursor.optional(), before: cursor.optional(), mode: z.enum(["since", "recent"]).optional(), since_at_ms: z.int().optional(), until_at_ms: z.int().optional(),
      ...entryFilter, limit: z.int().min(0).max(MOB_LIMITS.queryMax).optional(),
    }),
    filters: true, run: ({ ledger }, params, call) => ledger.query(given(params), call.sight().entry),
  }),
  method({
    name: "ledger/view", writes: false, action: "ledger.view", summary: `Entries as events of a view: ${LEDGER_VIEWS.join(", ")}.`,
    result: z.object({ events: z.array(viewEvent), next: cursor, head: cursor, oldest: cursor, exhausted: z.boolean(), before: cursor.exactOptional(), gap }),
    params: z.strictObject({
      view: z.string().max(1_024), after: cursor.optional(), before: cursor.optional(), since_at_ms: z.int().optional(), until_at_ms: z.int().optional(),
      limit: z.int().min(0).max(MOB_LIMITS.queryMax).optional(),
    }),
    filters: true, run: async ({ ledger }, { view: name, ...page }, call) => {
      const { filter, show } = readView(name);
      const { entries, ...rest } = await ledger.query({ ...given(page), ...filter }, call.sight().entry);
      return { events: entries.map((one) => show(one, ledger.cursor(one.seq))), ...rest };
    },
  }),
  method({
    name: "ledger/head", writes: false, action: "ledger.view", summary: "The cursor of the newest entry.",
    result: z.object({ head: cursor, epoch: z.string() }), params: none, filters: true,
    run: ({ ledger }) => ({ head: ledger.cursor(ledger.head), epoch: ledger.epoch }),
  }),
  method({
    name: "ledger/state_at", writes: false, action: "ledger.view", summary: "Members, edges and runs as they were after that entry.", waits: true,
    params: z.strictObject({ seq: z.int().min(0) }),
    result: z.object({ seq: z.int(), revision: z.int(), members: z.array(memberRow), edges: z.array(edge), runs: z.array(run) }),
    run: async ({ ledger }, { seq }, call) => {
      const view = await viewAt(ledger, seq, { signal: call.signal });
      const sees = seenBy(call);
      return {
        seq, revision: view.revision, members: view.ids().filter(sees).map((of) => shownRow(view.row(of) as MemberRow, sees)),
        edges: [...view.edges.values()].filter(({ a, b }) => sees(a) && sees(b)),
        runs: [...view.runs.values()].map((one) => ({ ...shownRun(view, one), output: outputOfRun(one) })),
      };
    },
  }),
  method({
    name: "ledger/subscribe", writes: false, action: "ledger.view",
    summary: "A page of entries, and the address of the stream that goes on where it ends.",
    params: z.strictObject({ ...hearing, limit: z.int().min(0).max(MOB_LIMITS.queryMax).optional() }), filters: true,
    result: z.object({ entries: z.array(entry), next: cursor, stream_url: z.string(), keep_alive_ms: z.int(), gap }),
    run: async ({ ledger }, { topics, after, limit = MOB_LIMITS.queryDefault, ...rest }, call) => {
      const filter = given(rest);
      const asked = readTopics(topics);
      const { entry: hears } = toMatcher({ topics: asked, filter }, call.sight());
      const { entries, next, gap: missing } = await ledger.query({
        ...toNarrow({ topics: asked, filter }), limit: hearsEntries(asked) ? limit : 0, ...after === undefined ? {} : { after },
      }, hears);
      const query = new URLSearchParams({ topics, ...asked.includes(ROSTER) ? { snapshot: "true" } : {}, ...Object.fromEntries(Object.entries(filter).map(([name, value]) => [name, String(value)])), after: next });
      return { entries, next, keep_alive_ms: KEEP_ALIVE_MS, stream_url: `${STREAM_PATH}?${query.toString()}`, ...missing === undefined ? {} : { gap: missing } };
    },
  }),
];

/** Without those that are absent. */
function given<T extends object>(params: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(params).filter(([, value]) => value !== undefined)) as never;
}
