/** Methods of the mob, its ledger, approvals and flows (spec: mob 11.5). */
import { z } from "zod";
import { checkSpec } from "../definition/check-spec.ts";
import type { MemberSpec } from "../definition/definition.ts";
import { memberSpec } from "../definition/schema.ts";
import { mobError } from "../errors.ts";
import { outputOfRun, type Run } from "../flows/run.ts";
import type { FlowRunner } from "../flows/runner.ts";
import { KINDS, type EntryClass, type EntryKind } from "../ledger/entry.ts";
import { MOB_LIMITS } from "../limits.ts";
import { countMembers, listApprovals, listRuns } from "../roster/query.ts";
import { method, type Method } from "./method.ts";
import { approvalStates, cursor, id, member, none, paging, revision, runStates, waitMs } from "./schemas.ts";

const kinds = z.enum(Object.keys(KINDS) as [EntryKind, ...EntryKind[]]);
const classes = z.enum([...new Set(Object.values(KINDS))] as [EntryClass, ...EntryClass[]]);
const runId = z.strictObject({ run_id: id });

export const MOB_METHODS: readonly Method[] = [
  method({
    name: "status", writes: false, action: "mob.view", summary: "What the mob is doing.", params: none,
    run: ({ definition, view, ledger }) => ({
      mob: definition.mob.id, state: "running", members: countMembers(view), edges: view.edges.size, revision: view.revision, head: ledger.cursor(ledger.head),
      approvals_open: [...view.approvals.values()].filter(({ state }) => state === "open").length,
      runs_open: [...view.runs.values()].filter(({ state }) => state === "running").length,
    }),
  }),
  method({
    name: "definition/get", writes: false, action: "mob.view", summary: "What the mob is to be.", params: none, rest: { verb: "GET", path: "/definition" },
    run: ({ definition, view }) => ({ definition, revision: view.revision }),
  }),
  method({
    name: "reconcile", writes: true, action: "mob.reconcile", summary: "Makes the mob what it is to be.", waits: true,
    params: z.strictObject({
      desired: z.array(memberSpec).max(MOB_LIMITS.members).optional(), retire_stale: z.boolean().optional(), dry_run: z.boolean().optional(),
      expected_revision: revision, force: z.boolean().optional(),
    }),
    run: ({ reconciler, definition }, { desired, retire_stale, dry_run, expected_revision, force }, { principal }) => {
      for (const spec of desired ?? []) checkSpec(definition, spec as MemberSpec);
      return reconciler.reconcile({
        principal, force, desired: desired as readonly MemberSpec[] | undefined, retireStale: retire_stale, dryRun: dry_run, expectedRevision: expected_revision,
      });
    },
  }),
  method({
    name: "diff", writes: false, action: "mob.reconcile", summary: "What a pass of reconcile would do.", params: none,
    run: ({ reconciler }, _, { principal }) => reconciler.reconcile({ principal, dryRun: true }),
  }),
  method({
    name: "ledger/query", writes: false, action: "ledger.view", summary: "Entries, ascending; without after the newest.",
    params: z.strictObject({
      after: cursor.optional(), before: cursor.optional(), mode: z.enum(["since", "recent"]).optional(), since_at_ms: z.int().optional(), until_at_ms: z.int().optional(),
      classes: z.array(classes).optional(), kinds: z.array(kinds).optional(), member: member.optional(), generation: z.int().optional(), turn_id: id.optional(),
      run_id: id.optional(), step_id: id.optional(), principal: id.optional(), limit: z.int().min(0).max(MOB_LIMITS.queryMax).optional(),
    }),
    run: ({ ledger }, params) => ledger.query(given(params)),
  }),
  method({
    name: "ledger/head", writes: false, action: "ledger.view", summary: "The cursor of the newest entry.", params: none,
    run: ({ ledger }) => ({ head: ledger.cursor(ledger.head), epoch: ledger.epoch }),
  }),
  method({
    name: "approvals/list", writes: false, action: "approval.view", summary: "Approvals, the oldest first.",
    params: z.strictObject({ state: approvalStates.optional(), member: member.optional(), ...paging }), run: ({ view }, params) => listApprovals(view, params),
  }),
  method({
    name: "approvals/get", writes: false, action: "approval.view", summary: "One approval, with all its arguments while it is open.",
    params: z.strictObject({ id }), keys: ["id"], run: ({ approvals }, params) => approvals.get(params.id),
  }),
  method({
    name: "approvals/policy", writes: false, action: "approval.view", summary: "The rules.", params: none, run: ({ definition }) => ({ rules: definition.approvals }),
  }),
  method({
    name: "approvals/evaluate", writes: false, action: "approval.view", summary: "What the rules say of a call; nothing is asked.", rest: { verb: "POST", path: "/approvals/evaluate" },
    params: z.strictObject({ member, grant: z.string().min(1), tool: z.string().optional(), arguments: z.json().default(null) }),
    run: ({ approvals }, { member: of, grant, tool, arguments: args }) => {
      const { tier, rule } = approvals.judge({ member: of, grant, args: args as never, ...tool === undefined ? {} : { tool } });
      return { tier, rule_id: rule?.id ?? null };
    },
  }),
  method({
    name: "approvals/decide", writes: true, action: "approval.decide", summary: "Approves or rejects, as who is signed in.", keys: ["id"],
    params: z.strictObject({ id, decision: z.enum(["approve", "reject"]), reason: z.string().max(1_024).optional(), approver_id: id.optional() }),
    run: ({ approvals }, { id: of, decision, reason, approver_id }, { principal, local }) => {
      if (approver_id !== undefined && approver_id !== principal) {
        throw mobError("mob.approver_mismatch", `you are ${principal}, not ${approver_id}`, { facts: { id: of, principal } });
      }
      return approvals.decide({ id: of, decision, principal, local, reason });
    },
  }),
  method({
    name: "flows/list", writes: false, action: "flow.view", summary: "Flows of the definition.", params: none,
    run: ({ definition }) => ({ flows: Object.entries(definition.flows).map(([name, { steps }]) => ({ name, steps: Object.keys(steps) })) }),
  }),
  method({
    name: "flows/get", writes: false, action: "flow.view", summary: "One flow.", params: z.strictObject({ flow: id }), keys: ["flow"],
    run: ({ definition }, { flow }) => {
      const found = definition.flows[flow];
      if (found === undefined) throw mobError("mob.not_found", `there is no flow ${flow}`, { facts: { what: "flow", id: flow } });
      return { name: flow, ...found };
    },
  }),
  method({
    name: "flows/run", writes: true, action: "flow.run", summary: "Begins a run.", keys: ["flow"],
    params: z.strictObject({ flow: id, params: z.json().default({}), idempotency_key: id.optional() }),
    run: async ({ flows }, { flow, params, idempotency_key }, { principal }) => {
      const { run_id } = await flows.run({ flow, params: params as never, principal, key: idempotency_key });
      return { run_id };
    },
  }),
  method({
    name: "runs/list", writes: false, action: "flow.view", summary: "Runs.", params: z.strictObject({ flow: id.optional(), state: runStates.optional(), ...paging }),
    run: ({ view }, params) => {
      const { runs, next } = listRuns(view, params);
      return { runs: runs.map((run) => ({ ...shown(run), output: outputOfRun(run) })), ...next === undefined ? {} : { next } };
    },
  }),
  method({ name: "runs/get", writes: false, action: "flow.view", summary: "One run.", params: runId, keys: ["run_id"], run: ({ flows }, { run_id }) => whole(flows, flows.get(run_id)) }),
  method({
    name: "runs/wait", writes: false, action: "flow.view", summary: "Waits for the end of a run.", waits: true,
    params: z.strictObject({ run_id: id, timeout_ms: waitMs }), keys: ["run_id"],
    run: async ({ flows, limits }, { run_id, timeout_ms = limits.pollMs }, { signal }) => {
      const late = AbortSignal.any([signal, AbortSignal.timeout(timeout_ms)]);
      return whole(flows, await flows.wait(run_id, late).catch((error: unknown) => {
        if (signal.aborted || !late.aborted) throw error;
        throw mobError("mob.deadline", `the run ${run_id} is not over after ${timeout_ms} ms`, { facts: { run_id } });
      }));
    },
  }),
  method({
    name: "runs/cancel", writes: true, action: "flow.run", summary: "Cancels a run and its turns.", params: runId, keys: ["run_id"],
    run: async ({ flows }, { run_id }, { principal, signal }) => whole(flows, await flows.cancel(run_id, { principal, signal })),
  }),
  method({
    name: "runs/resume", writes: true, action: "flow.run", summary: "Goes on at what has failed.", params: runId, keys: ["run_id"],
    run: async ({ flows }, { run_id }, { principal }) => whole(flows, await flows.resume(run_id, { principal })),
  }),
];

function shown(run: Run) {
  const { definition: _, ...rest } = run;
  return rest;
}

async function whole(flows: FlowRunner, run: Run) {
  return { ...shown(run), output: await flows.output(run) };
}

/** Without those that are absent. */
function given<T extends object>(params: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(params).filter(([, value]) => value !== undefined)) as never;
}
