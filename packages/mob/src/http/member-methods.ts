/** Methods of members (spec: mob 11.5). */
import { z } from "zod";
import { checkSpec } from "../definition/check-spec.ts";
import type { MemberSpec } from "../definition/definition.ts";
import { memberSpec } from "../definition/schema.ts";
import { mobError } from "../errors.ts";
import { MOB_LIMITS } from "../limits.ts";
import { deepRow } from "../member/deep.ts";
import { FINAL_STATES } from "../member/life.ts";
import type { MemberRow } from "../member/row.ts";
import { listMembers } from "../roster/query.ts";
import { spawnMany } from "../reconcile/spawn-many.ts";
import { noMember } from "./access.ts";
import { method, type Call, type Method, type Served } from "./method.ts";
import { deepRow as deepRowShape, failure, memberRow, pageOf } from "./results.ts";
import { member, memberStates, paging, waitMs } from "./schemas.ts";
import { seenBy, shownRow } from "./sight.ts";
import { untilSo } from "./in-time.ts";

const one = z.strictObject({ member });
const spawnResult = z.discriminatedUnion("ok", [
  z.object({ id: z.string(), ok: z.literal(true), row: memberRow }), z.object({ id: z.string(), ok: z.literal(false), error: failure }),
]);

const COMMANDS = {
  respawn: "A new generation; session and queue stay.", reload: "Reads profile, script and grants again.", repair: "Starts a broken member again.",
  release: "Lets reconcile decide about a held member again.", resume: "Lets a suspended member work again.", suspend: "Lets nothing of it run; its mail waits.",
} as const;

