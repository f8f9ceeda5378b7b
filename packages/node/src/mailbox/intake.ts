/** What an arrival is, or why it is refused (spec: node 4.8, 4.11, 2.8). Looks at nothing but what it is given. */
import { isFault, nodeError, type Fault, type Workload } from "@atoll-run/core";
import { requestProblem, type Envelope } from "@atoll-run/core/internal";
import { NODE_LIMITS } from "../limits.ts";
import type { Arrival } from "./inbox.ts";
import { Message } from "./message.ts";
import { keyOf, type Policies } from "./policy.ts";

/** What can be said of it before its route is looked at. */
export function envelopeFault({ kind, envelope }: Arrival): Fault | undefined {
  const problem = kind === "call" ? requestProblem(envelope) : undefined;
  if (problem !== undefined) return nodeError("node.invalid_argument", problem);
  if (kind === "call" && envelope.remaining_ms === 0) return nodeError("node.timed_out", "the deadline is over");
  const { chainDepthMax } = NODE_LIMITS.dispatch;
  if ((envelope.depth ?? 0) <= chainDepthMax) return undefined;
  return nodeError("node.invalid_argument", `more than ${chainDepthMax} messages follow from one another`);
}

/** What an envelope has beside its payload, nearly. */
const HEAD_BYTES = 256;

export interface Reading {
  readonly arrival: Arrival;
  /** Text. */
  readonly sender: string;
  /** Of sender, route and request id. */
  readonly name: string;
  readonly workload: Workload;
  readonly policies: Policies;
  readonly order: number;
  readonly nowMs: number;
}

/** The message; or `node.unknown_route`, `node.invalid_argument`. */
export function readArrival({ arrival, sender, name, workload, policies, order, nowMs }: Reading): Message | Fault {
  const { kind, envelope, sender: principal, lane } = arrival;
  const route = envelope.route_key;
  const info = workload.route(route, kind);
  if (info === undefined) return unknownRoute(route);
  const policy = policies.of(kind, route, info.policy);
  try {
    const key = keyOf({ kind, policy, info, envelope, principal, sender });
    const rowless = policy.volatile || arrival.in_process && kind === "call";
    // Without a row its bytes are seldom needed, and making them is work.
    const body = rowless ? undefined : arrival.bytes;
    const message = new Message({
      order, kind, principal, sender, route, requestId: envelope.request_id, name, high: lane === "rpc_signal", key, policy,
      bytes: body?.length ?? (envelope.payload?.length ?? 0) + HEAD_BYTES, acceptedAtMs: nowMs, expiresAtMs: nowMs + budgetMs(kind, envelope, policy.ttlMs), lane,
      letter: undefined,
    });
    message.body = body;
    message.envelope = envelope;
    message.arrivals.push(arrival);
    return message;
  } catch (error) {
    if (isFault(error)) return error;
    throw error;
  }
}

export function unknownRoute(route: string): Fault {
  return nodeError("node.unknown_route", `there is no route ${route}`);
}

const UUID7 = /^[\da-f]{8}-[\da-f]{4}-7[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/;

/** Whether somebody may ask again under its id (spec: node 4.7); where nobody says, ids of our own make are known by form. */
export function isNamed({ named, in_process, envelope }: Arrival): boolean {
  return named ?? !(in_process && UUID7.test(envelope.request_id));
}

/** A call ends with its caller's budget; a tell waits for ever unless somebody says otherwise. */
function budgetMs(kind: "call" | "tell", { remaining_ms, timeout_ms }: Envelope, ttlMs: number): number {
  return kind === "call" ? remaining_ms ?? timeout_ms : remaining_ms ?? ttlMs;
}
