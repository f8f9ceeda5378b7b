/** Methods of flows and their runs (spec: mob 9, 11.5). */
import { z } from "zod";
import { labels } from "../definition/schema.ts";
import { mobError } from "../errors.ts";
import { flowOf } from "../flows/flow-of.ts";
import { outputOfRun, type Run } from "../flows/run.ts";
import { listRuns } from "../roster/query.ts";
import { method, type Method, type Served } from "./method.ts";
import { flowStep, json, pageOf, run } from "./results.ts";
import { id, none, paging, runStates, waitMs } from "./schemas.ts";

const runId = z.strictObject({ run_id: id });

export const FLOW_METHODS: readonly Method[] = [
  method({
    name: "flows/list", writes: false, action: "flow.view", summary: "Flows of the definition.",
    result: z.object({ flows: z.array(z.object({ name: z.string(), steps: z.array(z.string()) })) }), params: none,
    run: ({ definition }) => ({ flows: Object.entries(definition().flows).map(([name, { steps }]) => ({ name, steps: Object.keys(steps) })) }),
  }),
  method({
    name: "flows/get", writes: false, action: "flow.view", summary: "One flow.",
    result: z.object({ name: z.string(), steps: z.record(z.string(), flowStep) }), params: z.strictObject({ flow: id }), keys: ["flow"],
    run: ({ definition }, { flow }) => ({ name: flow, ...flowOf(definition().flows, flow) }),
  }),
  method({
    name: "flows/run", writes: true, action: "flow.run", summary: "Begins a run.",
    result: z.object({ run_id: z.string() }), keys: ["flow"], leading: ["flow", "params"], over: { by: "runs/wait", key: "run_id" },
    params: z.strictObject({ flow: id, params: json.default({}), idempotency_key: id.optional(), labels: labels.optional() }),
    run: async ({ flows }, { flow, params, idempotency_key, labels: given }, { principal, traceparent }) => {
      const { run_id } = await flows.run({ flow, params: params as never, principal, key: idempotency_key, labels: given, traceparent });
      return { run_id };
    },
  }),
  method({
    name: "runs/list", writes: false, action: "flow.view", summary: "Runs.",
    result: pageOf("runs", run, {}), params: z.strictObject({ flow: id.optional(), state: runStates.optional(), label: id.optional(), ...paging }),
    run: ({ view }, params) => {
      const { runs, next } = listRuns(view, params);
      return { runs: runs.map((one) => ({ ...shownRun(view, one), output: outputOfRun(one) })), ...next === undefined ? {} : { next } };
    },
  }),
  method({ name: "runs/get", writes: false, action: "flow.view", summary: "One run.", result: run, params: runId, keys: ["run_id"], run: (served, { run_id }) => whole(served, served.flows.get(run_id)) }),
  method({
    name: "runs/wait", writes: false, action: "flow.view", summary: "Waits for the end of a run.", result: run, waits: true,
    params: z.strictObject({ run_id: id, timeout_ms: waitMs }), keys: ["run_id"],
    run: async (served, { run_id, timeout_ms = served.limits.pollMs }, { signal }) => {
      const late = AbortSignal.any([signal, AbortSignal.timeout(timeout_ms)]);
      return whole(served, await served.flows.wait(run_id, late).catch((error: unknown) => {
        if (signal.aborted || !late.aborted) throw error;
        throw mobError("mob.deadline", `the run ${run_id} is not over after ${timeout_ms} ms`, { facts: { run_id } });
      }));
    },
  }),
  method({
    name: "runs/cancel", writes: true, action: "flow.run", summary: "Cancels a run and its turns.",
    result: run, params: runId, keys: ["run_id"],
    run: async (served, { run_id }, { principal, signal }) => whole(served, await served.flows.cancel(run_id, { principal, signal })),
  }),
  method({
    name: "runs/resume", writes: true, action: "flow.run", summary: "Goes on at what has failed.",
    result: run, params: runId, keys: ["run_id"],
    run: async (served, { run_id }, { principal, traceparent }) => whole(served, await served.flows.resume(run_id, { principal, traceparent })),
  }),
];

/** What it is made of stands in the definition. */
export function shownRun({ labels }: Pick<Served["view"], "labels">, one: Run) {
  const { definition: _, ...rest } = one;
  return { ...rest, labels: { ...labels.get(one.run_id) } };
}

async function whole({ flows, view }: Pick<Served, "flows" | "view">, one: Run) {
  return { ...shownRun(view, one), output: await flows.output(one) };
}
