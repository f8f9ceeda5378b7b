/**
 * What becomes of a message after a run (spec: node 4.15, 4.16, 2.6). Pure: outcome, message and time in, verdict out.
 */
import { isNodeCode, nodeError, nodeFaultKind, type Fault, type Outcome, type StateOp } from "@atoll-run/core";
import { toWireError } from "@atoll-run/core/internal";
import { FINISHED } from "../mailbox/answers.ts";
import type { Settled } from "../mailbox/inbox.ts";
import type { Policy } from "../mailbox/policy.ts";
import { NODE_LIMITS } from "../limits.ts";

/** Reasons of dead letters (spec: node 4.8, 4.14, 4.15, 4.17). `dropped`: a person gave it up. */
export const LETTER_REASONS = [
  "frame_undecodable", "envelope_invalid", "unknown_route", "payload_undecodable", "handler_rejected", "handler_failed",
  "expired", "crashed", "uncertain", "undeliverable", "dropped",
] as const;
export type LetterReason = (typeof LETTER_REASONS)[number];

export interface Burial {
  readonly reason: LetterReason;
  readonly fault: Fault;
  /** Done with it, instead of what the workload says. */
  readonly also?: readonly StateOp[];
}

export type Verdict =
  /** It is over. */
  | {
    readonly is: "end";
    readonly settled: Settled;
    /** What was recorded is done with it. */
    readonly writes: boolean;
    /** Kept for duplicates; transient failures free the name. */
    readonly remember: boolean;
    readonly burial?: Burial;
  }
  /** Once more, not before that time. */
  | { readonly is: "wait"; readonly atMs: number; readonly counted: boolean; readonly parked?: string };

export interface Judged {
  readonly kind: "call" | "tell";
  readonly policy: Policy;
  /** Failures counted before this run. */
  readonly attempts: number;
  readonly expiresAtMs: number;
  readonly nowMs: number;
  /** From 0 to below 1. */
  readonly random: number;
}

export function judgeDone(kind: "call" | "tell", { reply: payload, content_type }: Outcome & { readonly is: "done" }): Verdict {
  const settled: Settled = kind === "tell" ? FINISHED
    : content_type === undefined ? { is: "reply", payload } : { is: "reply", payload, content_type };
  return { is: "end", settled, writes: true, remember: true };
}

export function judgeOutcome(outcome: Outcome, o: Judged): Verdict {
  switch (outcome.is) {
    case "done": return judgeDone(o.kind, outcome);
    case "rejected": {
      const { code, body, content_type, text, keeps_writes: writes } = outcome;
      const fault = nodeError("node.business", text ?? code, {
        facts: { error: { code, body, ...content_type === undefined ? {} : { content_type } } },
      });
      return { ...failure(o.kind, fault, o.kind === "tell" ? "handler_rejected" : undefined), writes };
    }
    case "again": return { is: "wait", atMs: o.nowMs + Math.max(0, outcome.after_ms), counted: false };
    case "park":
      return { is: "wait", atMs: outcome.until_at_ms ?? Infinity, counted: false, parked: outcome.until };
    case "failed": return judgeFault(outcome.fault, o);
  }
}

/** Of a fault that a handler gave, threw, or was stopped with. */
export function judgeFault(fault: Fault, o: Judged): Verdict {
  const kind = isNodeCode(fault.code) ? nodeFaultKind(fault.code) : undefined;
  if (kind?.class === "client") return failure(o.kind, fault, o.kind === "tell" ? "handler_rejected" : undefined);
  if (kind?.class === "corrupt") return failure(o.kind, fault, "payload_undecodable");
  const attempts = o.attempts + 1;
  if (attempts < o.policy.attempts) {
    const atMs = o.nowMs + backoffMs(o.policy.backoffMs, o.attempts, o.random);
    if (atMs < o.expiresAtMs) return { is: "wait", atMs, counted: true };
  }
  return failure(o.kind, fault, "handler_failed");
}

/** Its time is over, waiting or running. */
export function expired(kind: "call" | "tell"): Verdict & { is: "end" } {
  return failure(kind, nodeError("node.timed_out", `the ${kind} was not handled in time`), "expired");
}

/** Doubles from one failure to the next, off by some share either way. */
export function backoffMs(firstMs: number, failures: number, random: number): number {
  const { backoffMsMax, backoffSpread } = NODE_LIMITS.dispatch;
  const ms = Math.min(backoffMsMax, firstMs * 2 ** Math.min(failures, 30));
  return Math.ceil(ms * (1 + backoffSpread * (2 * random - 1)));
}

/** `reason`: it becomes a dead letter. */
export function failure(kind: "call" | "tell", fault: Fault, reason: LetterReason | undefined): Verdict & { is: "end" } {
  const transient = isNodeCode(fault.code) && nodeFaultKind(fault.code).class === "transient";
  return {
    is: "end", settled: kind === "tell" ? FINISHED : toError(fault), writes: false, remember: !transient,
    ...reason === undefined ? {} : { burial: { reason, fault } },
  };
}

export function toError(fault: Fault): Settled {
  return { is: "error", error: toWireError(fault) };
}
