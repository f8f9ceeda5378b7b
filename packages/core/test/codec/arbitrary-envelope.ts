/** Random envelopes and chunks that may be sent. */
import fc from "fast-check";
import type {
  Accept, Chunk, Envelope, MetadataEntry, StreamControl, WireError,
} from "@atoll-run/core/internal";

const text = fc.string({ unit: "binary", maxLength: 30 });
const key = fc.string({ unit: "grapheme", minLength: 1, maxLength: 8 })
  .filter((one) => Buffer.byteLength(one) <= 128);
const bytes = fc.uint8Array({ maxLength: 60 });
const count = fc.oneof(fc.nat(300), fc.nat(Number.MAX_SAFE_INTEGER));
const u32 = fc.oneof(fc.nat(300), fc.integer({ min: 0, max: 0xffff_ffff }));
const u64 = fc.oneof(fc.bigInt(0n, 300n), fc.bigInt(0n, (1n << 64n) - 1n));

type Fields<T> = { [K in keyof T]?: fc.Arbitrary<unknown> };

/** Optional fields are missing or there, never undefined. */
function partial<T>(required: Fields<T>, optional: Fields<T>): fc.Arbitrary<T> {
  const all = { ...required, ...optional } as Record<string, fc.Arbitrary<unknown>>;
  const record = fc.record(all, { requiredKeys: Object.keys(required), noNullPrototype: true });
  return record as unknown as fc.Arbitrary<T>;
}

function whole<T>(fields: { [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<T> {
  return fc.record(fields, { noNullPrototype: true }) as fc.Arbitrary<T>;
}

const metadata: fc.Arbitrary<readonly MetadataEntry[]> = fc.array(
  whole({ key: text, value: text }), { maxLength: 5 });

const issues = fc.array(text, { maxLength: 3 });
const detail = partial<NonNullable<WireError["detail"]>>({ kind: u32, issues }, {
  retry: fc.constantFrom("never", "elsewhere", "later"), retry_after_ms: count, business_code: text,
  business_body: bytes, content_type: text, service_name: text, hint: text, uncertain: fc.boolean(),
});

export const wireError = partial<WireError>({ code: u32, message: text }, { detail });

const accept = partial<Accept>(
  { state: fc.constantFrom("accepted", "duplicate", "refused") }, { queue_len: u32, error: wireError });

const always = {
  route_key: key, request_id: key, metadata, timeout_ms: fc.oneof(count, count.map((one) => 0 - one || 0)),
};
const ours = {
  traceparent: text, tracestate: text, remaining_ms: count, want_accept: fc.boolean(),
  chain_id: fc.uint8Array({ minLength: 16, maxLength: 16 }), depth: u32, content_type: text, order_key: text,
};

export const envelope: fc.Arbitrary<Envelope> = fc.oneof(
  partial<Envelope>(
    { ...always, direction: fc.constantFrom("request", "tell") }, { ...ours, payload: bytes }),
  partial<Envelope>({ ...always, direction: fc.constant("response"), payload: bytes }, ours),
  partial<Envelope>({ ...always, direction: fc.constant("response"), error: wireError }, ours),
  partial<Envelope>({ ...always, direction: fc.constant("accept"), accept }, { ...ours, payload: bytes }),
);

const open = partial<Extract<StreamControl, { open: unknown }>["open"]>(
  { name: text, mode: fc.constantFrom("reliable", "latency_first"), window_bytes: u64, window_chunks: u32,
    headers: metadata },
  { remaining_ms: count, content_type: text, traceparent: text, tracestate: text, resume_from: u64 });

const control = fc.oneof(
  whole({ open }), whole({ credit: whole({ bytes: u64, chunks: u64 }) }),
  whole({ ack: whole({ through: u64 }) }), whole({ end: whole({ final_sequence: u64 }) }),
  whole({ reset: whole({ error: wireError }) }));

const inEveryChunk = { stream_id: key, metadata };
const timestamp = { timestamp_ms: fc.bigInt(-(1n << 63n), (1n << 63n) - 1n) };

export const chunk: fc.Arbitrary<Chunk> = fc.oneof(
  partial<Chunk>({ ...inEveryChunk, sequence: u64, payload: bytes }, timestamp),
  partial<Chunk>(
    { ...inEveryChunk, sequence: fc.constant(0n), payload: fc.constant(new Uint8Array()), control },
    timestamp),
);
