/** Methods of members, their turns and their edges (spec: mob 11.5). */
import { z } from "zod";
import { checkSpec } from "../definition/check-spec.ts";
import type { MemberSpec } from "../definition/definition.ts";
import { memberSpec } from "../definition/schema.ts";
import { mobError } from "../errors.ts";
import { wholeTurn } from "../ledger/stored.ts";
import { FINAL_STATES } from "../member/life.ts";
import type { MemberRow } from "../member/row.ts";
import { listEdges, listMembers, listTurns } from "../roster/query.ts";
import { spawnMany } from "../reconcile/spawn-many.ts";
import { method, type Call, type Method, type Served } from "./method.ts";
import { id, member, memberStates, paging, revision, turnStates, waitMs } from "./schemas.ts";

const one = z.strictObject({ member });
const pair = z.strictObject({ a: member, b: member, hold: z.boolean().optional(), expected_revision: revision });
const content = z.json();
const sending = {
  to: z.string().min(1).max(256), content, conversation: id.optional(), idempotency_key: id.optional(),
  deadline_ms: z.int().min(1).optional(), pick: z.literal("one").optional(),
};

const COMMANDS = {
  respawn: "A new generation; session and queue stay.", reload: "Reads profile, script and grants again.", repair: "Starts a broken member again.",
  release: "Lets reconcile decide about a held member again.", resume: "Lets a suspended member work again.", suspend: "Lets nothing of it run; its mail waits.",
} as const;

