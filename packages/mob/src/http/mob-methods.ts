/** Methods of the mob as a whole (spec: mob 2.5, 4.6, 11.5). */
import { withDeadline } from "@atoll-run/core";
import { z } from "zod";
import { checkSpec } from "../definition/check-spec.ts";
import type { MemberSpec } from "../definition/definition.ts";
import { memberSpec } from "../definition/schema.ts";
import { mobError } from "../errors.ts";
import { extentOf } from "../ledger/extent.ts";
import { MOB_LIMITS } from "../limits.ts";
import { countMembers } from "../roster/query.ts";
import type { MobCommand } from "../whole/mob-life.ts";
import type { Finding } from "../verify/finding.ts";
import { keysSince, verifyMob } from "../verify/verify.ts";
import { method, type Call, type Method, type Served } from "./method.ts";
import { definition, report, status } from "./results.ts";
import { none, revision, waitMs } from "./schemas.ts";
import { seenBy, shownDefinition, shownReport } from "./sight.ts";
import { untilSo } from "./in-time.ts";

const finding = z.object({
  severity: z.enum(["error", "warning"]), code: z.string(), path: z.string(), hint: z.string(),
}).meta({ id: "Finding" }) satisfies z.ZodType<Finding>;

const LIFE: Readonly<Record<MobCommand, string>> = {
  stop: "Nothing runs any more until it is resumed, also after a restart; roster and mail stay.",
  resume: "Goes on after a stop.",
  complete: "The mob is done: its members are retired, and nothing runs any more.",
  reset: "Retires all; those of the definition come back, each with a new session.",
  destroy: "Ends the mob for good and removes its store.",
};

