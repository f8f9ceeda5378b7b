/**
 * One call, answer, tell or acknowledgement (spec: wire 1, 2, 3.1).
 *
 * takes an `Envelope` or bytes; gives the other; promises that what was read obeys every rule of the wire and
 * that reading what was written gives the same; refuses with `codec.malformed`; never guesses a direction and
 * never looks into the payload.
 */
import { malformed, tooLarge } from "../core-fault.ts";
import { WIRE_LIMITS } from "../protocol/wire-limits.ts";
import type { Envelope } from "./envelope-record.ts";
import { ERROR_SHAPE } from "./error-record.ts";
import { readPlainEnvelope, writePlainEnvelope } from "./plain-envelope.ts";
import { plainBytes, toRead, type Read } from "./read.ts";
import { readRecord } from "./read-record.ts";
import { defineShape, field, words } from "./shape.ts";
import { writeRecord } from "./write-record.ts";

export type { Accept, Direction, Envelope, MetadataEntry } from "./envelope-record.ts";

export const METADATA_SHAPE = defineShape("actr.MetadataEntry", [
  field("1! key text"), field("2! value text"),
]);

export const ACCEPT_SHAPE = defineShape("actr.Accept", [
  field("1! state enum", { values: words({ 0: "accepted", 1: "duplicate", 2: "refused" }) }),
  field("2? queue_len u32"), field("3? error message", { shape: ERROR_SHAPE }),
]);

export const ENVELOPE_SHAPE = defineShape("actr.RpcEnvelope", [
  field("1! route_key text"), field("2? payload bytes"), field("3? error message", { shape: ERROR_SHAPE }),
  field("4? direction enum", { values: words({ 1: "request", 2: "response", 3: "tell", 1000: "accept" }) }),
  field("100? traceparent text"), field("101? tracestate text"), field("102! request_id text"),
  field("103* metadata message", { shape: METADATA_SHAPE }), field("104! timeout_ms signed_count"),
  field("1000? remaining_ms count"), field("1001? want_accept bool"),
  field("1002? accept message", { shape: ACCEPT_SHAPE }), field("1003? chain_id bytes"),
  field("1004? depth u32"), field("1005? content_type text"), field("1006? order_key text"),
]);

/**
 * Reads one envelope of at most `bytesMax` bytes. A fault has the rule it is about: `direction`, `outcome`
 * and `accept` mean an envelope that is none (dead letter `envelope_invalid`), all others a frame that cannot
 * be decoded.
 */
export function readEnvelope(
  bytes: Uint8Array, bytesMax: number = WIRE_LIMITS.messageBytesMax,
): Read<Envelope> {
  const plain = bytes.length > bytesMax ? undefined : readPlainEnvelope(plainBytes(bytes));
  if (plain !== undefined && brokenRule(plain) === undefined) return { ok: true, value: plain };
  return toRead(() => {
    if (bytes.length > bytesMax) throw tooLarge("an envelope", bytes.length, bytesMax);
    // The shape gives every field that the type names, with that type.
    const envelope = readRecord(ENVELOPE_SHAPE, bytes) as unknown as Envelope;
    check(envelope);
    return envelope;
  });
}

/**
 * The bytes of an envelope; `extensions` says whether the peer has announced `rpc1`, without it our fields
 * are left out. Throws `codec.malformed` for an envelope that the other end would refuse.
 */
export function writeEnvelope(envelope: Envelope, o: { readonly extensions: boolean }): Uint8Array {
  check(envelope);
  if (envelope.direction === "accept" && !o.extensions) throw wrong("direction", "accept");
  return (o.extensions ? writePlainEnvelope(envelope) : undefined) ?? writeRecord(ENVELOPE_SHAPE, envelope, o);
}

/** The field at which a rule between fields is broken (spec: wire 1.5, 1.6). */
function brokenRule({ direction, payload, error, accept }: Envelope): "direction" | "error" | "accept" | undefined {
  if (direction === undefined) return "direction";
  if (direction === "response" ? (payload === undefined) === (error === undefined) : error !== undefined) return "error";
  return (direction === "accept") === (accept !== undefined) ? undefined : "accept";
}

function check(envelope: Envelope): void {
  const field = brokenRule(envelope);
  if (field !== undefined) throw wrong(field === "error" ? "outcome" : field, field);
}

function wrong(rule: string, name: string): Error {
  return malformed({ what: ENVELOPE_SHAPE.name, rule, field: name });
}

/**
 * Why a request cannot be admitted although it was read: it needs an answer `invalid_argument` (spec: wire
 * 1.7).
 */
export function requestProblem(envelope: Envelope): string | undefined {
  if (envelope.direction !== "request" || envelope.timeout_ms > 0) return undefined;
  return `timeout_ms must be greater than 0, got ${envelope.timeout_ms}`;
}