export const MEMBER_METHODS: readonly Method[] = [
  method({
    name: "members/list", writes: false, action: "member.view", summary: "Members, by id.",
    params: z.strictObject({
      state: memberStates.optional(), profile: z.string().optional(), label: z.string().optional(), edge: member.optional(), q: z.string().optional(), ...paging,
    }),
    run: ({ view }, params) => listMembers(view, params),
  }),
  method({
    name: "members/get", writes: false, action: "member.view", summary: "One member.", params: one, keys: ["member"],
    run: (served, params) => rowOf(served, params.member),
  }),
  method({
    name: "members/spawn", writes: true, action: "member.spawn", summary: "Makes a member; it starts at its first turn.",
    params: z.strictObject({ spec: memberSpec }),
    run: ({ members, definition }, { spec }, { principal }) => {
      checkSpec(definition, spec as MemberSpec);
      return members.spawn(spec as MemberSpec, { principal, origin: "api", lazy: true });
    },
  }),
  method({
    name: "members/ensure", writes: true, action: "member.spawn", summary: "Makes a member unless it is there.", params: z.strictObject({ spec: memberSpec }),
    rest: { verb: "PUT", path: "/members" }, run: (served, { spec }, call) => ensure(served, spec as MemberSpec, call),
  }),
  method({
    name: "members/spawn_many", writes: true, action: "member.spawn", summary: "Makes several members, with one answer for each.",
    params: z.strictObject({ specs: z.array(memberSpec).max(1_000), on_failure: z.enum(["continue", "rollback"]).default("continue") }),
    run: async ({ members, limits, definition }, { specs, on_failure }, { principal }) => {
      for (const spec of specs) checkSpec(definition, spec as MemberSpec);
      return { results: await spawnMany(members, specs as readonly MemberSpec[], {
        principal, origin: "api", lazy: true, onFailure: on_failure, atOnce: limits.reconcileAtOnce,
      }) };
    },
  }),
  method({
    name: "members/retire", writes: true, action: "member.manage", summary: "Works off its queue, then it is over.", keys: ["member"], waits: true,
    params: z.strictObject({ member, hold: z.boolean().optional(), drain_ms: z.int().min(0).optional() }),
    run: async (served, { member: of, hold, drain_ms }, { principal }) => {
      await served.members.retire(of, { principal, ...hold === undefined ? {} : { hold }, ...drain_ms === undefined ? {} : { drainMs: drain_ms } });
      return rowOf(served, of);
    },
  }),
  ...(["respawn", "reload", "repair"] as const).map((verb) => method({
    name: `members/${verb}`, writes: true, action: "member.manage", summary: COMMANDS[verb], params: one, keys: ["member"],
    run: ({ members }, params, { principal }) => members[verb](params.member, { principal }),
  })),
  ...(["release", "resume", "suspend"] as const).map((verb) => method({
    name: `members/${verb}`, writes: true, action: "member.manage", summary: COMMANDS[verb], params: one, keys: ["member"],
    run: async (served, params, { principal }) => {
      if (verb === "suspend") await served.members.suspend(params.member, { principal, why: "operator" });
      else await served.members[verb](params.member, { principal });
      return rowOf(served, params.member);
    },
  })),
  method({
    name: "members/reset", writes: true, action: "member.reset", summary: "A new generation with a new session; its queue becomes dead letters.",
    params: z.strictObject({ member, confirm: member }), keys: ["member"],
    run: ({ members }, params, { principal }) => {
      if (params.confirm !== params.member) throw mobError("mob.invalid_params", "confirm is not the id of the member", { facts: { path: "confirm" } });
      return members.reset(params.member, { principal });
    },
  }),
  method({
    name: "send", writes: true, action: "member.send", summary: "Gives a turn to a member that is open to the outside, or to all of a profile: @name.",
    params: z.strictObject(sending), keys: ["to"], rest: { verb: "POST", path: "/members/{to}/turns" },
    run: async (served, params, call) => ({ tickets: await send(served, params, { ...call, inside: false }) }),
  }),
  method({
    name: "dispatch", writes: true, action: "member.dispatch", summary: "Gives a turn to any member.", params: z.strictObject(sending),
    run: async (served, params, call) => ({ tickets: await send(served, params, { ...call, inside: true }) }),
  }),
  method({
    name: "turns/list", writes: false, action: "member.view", summary: "Turns, the oldest first; of those that are over the newest are kept.",
    params: z.strictObject({ member: member.optional(), state: turnStates.optional(), run_id: id.optional(), ...paging }),
    run: ({ view }, params) => listTurns(view, params),
  }),
  method({
    name: "turns/get", writes: false, action: "member.view", summary: "One turn.", params: z.strictObject({ turn_id: id }), keys: ["turn_id"],
    run: ({ view, ledger }, { turn_id }) => {
      const turn = view.turns.get(turn_id);
      if (turn === undefined) throw mobError("mob.not_found", `there is no turn ${turn_id}`, { facts: { what: "turn", id: turn_id } });
      return wholeTurn(ledger.store, turn);
    },
  }),
  method({
    name: "turns/wait", writes: false, action: "member.view", summary: "Waits for the end of a turn.", waits: true,
    params: z.strictObject({ turn_id: id, timeout_ms: waitMs }), keys: ["turn_id"],
    run: ({ members, limits }, { turn_id, timeout_ms = limits.pollMs }, { signal }) => members.wait(turn_id, { signal, waitMs: timeout_ms }),
  }),
  method({
    name: "turns/cancel", writes: true, action: "member.manage", summary: "Cancels a turn; gives the state it had, when it was over.",
    params: z.strictObject({ turn_id: id, reason: z.string().max(1_024).optional() }), keys: ["turn_id"],
    run: ({ members }, { turn_id }, { principal }) => members.cancel(turn_id, { principal }),
  }),
  method({
    name: "edges/list", writes: false, action: "member.view", summary: "Edges, by their ends.",
    params: z.strictObject({ member: member.optional(), owner: z.enum(["managed", "manual", "peer"]).optional(), ...paging }),
    run: ({ view }, params) => listEdges(view, params),
  }),
  method({
    name: "edges/wire", writes: true, action: "edge.edit", summary: "Lets two members speak with each other.", params: pair.omit({ hold: true }), keys: ["a", "b"],
    run: ({ edges, view }, { a, b, expected_revision }, { principal }) => {
      checkRevision(view.revision, expected_revision);
      return edges.wire(a, b, principal);
    },
  }),
  method({
    name: "edges/unwire", writes: true, action: "edge.edit", summary: "Ends an edge; with hold it stays so until it is released.", params: pair, keys: ["a", "b"],
    run: async ({ edges, view }, { a, b, hold, expected_revision }, { principal }) => {
      checkRevision(view.revision, expected_revision);
      await edges.unwire(a, b, { principal, hold });
      return { revision: view.revision };
    },
  }),
  method({
    name: "edges/release", writes: true, action: "edge.edit", summary: "Lets reconcile decide about an edge again.", params: z.strictObject({ a: member, b: member }), keys: ["a", "b"],
    run: async ({ edges, view }, { a, b }, { principal }) => {
      await edges.release(a, b, principal);
      return { revision: view.revision };
    },
  }),
];