export const MOB_METHODS: readonly Method[] = [
  method({
    name: "status", writes: false, action: "mob.view", summary: "What the mob is doing.", result: status, params: none, filters: true,
    run: (served, _, call) => statusOf(served, call),
  }),
  method({
    name: "definition/get", writes: false, action: "mob.view", summary: "What the mob is to be.",
    result: z.object({ definition, revision: z.int(), source: z.string().nullable() }), params: none, rest: { verb: "GET", path: "/definition" },
    run: ({ definition, view }, _, call) => ({ definition: shownDefinition(definition(), call), revision: view.revision, source: definition().source ?? null }),
  }),
  method({
    name: "definition/reload", writes: true, action: "mob.admin", summary: "Reads the files of the definition anew: all of it counts from then on, or none of it.",
    result: report, waits: true,
    params: z.strictObject({ dry_run: z.boolean().optional(), expected_revision: revision, force: z.boolean().optional() }),
    run: async (served, { dry_run, expected_revision, force }, call) =>
      shownReport(await served.reconciler.reload({ principal: call.principal, force, dryRun: dry_run, expectedRevision: expected_revision }), served, call),
  }),
  method({
    name: "reconcile", writes: true, action: "mob.reconcile", summary: "Makes the mob what it is to be.",
    result: report, waits: true,
    params: z.strictObject({
      desired: z.array(memberSpec).max(MOB_LIMITS.members).optional(), retire_stale: z.boolean().optional(), dry_run: z.boolean().optional(),
      expected_revision: revision, force: z.boolean().optional(),
    }),
    run: async (served, { desired: given, retire_stale, dry_run, expected_revision, force }, call) => {
      const desired = given as readonly MemberSpec[] | undefined;
      for (const spec of desired ?? []) checkSpec(served.definition(), spec);
      const report = await served.reconciler.reconcile({
        principal: call.principal, force, desired, retireStale: retire_stale, dryRun: dry_run, expectedRevision: expected_revision,
      });
      return shownReport(report, served, call, desired);
    },
  }),
  method({
    name: "diff", writes: false, action: "mob.reconcile", summary: "What a pass of reconcile would do.",
    result: report, params: none,
    run: async (served, _, call) => shownReport(await served.reconciler.reconcile({ principal: call.principal, dryRun: true }), served, call),
  }),
  method({
    name: "boot", writes: false, action: "mob.view", summary: "How far the start is; waits until no member is starting.", waits: true,
    params: z.strictObject({ wait_ms: waitMs }),
    result: z.object({
      mode: z.enum(["lazy", "eager", "lazy_warm"]), complete: z.boolean(), ready: z.boolean(), members: z.int(), edges: z.int(),
      error: z.object({ member: z.string(), code: z.string(), text: z.string() }).exactOptional(),
      counts: z.object({ dormant: z.int(), warming: z.int(), active: z.int(), broken: z.int() }),
    }),
    run: async (served, { wait_ms = 0 }, call) => {
      const { view, members, clock } = served;
      const { signal } = call;
      if (wait_ms > 0) {
        const endMs = clock.monotonic() + wait_ms;
        await withDeadline((until) => members.warmed(until), { clock, ms: wait_ms, signal }).catch(() => signal.throwIfAborted());
        await untilSo(served, () => members.boot().complete, { ms: Math.max(0, endMs - clock.monotonic()), signal });
      }
      const sees = seenBy(call);
      const now = members.boot(sees);
      if (!now.complete && wait_ms > 0) {
        const { warming } = now.counts;
        throw mobError("mob.deadline", `${warming} members are still starting after ${wait_ms} ms`, { facts: { warming } });
      }
      const { error, ...rest } = now;
      return {
        ...rest, ...error !== undefined && sees(error.member) ? { error } : {}, members: [...view.members.keys()].filter(sees).length,
        edges: [...view.edges.values()].filter(({ a, b }) => sees(a) && sees(b)).length,
      };
    },
  }),
  method({
    name: "verify", writes: false, action: "mob.admin", summary: "Folds the ledger anew and compares; says what is not as it should be.", params: none, waits: true,
    result: z.object({ findings: z.array(finding) }),
    run: async ({ ledger, view, blobs, clock, limits }, _, { signal }) => ({
      findings: await verifyMob({ ledger, view, blobs, keysSinceMs: keysSince(clock.now(), limits) }, signal),
    }),
  }),
  method({
    name: "lifecycle/down", writes: true, action: "mob.admin", summary: "Ends what runs the mob, in order; roster and mail stay for the next start.",
    params: none, result: status,
    run: (served, _, call) => {
      const { down } = served.lifecycle;
      if (down === undefined) throw mobError("mob.unavailable", "whoever runs this mob has not said how to end it", { facts: { what: "down" }, retry: "never" });
      down(call.principal);
      return statusOf(served, call);
    },
  }),
  ...(["stop", "resume", "complete"] as const).map((verb) => method({
    name: `lifecycle/${verb}`, writes: true, action: "mob.admin", summary: LIFE[verb], params: none, result: status,
    run: (served, _, call) => commanded(served, verb, call),
  })),
  ...(["reset", "destroy"] as const).map((verb) => method({
    name: `lifecycle/${verb}`, writes: true, action: "mob.admin", summary: LIFE[verb], params: z.strictObject({ confirm: z.string() }), result: status,
    run: (served, { confirm }, call) => {
      const { id } = served.definition().mob;
      if (confirm !== id) throw mobError("mob.invalid_params", `confirm: name the mob, ${id}`, { facts: { path: "confirm" } });
      return commanded(served, verb, call);
    },
  })),
];

/** It is in the ledger then; nobody is waited for. */
async function commanded(served: Served, command: MobCommand, call: Call): Promise<z.output<typeof status>> {
  await served.life.command(command, call);
  return statusOf(served, call);
}

async function statusOf({ definition, view, ledger, writer, lifecycle, health, shutdown }: Served, call: Call): Promise<z.output<typeof status>> {
  const sees = seenBy(call);
  // A store that is broken does not even say how large it is.
  const storage = await extentOf(ledger).then(({ storage_bytes: bytes, oldest, oldest_at_ms }) => ({ bytes, oldest, oldest_at_ms }), () => null);
  return {
    mob: definition().mob.id, state: view.mob.state === "running" && lifecycle.stopping() ? "stopping" : view.mob.state, degraded: [...health.reasons(sees)],
    lease: { epoch: writer.epoch }, horizon_ms: shutdown.horizonMs, members: countMembers(view, sees), edges: [...view.edges.values()].filter(({ a, b }) => sees(a) && sees(b)).length, revision: view.revision,
    head: ledger.cursor(ledger.head), storage, approvals_open: [...view.approvals.values()].filter(({ state, member }) => state === "open" && sees(member)).length,
    runs_open: call.allows("flow.view") ? [...view.runs.values()].filter(({ state }) => state === "running").length : 0,
  };
}
