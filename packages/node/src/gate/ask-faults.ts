/** Why an ask ended without an answer (spec: node 5.4): `uncertain` = it was sent, so it may have run. */
import { isFault, isNodeCode, nodeError, nodeFaultKind, type Fault } from "@atoll-run/core";
import type { Plan } from "./ask.ts";

/** An ask whose time is over. */
interface Late {
  /** Text of the peer's id; empty = this node itself. */
  readonly peer: string;
  readonly route: string;
  readonly ms: number;
  readonly sent: boolean;
}

/** Trying again may help. */
export function isTransient(fault: Fault): boolean {
  return isNodeCode(fault.code) && nodeFaultKind(fault.code).class === "transient" && fault.retry !== "never";
}

export function lateFault({ route, peer, ms, sent }: Late): Fault {
  const from = peer === "" ? "" : ` from ${peer}`;
  return nodeError("node.timed_out", `no answer to ${route}${from} within ${ms} ms`, { facts: { route, ms }, uncertain: sent });
}

export function cancelledFault(plan: Plan, cause: unknown, ask: { readonly sent: boolean }): Fault {
  return nodeError("node.cancelled", `the ${plan.kind} of ${plan.route} was cancelled`, {
    facts: { route: plan.route }, cause, uncertain: ask.sent,
  });
}

export function lostFault(plan: Plan, peer: string, reason: string): Fault {
  return nodeError("node.unavailable", `the link to ${peer} was lost before ${plan.route} was answered: ${reason}`, {
    facts: { route: plan.route }, uncertain: true, hint: "ask again with the same request id",
  });
}

export function brokenFault(error: unknown): Fault {
  return isFault(error) ? error : nodeError("node.internal", `the gate has failed: ${String(error)}`, { cause: error });
}

/** What the transport or the codec says, in the words of a node. */
export function toNodeFault(error: unknown, plan: Plan): Fault {
  if (!isFault(error)) return brokenFault(error);
  if (isNodeCode(error.code)) return error;
  const code = error.code.startsWith("codec.") ? "node.invalid_argument" : "node.unavailable";
  return nodeError(code, `${plan.route} cannot be sent: ${error.message}`, { facts: { ...error.facts }, cause: error });
}
