/** Methods of edges (spec: mob 4.3, 11.5). */
import { z } from "zod";
import { listEdges } from "../roster/query.ts";
import { method, type Method } from "./method.ts";
import { edge, pageOf, report } from "./results.ts";
import { member, paging, revision } from "./schemas.ts";
import { seenBy, shownReport } from "./sight.ts";

const ends = z.strictObject({ a: member, b: member });
const bothEnds = ({ a, b }: { readonly a: string; readonly b: string }) => [a, b];
const moved = z.object({ revision: z.int() });

export const EDGE_METHODS: readonly Method[] = [
  method({
    name: "edges/list", writes: false, action: "member.view", summary: "Edges, by their ends.",
    result: pageOf("edges", edge, { revision: z.int() }),
    params: z.strictObject({ member: member.optional(), owner: z.enum(["managed", "manual", "peer"]).optional(), ...paging }),
    filters: true, run: ({ view }, params, call) => listEdges(view, { ...params, only: seenBy(call) }),
  }),
  method({
    name: "edges/wire", writes: true, action: "edge.edit", summary: "Lets two members speak with each other.",
    result: edge, params: ends, keys: ["a", "b"], about: bothEnds,
    changes: true, run: ({ edges }, { a, b }, { principal }) => edges.wire(a, b, principal),
  }),
  method({
    name: "edges/unwire", writes: true, action: "edge.edit", summary: "Ends an edge; with hold it stays so until it is released.",
    result: moved, params: ends.extend({ hold: z.boolean().optional() }), keys: ["a", "b"], about: bothEnds,
    changes: true, run: async ({ edges, view }, { a, b, hold }, { principal }) => {
      await edges.unwire(a, b, { principal, hold });
      return { revision: view.revision };
    },
  }),
  method({
    name: "edges/release", writes: true, action: "edge.edit", summary: "Lets reconcile decide about an edge again.",
    result: moved, params: ends, keys: ["a", "b"], about: bothEnds,
    changes: true, run: async ({ edges, view }, { a, b }, { principal }) => {
      await edges.release(a, b, principal);
      return { revision: view.revision };
    },
  }),
  method({
    name: "edges/reconcile", writes: true, action: "edge.edit", summary: "Wires and unwires what the definition says, of the members that are there.",
    result: report, waits: true, params: z.strictObject({ dry_run: z.boolean().optional(), expected_revision: revision }),
    run: async (served, { dry_run, expected_revision }, call) =>
      shownReport(await served.reconciler.reconcile({ principal: call.principal, edgesAlone: true, dryRun: dry_run, expectedRevision: expected_revision }), served, call),
  }),
];
