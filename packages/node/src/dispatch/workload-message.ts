/** A message as its workload gets it (spec: node 9.1). */
import type { WorkloadMessage } from "@atoll-run/core";
import type { Message } from "../mailbox/message.ts";

export function toWorkload(message: Message): WorkloadMessage {
  const { kind, route, requestId, principal, envelope, attempts, runs, recovered, crashes } = message;
  const { traceparent } = message;
  const given: { -readonly [Name in keyof WorkloadMessage]: WorkloadMessage[Name] } = {
    kind, route, id: requestId, payload: envelope?.payload ?? new Uint8Array(0), caller: principal,
    metadata: envelope?.metadata ?? [], attempt: attempts + 1, redelivered: runs > 1 || recovered && (crashes > 0 || attempts > 0),
  };
  if (envelope?.content_type !== undefined) given.content_type = envelope.content_type;
  if (traceparent !== undefined) given.traceparent = traceparent;
  if (envelope?.tracestate !== undefined) given.tracestate = envelope.tracestate;
  return given;
}
