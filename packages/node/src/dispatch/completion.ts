/** The last write of a message, as ops (spec: node 4.13, 2.7, 4.20). */
import type { Ids, NewParcel, StateOp, Write } from "@atoll-run/core";
import { writeEnvelope } from "@atoll-run/core/internal";
import { toStored } from "../mailbox/answers.ts";
import type { Settled } from "../mailbox/inbox.ts";
import { aboutFault, aboutMessage, bury } from "../mailbox/letters.ts";
import type { Message } from "../mailbox/message.ts";
import { NODE_LIMITS } from "../limits.ts";
import { HANDLER_SPACE } from "./context.ts";
import type { Burial, Verdict } from "./verdict.ts";

export type Ending = Verdict & { readonly is: "end" };

export interface Completion {
  readonly message: Message;
  readonly ending: Ending;
  readonly writes: readonly Write[];
  readonly nowMs: number;
  readonly ids: Ids;
  /** How long a reply in the outbox is worth sending, when the message has no deadline. */
  readonly replyTtlMs: number;
}

export function completionOps(o: Completion): StateOp[] {
  const { message, ending, nowMs } = o;
  const ops: StateOp[] = [];
  if (ending.remember) ops.push(remember(message, ending.settled, nowMs));
  if (message.letter !== undefined) ops.push(afterRedrive(message, message.letter, ending.burial, nowMs));
  else if (ending.burial !== undefined) ops.push(bury(message, { ...ending.burial, nowMs }));
  if (ending.writes) ops.push(...writeOps(o.writes, { ...o, traceparent: message.traceparent }));
  const reply = replyParcel(o);
  if (reply !== undefined) ops.push({ op: "send", parcel: reply });
  return ops;
}

function remember(message: Message, settled: Settled, nowMs: number): StateOp {
  const { sender, route, requestId, hash, policy } = message;
  return { op: "remember", answer: {
    sender, route, request_id: requestId, hash, ...toStored(settled), done_at_ms: nowMs,
    forget_at_ms: nowMs + policy.dedupTtlMs,
  } };
}

/** Handled, so that the letter goes; or it stays, and tells what went wrong. */
function afterRedrive(message: Message, seq: number, burial: Burial | undefined, nowMs: number): StateOp {
  if (burial === undefined) return { op: "purge", seq };
  const { code, text } = aboutFault(burial.fault);
  const [id = ""] = message.requestId.split(/#r\d+$/);
  const about = { ...aboutMessage(message, burial.fault), request_id: id, last_error: { code, text, at_ms: nowMs } };
  return { op: "mark", seq, redriving: false, about: JSON.stringify(about) };
}

export interface WriteOps {
  readonly nowMs: number;
  readonly ids: Ids;
  readonly traceparent: string | undefined;
}

/** What was recorded, as ops. What was read is looked at before it is changed. */
export function writeOps(writes: readonly Write[], o: WriteOps): StateOp[] {
  const checks = writes.filter(({ write }) => write === "check");
  const others = writes.filter(({ write }) => write !== "check");
  return [...checks, ...others].map((write) => toOp(write, o));
}

function toOp(write: Write, { traceparent, nowMs, ids }: WriteOps): StateOp {
  switch (write.write) {
    case "set":
      return { op: "put", space: HANDLER_SPACE + write.space, key: write.key, value: write.value, if_version: null };
    case "delete":
      return { op: "put", space: HANDLER_SPACE + write.space, key: write.key, value: null, if_version: null };
    case "check": return { op: "check", space: HANDLER_SPACE + write.space, key: write.key, version: write.version };
    case "put": return { op: "put", space: write.space, key: write.key, value: write.value, if_version: null };
    case "append": return { op: "append", journal: write.journal, body: write.body };
    case "tell": {
      const request_id = ids.uuid7();
      const ttlMs = write.ttlMs ?? NODE_LIMITS.dispatch.outboxTtlMs;
      const body = writeEnvelope({
        route_key: write.route, request_id, direction: "tell", timeout_ms: 0, payload: write.payload,
        metadata: write.metadata ?? [], want_accept: true,
        ...write.content_type === undefined ? {} : { content_type: write.content_type },
        ...traceparent === undefined ? {} : { traceparent },
      }, { extensions: true });
      return { op: "send", parcel: {
        to: write.to, kind: "tell", body, about: JSON.stringify({ route: write.route, request_id, traceparent }),
        send_at_ms: nowMs, expires_at_ms: nowMs + ttlMs,
      } };
    }
  }
}

/** For a caller that cannot be reached on the way it came. */
function replyParcel({ message, ending, nowMs, replyTtlMs }: Completion): NewParcel | undefined {
  const { kind, principal, route, requestId, arrivals, envelope, expiresAtMs, letter } = message;
  if (kind !== "call" || principal.kind !== "peer" || letter !== undefined) return undefined;
  if (arrivals.some((arrival) => arrival.reachable())) return undefined;
  const { settled } = ending;
  const traceparent = envelope?.traceparent;
  const body = writeEnvelope({
    route_key: route, request_id: requestId, direction: "response", timeout_ms: 0, metadata: [],
    ...settled.is === "error" ? { error: settled.error } : {
      payload: settled.payload, ...settled.content_type === undefined ? {} : { content_type: settled.content_type },
    },
    ...traceparent === undefined ? {} : { traceparent },
  }, { extensions: true });
  return {
    to: message.sender, kind: "reply", body, about: JSON.stringify({ route, request_id: requestId, traceparent }),
    send_at_ms: nowMs, expires_at_ms: Math.max(nowMs + 1, expiresAtMs === Infinity ? nowMs + replyTtlMs : expiresAtMs),
  };
}
