/** Methods of edges (spec: mob 4.3, 11.5). */
import { z } from "zod";
import { mobError } from "../errors.ts";
import { listEdges } from "../roster/query.ts";
import { seenBy } from "./member-methods.ts";
import { method, type Method } from "./method.ts";
import { edge, pageOf } from "./results.ts";
import { member, paging, revision } from "./schemas.ts";

const pair = z.strictObject({ a: member, b: member, hold: z.boolean().optional(), expected_revision: revision });
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
    result: edge, params: pair.omit({ hold: true }), keys: ["a", "b"], about: bothEnds,
    run: ({ edges, view }, { a, b, expected_revision }, { principal }) => {
      checkRevision(view.revision, expected_revision);
      return edges.wire(a, b, principal);
    },
  }),
  method({
    name: "edges/unwire", writes: true, action: "edge.edit", summary: "Ends an edge; with hold it stays so until it is released.",
    result: moved, params: pair, keys: ["a", "b"], about: bothEnds,
    run: async ({ edges, view }, { a, b, hold, expected_revision }, { principal }) => {
      checkRevision(view.revision, expected_revision);
      await edges.unwire(a, b, { principal, hold });
      return { revision: view.revision };
    },
  }),
  method({
    name: "edges/release", writes: true, action: "edge.edit", summary: "Lets reconcile decide about an edge again.",
    result: moved, params: z.strictObject({ a: member, b: member }), keys: ["a", "b"], about: bothEnds,
    run: async ({ edges, view }, { a, b }, { principal }) => {
      await edges.release(a, b, principal);
      return { revision: view.revision };
    },
  }),
];

function checkRevision(actual: number, expected: number | undefined): void {
  if (expected === undefined || expected === actual) return;
  throw mobError("mob.conflict", `the roster is at revision ${actual}, not ${expected}`, { facts: { what: "revision", expected, actual } });
}