export const MEMBER_METHODS: readonly Method[] = [
  method({
    name: "members/list", writes: false, action: "member.view", summary: "Members, by id.",
    result: pageOf("members", memberRow, { revision: z.int() }),
    params: z.strictObject({
      state: memberStates.optional(), profile: z.string().optional(), label: z.string().optional(), edge: member.optional(), q: z.string().optional(), ...paging,
    }),
    filters: true, run: ({ view }, { edge, ...params }, call) => {
      const sees = seenBy(call);
      const { members, ...page } = listMembers(view, { ...params, ...edge !== undefined && sees(edge) ? { edge } : {}, only: edge === undefined || sees(edge) ? sees : () => false });
      return { ...page, members: members.map((row) => shownRow(row, sees)) };
    },
  }),
  method({
    name: "members/get", writes: false, action: "member.view", summary: "One member; deep: also what it may do and whom it reaches.",
    result: z.union([deepRowShape, memberRow]), params: z.strictObject({ member, deep: z.boolean().optional() }), keys: ["member"],
    run: (served, { member: of, deep = false }, call) => {
      const [row, sees] = [rowOf(served, of), seenBy(call)];
      const shown = deep ? deepRow(served.view, of, served.definition().profiles[row.profile]) : undefined;
      return shown === undefined ? shownRow(row, sees) : { ...shownRow(shown, sees), peers_reachable: shown.peers_reachable.filter(sees) };
    },
  }),
  method({
    name: "members/spawn", writes: true, changes: true, action: "member.spawn", summary: "Makes a member; it starts at its first turn.",
    result: memberRow,
    params: z.strictObject({ spec: memberSpec }), about: ({ spec }) => [spec],
    run: ({ members, definition }, { spec }, { principal }) => {
      checkSpec(definition(), spec as MemberSpec);
      return members.spawn(spec as MemberSpec, { principal, origin: "api", lazy: true });
    },
  }),
  method({
    name: "members/ensure", writes: true, changes: true, action: "member.spawn", summary: "Makes a member unless it is there.",
    result: z.object({ row: memberRow, created: z.boolean() }), params: z.strictObject({ spec: memberSpec }), about: ({ spec }) => [spec],
    rest: { verb: "PUT", path: "/members/{spec.id}" }, run: (served, { spec }, call) => ensure(served, spec as MemberSpec, call),
  }),
  method({
    name: "members/spawn_many", writes: true, changes: true, action: "member.spawn", summary: "Makes several members, with one answer for each.",
    result: z.object({ results: z.array(spawnResult) }),
    params: z.strictObject({ specs: z.array(memberSpec).max(1_000), on_failure: z.enum(["continue", "rollback"]).default("continue") }),
    about: ({ specs }) => specs,
    run: async ({ members, limits, definition }, { specs, on_failure }, { principal }) => {
      for (const spec of specs) checkSpec(definition(), spec as MemberSpec);
      return { results: await spawnMany(members, specs as readonly MemberSpec[], {
        principal, origin: "api", lazy: true, onFailure: on_failure, atOnce: limits.reconcileAtOnce,
      }) };
    },
  }),
  method({
    name: "members/retire", writes: true, changes: true, action: "member.manage", summary: "Works off its queue, then it is over.",
    result: memberRow, keys: ["member"], waits: true,
    params: z.strictObject({ member, hold: z.boolean().optional(), drain_ms: z.int().min(0).optional() }),
    run: async (served, { member: of, hold, drain_ms }, { principal }) => {
      await served.members.retire(of, { principal, ...hold === undefined ? {} : { hold }, ...drain_ms === undefined ? {} : { drainMs: drain_ms } });
      return rowOf(served, of);
    },
  }),
  ...(["respawn", "reload", "repair"] as const).map((verb) => method({
    name: `members/${verb}`, writes: true, changes: true, action: "member.manage", summary: COMMANDS[verb],
    result: memberRow, params: one, keys: ["member"],
    run: ({ members }, params, { principal }) => members[verb](params.member, { principal }),
  })),
  ...(["release", "resume", "suspend"] as const).map((verb) => method({
    name: `members/${verb}`, writes: true, changes: true, action: "member.manage", summary: COMMANDS[verb],
    result: memberRow, params: one, keys: ["member"],
    run: async (served, params, { principal }) => {
      if (verb === "suspend") await served.members.suspend(params.member, { principal, why: "operator" });
      else await served.members[verb](params.member, { principal });
      return rowOf(served, params.member);
    },
  })),
  method({
    name: "members/reset", writes: true, changes: true, action: "member.reset", summary: "A new generation with a new session; its queue becomes dead letters.",
    result: memberRow,
    params: z.strictObject({ member, confirm: member }), keys: ["member"],
    run: ({ members }, params, { principal }) => {
      checkConfirm(params);
      return members.reset(params.member, { principal });
    },
  }),
  method({
    name: "members/delete", writes: true, changes: true, action: "member.reset", waits: true,
    summary: "Ends a member at once and takes away all it has but its entries; gives its last row.",
    result: memberRow, params: z.strictObject({ member, confirm: member }), keys: ["member"], leading: ["member"],
    run: ({ members }, params, { principal }) => {
      checkConfirm(params);
      return members.delete(params.member, { principal });
    },
  }),
  method({
    name: "members/set_model", writes: true, changes: true, action: "member.manage", summary: "Gives a member a model of its own, after its running turn.",
    result: memberRow, params: z.strictObject({ member, model: z.string().min(1).max(256) }), keys: ["member"], leading: ["member", "model"],
    run: ({ members }, { member: of, model }, { principal }) => members.setModel(of, model, { principal }),
  }),
  method({
    name: "members/cancel", writes: true, action: "member.manage", summary: "Cancels what it works on; with queued also what waits.", keys: ["member"], waits: true,
    params: z.strictObject({ member, queued: z.boolean().optional() }), result: z.object({ cancelled: z.array(z.string()) }),
    run: async (served, { member: of, queued = false }, { principal }) => {
      rowOf(served, of);
      const open = served.view.members.get(of)?.open ?? [];
      const chosen = open.filter((turn) => queued || served.view.turns.get(turn)?.state !== "queued");
      const ended = await Promise.all(chosen.map((turn) => served.members.cancel(turn, { principal })));
      return { cancelled: ended.filter(({ state }) => state === "cancelled").map(({ turn_id }) => turn_id) };
    },
  }),
  method({
    name: "members/wait", writes: false, action: "member.view", summary: "Waits until members take turns, or are over; gives who is not, when the time is over.",
    params: z.strictObject({ members: z.array(member).min(1).max(MOB_LIMITS.queryMax), until: z.enum(["ready", "final"]), timeout_ms: waitMs }), waits: true,
    about: ({ members }) => members, result: z.object({ met: z.array(z.string()), pending: z.array(z.string()), broken: z.array(z.string()) }),
    run: async (served, { members: ids, until, timeout_ms = served.limits.pollMs }, { signal }) => {
      const stateOf = (of: string): MemberRow["state"] => rowOf(served, of).state;
      const met = (of: string): boolean => (until === "final" ? FINAL_STATES.includes(stateOf(of)) : ["active", "dormant"].includes(stateOf(of)));
      const pending = (): readonly string[] => ids.filter((of) => !met(of) && stateOf(of) !== "broken");
      await untilSo(served, () => pending().length === 0, { ms: timeout_ms, signal });
      return { met: ids.filter(met), pending: pending(), broken: ids.filter((of) => stateOf(of) === "broken") };
    },
  }),
];

function checkConfirm({ member: of, confirm }: { readonly member: string; readonly confirm: string }): void {
  if (confirm !== of) throw mobError("mob.invalid_params", "confirm is not the id of the member", { facts: { path: "confirm" } });
}

/** Throws `mob.not_found`. */
export function rowOf({ view }: Served, of: string): MemberRow {
  const row = view.row(of);
  if (row === undefined) throw noMember(of);
  return row;
}

async function ensure(served: Served, spec: MemberSpec, { principal }: Call): Promise<{ readonly row: MemberRow; readonly created: boolean }> {
  checkSpec(served.definition(), spec);
  const state = served.view.members.get(spec.id)?.life.state ?? "none";
  if (!FINAL_STATES.includes(state)) {
    // Whoever wants it holds it back no more.
    if (served.view.members.get(spec.id)?.held === true) await served.members.release(spec.id, { principal });
    return { row: rowOf(served, spec.id), created: false };
  }
  try {
    return { row: await served.members.spawn(spec, { principal, origin: "api", lazy: true }), created: true };
  } catch (error) {
    // Somebody else was quicker.
    if ((error as { code?: unknown }).code === "mob.conflict" && served.view.row(spec.id)?.final === false) return { row: rowOf(served, spec.id), created: false };
    throw error;
  }
}
