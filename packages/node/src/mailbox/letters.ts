/** Dead letters as they are written (spec: node 4.17). */
import { isFault, type Fault, type MailHead, type NewLetter, type StateOp } from "@atoll-run/core";
import { cutText } from "@atoll-run/core/internal";
import { NODE_LIMITS } from "../limits.ts";
import type { Message } from "./message.ts";

/** What a dead letter says of itself, JSON. */
export interface LetterAbout {
  readonly code: string;
  readonly text: string;
  readonly stack?: string;
  readonly kind?: "call" | "tell";
  readonly proof?: "key" | "bearer";
  readonly request_id?: string;
  readonly hash?: string;
  readonly priority?: "high";
  readonly key?: string;
  readonly attempts?: number;
  readonly crashes?: number;
  readonly accepted_at_ms?: number;
  readonly traceparent?: string;
  readonly lane?: string;
  /** Of the redrive that failed last. */
  readonly last_error?: { readonly code: string; readonly text: string; readonly at_ms: number };
}

const TEXT_MAX = 4_096;

/** The move of a message into the dead letters: part of its last write. */
export function bury(message: Message, o: { readonly reason: string; readonly fault: Fault; readonly nowMs: number }): StateOp {
  return { op: "bury", letter: {
    reason: o.reason, accepted: true, sender: message.sender, route: message.route,
    body: message.body ?? new Uint8Array(0), about: JSON.stringify(aboutMessage(message, o.fault)), dead_at_ms: o.nowMs,
  } };
}

export function aboutMessage(message: Message, fault: Fault): LetterAbout {
  const { kind, principal, requestId, hash, high, key, attempts, crashes, acceptedAtMs, envelope, lane } = message;
  const traceparent = envelope?.traceparent;
  return {
    ...aboutFault(fault), kind, ...principal.kind === "peer" ? { proof: principal.proof } : {}, request_id: requestId, hash,
    ...high ? { priority: "high" as const } : {}, ...key === null ? {} : { key }, attempts, crashes,
    accepted_at_ms: acceptedAtMs, ...traceparent === undefined ? {} : { traceparent }, lane,
  };
}

/** The same of a row that is not in this process. */
export function aboutHead(row: Omit<MailHead, "bytes">, fault: Fault): LetterAbout {
  const { kind, proof } = JSON.parse(row.about) as Pick<LetterAbout, "kind" | "proof">;
  const { request_id, hash, key, attempts, crashes, accepted_at_ms, priority } = row;
  return {
    ...aboutFault(fault), ...kind === undefined ? {} : { kind }, ...proof === undefined ? {} : { proof }, request_id, hash,
    ...priority === "high" ? { priority } : {}, ...key === null ? {} : { key }, attempts, crashes, accepted_at_ms,
  };
}

/** A frame that was never accepted. */
export function frameLetter(o: {
  readonly reason: string; readonly sender: string; readonly route: string | null; readonly bytes: Uint8Array;
  readonly about: LetterAbout; readonly nowMs: number;
}): NewLetter {
  return {
    reason: o.reason, accepted: false, sender: o.sender, route: o.route, body: o.bytes, about: JSON.stringify(o.about),
    dead_at_ms: o.nowMs,
  };
}

export function aboutFault(fault: Fault): Pick<LetterAbout, "code" | "text" | "stack"> {
  const stack = stackOf(fault);
  return {
    code: fault.code, text: cutText(fault.message, TEXT_MAX),
    ...stack === undefined ? {} : { stack: stack.slice(0, NODE_LIMITS.mailbox.stackMax) },
  };
}

/** The stack of what was thrown by a handler; that of our own faults says nothing. */
function stackOf({ cause }: Fault): string | undefined {
  return cause instanceof Error && !isFault(cause) ? cause.stack : undefined;
}
