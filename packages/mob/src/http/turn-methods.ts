/** Methods of turns (spec: mob 3.7 to 3.9, 11.5). */
import { z } from "zod";
import type { Json } from "@atoll-run/core";
import { mobError } from "../errors.ts";
import { wholeTurn } from "../ledger/stored.ts";
import type { MemberRow } from "../member/row.ts";
import { pastTurn } from "../roster/past-turn.ts";
import { listTurns } from "../roster/query.ts";
import { noThing } from "./access.ts";
import { rowOf } from "./member-methods.ts";
import { method, type Call, type Method, type Served, type Thing } from "./method.ts";
import { json, pageOf, ticket, turn } from "./results.ts";
import { id, member, paging, turnStates, waitMs } from "./schemas.ts";
import { seenBy } from "./sight.ts";

const sending = {
  to: z.string().min(1).max(256), content: json, conversation: id.optional(), idempotency_key: id.optional(),
  deadline_ms: z.int().min(1).optional(), pick: z.literal("one").optional(),
};

const tickets = z.object({ tickets: z.array(ticket) });

export const TURN_METHODS: readonly Method[] = [
  method({
    name: "send", writes: true, action: "member.send", summary: "Gives a turn to a member that is open to the outside, or to all of a profile: @name.",
    result: tickets,
    params: z.strictObject(sending), keys: ["to"], leading: ["to", "content"], rest: { verb: "POST", path: "/members/{to}/turns" },
    about: addressed, filters: true,
    run: async (served, params, call) => ({ tickets: await send(served, params, { ...call, action: "member.send" }) }),
  }),
  method({
    name: "dispatch", writes: true, action: "member.dispatch", summary: "Gives a turn to any member.",
    result: tickets, params: z.strictObject(sending), leading: ["to", "content"],
    about: addressed, filters: true,
    run: async (served, params, call) => ({ tickets: await send(served, params, { ...call, action: "member.dispatch" }) }),
  }),
  method({
    name: "turns/list", writes: false, action: "member.view", summary: "Turns, the oldest first; of those that are over the newest are kept.",
    result: pageOf("turns", turn, {}),
    params: z.strictObject({ member: member.optional(), state: turnStates.optional(), run_id: id.optional(), ...paging }),
    filters: true, run: ({ view }, params, call) => listTurns(view, { ...params, only: seenBy(call) }),
  }),
  method({
    name: "turns/get", writes: false, action: "member.view", summary: "One turn.",
    result: turn, params: z.strictObject({ turn_id: id }), keys: ["turn_id"],
    about: ofTurn,
    run: ({ view, ledger }, { turn_id }) => {
      const found = view.turns.get(turn_id);
      if (found === undefined) throw noThing({ what: "turn", id: turn_id });
      return wholeTurn(ledger.store, found);
    },
  }),
  method({
    name: "turns/wait", writes: false, action: "member.view", summary: "Waits for the end of a turn.", result: turn, waits: true,
    params: z.strictObject({ turn_id: id, timeout_ms: waitMs }), keys: ["turn_id"], about: ofTurn,
    run: ({ members, limits }, { turn_id, timeout_ms = limits.pollMs }, { signal }) => members.wait(turn_id, { signal, waitMs: timeout_ms }),
  }),
  method({
    name: "turns/cancel", writes: true, action: "member.manage", summary: "Cancels a turn; gives the state it had, when it was over.",
    result: turn,
    params: z.strictObject({ turn_id: id, reason: z.string().max(1_024).optional() }), keys: ["turn_id"], about: ofTurn,
    run: ({ members }, { turn_id, reason }, { principal }) => members.cancel(turn_id, { principal, reason }),
  }),
];

interface Sending {
  readonly to: string;
  readonly content: Json;
  readonly conversation?: string | undefined;
  readonly idempotency_key?: string | undefined;
  readonly deadline_ms?: number | undefined;
  readonly pick?: "one" | undefined;
}

async function send(served: Served, { to, content: given, conversation, idempotency_key, deadline_ms, pick }: Sending, call: Call & { readonly action: "member.send" | "member.dispatch" }) {
  const rows = to.startsWith("@") ? listOf(served, to.slice(1)).filter((row) => call.allows(call.action, row.id) && call.allows("member.view", row.id)) : [rowOf(served, to)];
  // Which profiles there are is for who may see the definition.
  const { profiles } = served.definition();
  if (rows.length === 0 && call.allows("mob.view") && !Object.hasOwn(profiles, to.slice(1))) throw noThing({ what: "profile", id: to.slice(1) }, Object.keys(profiles));
  const open = call.action === "member.dispatch" ? rows : rows.filter(({ external }) => external);
  if (open.length === 0) {
    throw mobError("mob.not_addressable", `${to} is not open to the outside`, { facts: { to }, hint: "Set external = true in its profile, or use dispatch, which asks any member (atoll mob call dispatch)." });
  }
  const [least] = open.toSorted((x, y) => x.queue.depth - y.queue.depth || (x.id < y.id ? -1 : 1));
  const chosen = pick === "one" ? [least as MemberRow] : open;
  return Promise.all(chosen.map((row) => served.members.send({
    to: row.id, from: "console", principal: call.principal, content: given, ...conversation === undefined ? {} : { conversation },
    ...idempotency_key === undefined ? {} : { key: idempotency_key }, ...deadline_ms === undefined ? {} : { deadlineMs: deadline_ms },
    ...call.traceparent === undefined ? {} : { traceparent: call.traceparent },
  })));
}

/** Of a profile it goes to those that whoever sends may send to. */
function addressed({ to }: { readonly to: string }): readonly string[] | undefined {
  return to.startsWith("@") ? undefined : [to];
}

async function ofTurn({ turn_id }: { readonly turn_id: string }, { view, ledger }: Served): Promise<readonly Thing[]> {
  return [{ what: "turn", id: turn_id, member: (view.turns.get(turn_id) ?? await pastTurn(ledger, turn_id))?.member }];
}

function listOf({ view }: Served, profile: string): readonly MemberRow[] {
  return view.ids().flatMap((of) => {
    const row = view.members.get(of)?.spec.profile === profile ? view.row(of) : undefined;
    return row === undefined || row.final ? [] : [row];
  });
}

