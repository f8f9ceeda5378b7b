/**
 * The workload of a mob's own node (spec: mob 3.1, 3.3, 3.7, 3.8): peers at one side, members at the other.
 *
 * takes calls and tells of `<member>/turn`; gives the output of the turn, or that it is stored; promises that a turn is in the
 * mailbox of its member before anybody waits for it, and that one request id is one turn; refuses members that are not open to
 * the outside; never keeps anything itself: a call has no row here, and a tell has one only until its member has it.
 */
import {
  formatNodeId, isFault, nodeError, toFaultData, type DispatchContext, type Json, type Outcome, type Principal, type RouteInfo, type Workload,
  type WorkloadMessage,
} from "@atoll-run/core";
import type { MobDefinition } from "../definition/definition.ts";
import { mobError } from "../errors.ts";
import type { Ledger, Writer } from "../ledger/ledger.ts";
import type { MobLimits } from "../limits.ts";
import type { MemberHost } from "../member/host.ts";
import type { Turn } from "../member/turn.ts";
import type { View } from "../roster/view.ts";
import { memberOfRoute } from "./address.ts";

export interface DoorParts {
  readonly definition: () => MobDefinition;
  readonly view: View;
  readonly members: Pick<MemberHost, "send" | "wait">;
  readonly ledger: Pick<Ledger, "append">;
  readonly writer: Writer;
  readonly limits: Pick<MobLimits, "requestsMax" | "turnMs">;
  /** Aborted when no turn ends any more: whoever waits is told to ask again. */
  readonly over: AbortSignal;
}

/** Nothing is stored for a call: what it asks for is stored with its member, and so is what it has asked before. */
const CALL: RouteInfo = { policy: { volatile: true } };
/** A member that has too much is asked again after so long, until it takes what was accepted. */
const AGAIN_MS = 1_000;
const CONVERSATION_CHARS_MAX = 256;
const JSON_TYPE = "application/json";
const LATER: Outcome = { is: "again", after_ms: AGAIN_MS };
const NOTHING: Outcome = { is: "done", reply: new Uint8Array(0) };
const UTF8 = new TextDecoder("utf-8", { fatal: true });

export function createDoor(parts: DoorParts): Workload {
  return {
    kind: "linked", concurrency: parts.limits.requestsMax, start: () => Promise.resolve(), close: () => Promise.resolve(),
    route: (route, kind) => {
      const member = memberOfRoute(route);
      if (member === undefined) return undefined;
      if (kind === "call") return CALL;
      // It cannot be told afterwards that nobody is there.
      return isOpen(parts, member) ? { policy: {}, key: (_, caller) => `${nameOf(caller)} ${member}` } : undefined;
    },
    dispatch: async (message, context) => {
      try {
        return await give(parts, message, context);
      } catch (error) {
        // The node or the mob ends: what is stored stays so, and who has asked asks again. Or nobody waits any more.
        return context.signal.aborted || parts.over.aborted ? LATER : toOutcome(message.kind, error);
      }
    },
  };
}

async function give(parts: DoorParts, message: WorkloadMessage, context: DispatchContext): Promise<Outcome> {
  const { members, limits } = parts;
  const to = memberOfRoute(message.route) ?? "";
  const principal = nameOf(message.caller);
  if (!isOpen(parts, to)) {
    await parts.ledger.append(parts.writer, [{ kind: "access_denied", source: "node", principal, data: { action: "member.send", member: to } }]);
    throw mobError("mob.not_addressable", `${to} is not open to the outside`, { facts: { to }, hint: "Set external = true in its profile." });
  }
  const conversation = conversationOf(message);
  const isCall = message.kind === "call";
  const { turn_id } = await members.send({
    to, from: principal, principal, taint: "external", content: contentOf(message), key: message.id, ...conversation === undefined ? {} : { conversation },
    // Not less than others get: whoever asks again finds the same turn.
    ...isCall ? { deadlineMs: Math.max(limits.turnMs, Math.ceil(context.remainingMs())) } : {},
    ...message.traceparent === undefined ? {} : { traceparent: message.traceparent },
  });
  if (!isCall) return NOTHING;
  return ended(await members.wait(turn_id, { signal: AbortSignal.any([context.signal, parts.over]) }));
}

function ended({ turn_id, member, state, output, error }: Turn): Outcome {
  if (state === "done") return { is: "done", reply: toBytes(output), content_type: JSON_TYPE };
  const code = error?.code ?? (state === "expired" ? "mob.deadline" : "mob.interrupted");
  const text = error?.text ?? `the turn is ${state}`;
  return { is: "rejected", code, text, keeps_writes: true, content_type: JSON_TYPE, body: toBytes({ code, text, facts: { turn_id, member, state }, retry: "never" }) };
}

function toOutcome(kind: "call" | "tell", error: unknown): Outcome {
  if (!isFault(error)) return { is: "failed", fault: nodeError("node.internal", "the mob has failed to take the turn", { cause: error }) };
  if (error.code === "mob.shutting_down") return LATER;
  if (kind === "tell" && error.retry === "later") return { is: "again", after_ms: error.retry_after_ms ?? AGAIN_MS };
  return { is: "rejected", code: error.code, text: error.message, keeps_writes: false, content_type: JSON_TYPE, body: toBytes(toFaultData(error) as unknown as Json) };
}

function isOpen({ view }: DoorParts, member: string): boolean {
  const row = view.row(member);
  return row?.external === true;
}

function contentOf({ payload }: WorkloadMessage): Json {
  try {
    return JSON.parse(UTF8.decode(payload)) as Json;
  } catch (cause) {
    throw mobError("mob.parse", "the body is not JSON", { cause });
  }
}

function conversationOf({ metadata }: WorkloadMessage): string | undefined {
  const given = metadata.find(({ key }) => key === "conversation")?.value;
  if (given === undefined || given.length >= 1 && given.length <= CONVERSATION_CHARS_MAX) return given;
  throw mobError("mob.invalid_params", `a conversation has 1–${CONVERSATION_CHARS_MAX} characters`, { facts: { path: "conversation" } });
}

function nameOf(caller: Principal): string {
  return caller.kind === "peer" ? formatNodeId(caller.id) : "local";
}

function toBytes(value: Json): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(value));
}
