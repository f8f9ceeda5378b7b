/** Methods of approvals (spec: mob 8.8 to 8.11, 11.5). */
import { z } from "zod";
import { mobError } from "../errors.ts";
import { MOB_LIMITS } from "../limits.ts";
import { listApprovals } from "../roster/query.ts";
import { method, type Method, type Served, type Thing } from "./method.ts";
import { approval, entry, json, pageOf, rule } from "./results.ts";
import { approvalStates, id, member, none, paging } from "./schemas.ts";

const ofApproval = ({ id: of }: { readonly id: string }, { view }: Served): readonly Thing[] => [{ what: "approval", id: of, member: view.approvals.get(of)?.member }];

export const APPROVAL_METHODS: readonly Method[] = [
  method({
    name: "approvals/list", writes: false, action: "approval.view", summary: "Approvals, the oldest first.",
    result: pageOf("approvals", approval, {}),
    params: z.strictObject({ state: approvalStates.optional(), member: member.optional(), ...paging }), filters: true,
    run: ({ view }, params, { allows }) => listApprovals(view, { ...params, only: (of) => allows("approval.view", of) && allows("member.view", of) }),
  }),
  method({
    name: "approvals/get", writes: false, action: "approval.view", summary: "One approval, with all its arguments while it is open.",
    result: approval,
    params: z.strictObject({ id }), keys: ["id"], about: ofApproval, run: ({ approvals }, params) => approvals.get(params.id),
  }),
  method({
    name: "approvals/audit", writes: false, action: "approval.view", summary: "What was allowed, asked and decided, ascending; without after the newest.",
    result: z.object({ entries: z.array(entry), next: z.string(), exhausted: z.boolean() }), filters: true,
    params: z.strictObject({ member: member.optional(), turn_id: id.optional(), after: z.string().optional(), limit: z.int().min(0).max(MOB_LIMITS.queryMax).optional() }),
    run: async ({ ledger }, { member: of, turn_id, after, limit }, call) => {
      const asked = { ...of === undefined ? {} : { member: of }, ...turn_id === undefined ? {} : { turn_id }, ...after === undefined ? {} : { after }, ...limit === undefined ? {} : { limit } };
      const { entries, next, exhausted } = await ledger.query({ classes: ["approval"], ...asked }, call.sight().entry);
      return { entries, next, exhausted };
    },
  }),
  method({
    name: "approvals/policy", writes: false, action: "approval.view", summary: "The rules.",
    result: z.object({ rules: z.array(rule) }), params: none, run: ({ definition }) => ({ rules: definition().approvals }),
  }),
  method({
    name: "approvals/evaluate", writes: false, action: "approval.view", summary: "What the rules say of a call; nothing is asked.",
    result: z.object({ tier: z.enum(["R0", "R1", "R2", "R3", "deny"]), rule_id: z.string().nullable() }), rest: { verb: "POST", path: "/approvals/evaluate" },
    params: z.strictObject({ member, grant: z.string().min(1), tool: z.string().optional(), arguments: json.default(null) }),
    run: ({ approvals }, { member: of, grant, tool, arguments: args }) => {
      const { tier, rule } = approvals.judge({ member: of, grant, args: args as never, ...tool === undefined ? {} : { tool } });
      return { tier, rule_id: rule?.id ?? null };
    },
  }),
  method({
    name: "approvals/decide", writes: true, action: "approval.decide", summary: "Approves or rejects what is open, releases or rejects a draft, as who is signed in.",
    result: approval, keys: ["id"], leading: ["id", "decision"],
    params: z.strictObject({ id, decision: z.enum(["approve", "reject", "release"]), reason: z.string().max(1_024).optional(), approver_id: id.optional() }),
    about: ofApproval,
    run: ({ approvals }, { id: of, decision, reason, approver_id }, { principal, local }) => {
      if (approver_id !== undefined && approver_id !== principal) {
        throw mobError("mob.approver_mismatch", `you are ${principal}, not ${approver_id}`, { facts: { id: of, principal } });
      }
      return approvals.decide({ id: of, decision, principal, local, reason });
    },
  }),
];
