/**
 * The short way through the envelope codec, for what nearly every message is: known fields of the usual form.
 *
 * takes an envelope or its bytes; gives the other, exactly as the strict codec would; refuses nothing: it gives
 * `undefined` for whatever it does not know (errors, metadata, text beyond ASCII, anything wrong), and the strict codec
 * looks at it, which alone has the rules and the faults.
 */
import { ByteWriter, SHORT_TEXT } from "./byte-writer.ts";
import type { Direction, Envelope, MetadataEntry } from "./envelope-record.ts";

type Draft = { -readonly [Name in keyof Envelope]?: Envelope[Name] } & { metadata: MetadataEntry[] };

/** Field number × 8 + wire type. */
const TAG = {
  route_key: 10, payload: 18, direction: 32, traceparent: 802, tracestate: 810, request_id: 818, timeout_ms: 832,
  remaining_ms: 8_000, want_accept: 8_008, chain_id: 8_026, depth: 8_032, content_type: 8_042, order_key: 8_050,
} as const;
const DIRECTIONS: readonly (Direction | undefined)[] = [undefined, "request", "response", "tell"];
const CHAIN_BYTES = 16;

/** Gives ASCII bytes as text. Node has it built in; elsewhere the strict codec decodes. */
const toText: ((this: Uint8Array, start: number, end: number) => string) | undefined = globalThis.Buffer?.prototype.latin1Slice;

/** `bytes` are a plain `Uint8Array`. */
export function readPlainEnvelope(bytes: Uint8Array): Envelope | undefined {
  if (toText === undefined) return undefined;
  const draft: Draft = { metadata: [] };
  const end = bytes.length;
  let at = 0;
  // Each field once, in ascending order.
  let last = 0;
  while (at < end) {
    let tag = bytes[at++] as number;
    if (tag >= 0x80) {
      const high = bytes[at++] ?? 0x80;
      if (high >= 0x80) return undefined;
      tag = (tag & 0x7f) | high << 7;
    }
    if (tag <= last || at >= end) return undefined;
    last = tag;
    // A number or a length of up to four bytes.
    let value = bytes[at++] as number;
    for (let shift = 7; (bytes[at - 1] as number) >= 0x80; shift += 7) {
      if (at >= end || shift > 21) return undefined;
      value = (value & (1 << shift) - 1) | (bytes[at++] as number) << shift;
    }
    if ((tag & 7) === 0) {
      if (!takeNumber(draft, tag, value)) return undefined;
      continue;
    }
    const start = at;
    at += value;
    if (at > end) return undefined;
    if (tag === TAG.payload) draft.payload = bytes.subarray(start, at);
    else if (tag === TAG.chain_id) {
      if (value !== CHAIN_BYTES) return undefined;
      draft.chain_id = bytes.subarray(start, at);
    } else {
      if (value === 0 || value > SHORT_TEXT) return undefined;
      for (let i = start; i < at; i++) if ((bytes[i] as number) >= 0x80) return undefined;
      if (!takeText(draft, tag, toText.call(bytes, start, at))) return undefined;
    }
  }
  const { route_key, request_id, timeout_ms, direction } = draft;
  if (route_key === undefined || request_id === undefined || timeout_ms === undefined || direction === undefined) return undefined;
  return draft as Envelope;
}

function takeNumber(draft: Draft, tag: number, value: number): boolean {
  switch (tag) {
    case TAG.direction: {
      const direction = DIRECTIONS[value];
      if (direction === undefined) return false;
      draft.direction = direction;
      return true;
    }
    case TAG.timeout_ms: draft.timeout_ms = value; return true;
    case TAG.remaining_ms: draft.remaining_ms = value; return true;
    case TAG.want_accept: draft.want_accept = value !== 0; return true;
    case TAG.depth: draft.depth = value; return true;
    default: return false;
  }
}

function takeText(draft: Draft, tag: number, text: string): boolean {
  switch (tag) {
    case TAG.route_key: draft.route_key = text; return true;
    case TAG.traceparent: draft.traceparent = text; return true;
    case TAG.tracestate: draft.tracestate = text; return true;
    case TAG.request_id: draft.request_id = text; return true;
    case TAG.content_type: draft.content_type = text; return true;
    case TAG.order_key: draft.order_key = text; return true;
    default: return false;
  }
}

/** With every field of ours: for a peer that has announced them. */
export function writePlainEnvelope(envelope: Envelope): Uint8Array | undefined {
  const { payload, chain_id, remaining_ms, depth, timeout_ms } = envelope;
  const code = DIRECTIONS.indexOf(envelope.direction);
  if (code < 1 || envelope.error !== undefined || envelope.metadata.length > 0 || !isU32(timeout_ms)) return undefined;
  if (!isU32(remaining_ms ?? 0) || !isU32(depth ?? 0) || (chain_id?.length ?? CHAIN_BYTES) !== CHAIN_BYTES) return undefined;
  if (!isShort(envelope.route_key) || !isShort(envelope.request_id)) return undefined;
  const writer = new ByteWriter();
  let plain = writer.shortText(TAG.route_key, envelope.route_key);
  if (payload !== undefined) writer.bytesOf(TAG.payload, payload);
  writer.number(TAG.direction, code);
  plain = optionalText(writer, TAG.traceparent, envelope.traceparent) && plain;
  plain = optionalText(writer, TAG.tracestate, envelope.tracestate) && plain;
  plain = writer.shortText(TAG.request_id, envelope.request_id) && plain;
  writer.number(TAG.timeout_ms, timeout_ms);
  if (remaining_ms !== undefined) writer.number(TAG.remaining_ms, remaining_ms);
  if (envelope.want_accept !== undefined) writer.number(TAG.want_accept, envelope.want_accept ? 1 : 0);
  if (chain_id !== undefined) writer.bytesOf(TAG.chain_id, chain_id);
  if (depth !== undefined) writer.number(TAG.depth, depth);
  plain = optionalText(writer, TAG.content_type, envelope.content_type) && plain;
  plain = optionalText(writer, TAG.order_key, envelope.order_key) && plain;
  const bytes = writer.finish();
  return plain ? bytes : undefined;
}

function optionalText(writer: ByteWriter, tag: number, text: string | undefined): boolean {
  return text === undefined || isShort(text) && writer.shortText(tag, text);
}

function isU32(value: number): boolean {
  return typeof value === "number" && value === value >>> 0;
}

function isShort(text: string): boolean {
  return typeof text === "string" && text !== "" && text.length <= SHORT_TEXT;
}