function rowOf({ view }: Served, of: string): MemberRow {
  const row = view.row(of);
  if (row === undefined) throw mobError("mob.not_found", `there is no member ${of}`, { facts: { what: "member", id: of } });
  return row;
}

async function ensure(served: Served, spec: MemberSpec, { principal }: Call): Promise<{ readonly row: MemberRow; readonly created: boolean }> {
  checkSpec(served.definition, spec);
  const state = served.view.members.get(spec.id)?.life.state ?? "none";
  if (!FINAL_STATES.includes(state)) return { row: rowOf(served, spec.id), created: false };
  try {
    return { row: await served.members.spawn(spec, { principal, origin: "api", lazy: true }), created: true };
  } catch (error) {
    // Somebody else was quicker.
    if ((error as { code?: unknown }).code === "mob.conflict" && served.view.row(spec.id)?.final === false) return { row: rowOf(served, spec.id), created: false };
    throw error;
  }
}

interface Sending {
  readonly to: string;
  readonly content: z.output<typeof content>;
  readonly conversation?: string | undefined;
  readonly idempotency_key?: string | undefined;
  readonly deadline_ms?: number | undefined;
  readonly pick?: "one" | undefined;
}

async function send(served: Served, { to, content: given, conversation, idempotency_key, deadline_ms, pick }: Sending, call: Call & { readonly inside: boolean }) {
  const rows = to.startsWith("@") ? listOf(served, to.slice(1)) : [rowOf(served, to)];
  const open = call.inside ? rows : rows.filter((row) => isExternal(served, row));
  if (open.length === 0) {
    throw mobError("mob.not_addressable", `${to} is not open to the outside`, { facts: { to }, hint: "Set external = true in its profile, or use dispatch." });
  }
  const [least] = open.toSorted((x, y) => x.queue.depth - y.queue.depth || (x.id < y.id ? -1 : 1));
  const chosen = pick === "one" ? [least as MemberRow] : open;
  return Promise.all(chosen.map((row) => served.members.send({
    to: row.id, from: "console", principal: call.principal, content: given as never, ...conversation === undefined ? {} : { conversation },
    ...idempotency_key === undefined ? {} : { key: idempotency_key }, ...deadline_ms === undefined ? {} : { deadlineMs: deadline_ms },
  })));
}

function listOf({ view }: Served, profile: string): readonly MemberRow[] {
  return view.ids().flatMap((of) => {
    const row = view.members.get(of)?.spec.profile === profile ? view.row(of) : undefined;
    return row === undefined || row.final ? [] : [row];
  });
}

function isExternal({ definition }: Served, { external, profile }: MemberRow): boolean {
  return external || definition.profiles[profile]?.external === true;
}

function checkRevision(actual: number, expected: number | undefined): void {
  if (expected === undefined || expected === actual) return;
  throw mobError("mob.conflict", `the roster is at revision ${actual}, not ${expected}`, { facts: { what: "revision", expected, actual } });
}
