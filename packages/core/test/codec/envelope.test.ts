/**
 * Goal: what is written can be read. Invariant: reading gives the same value, the protobuf runtime reads the
 * same fields, and nothing of ours reaches a legacy peer. Method: random envelopes and chunks; the runtime as
 * the judge.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { fromBinary, toBinary } from "@bufbuild/protobuf";
import fc from "fast-check";
import {
  DataChunkSchema, readChunk, readEnvelope, requestProblem, RpcEnvelopeSchema, shapeOf, writeChunk,
  writeEnvelope, type Envelope,
} from "@atoll-run/core/internal";
import { CHUNK_SHAPE } from "../../src/codec/chunk.ts";
import { ENVELOPE_SHAPE } from "../../src/codec/envelope.ts";
import { readPlainEnvelope, writePlainEnvelope } from "../../src/codec/plain-envelope.ts";
import { readRecord } from "../../src/codec/read-record.ts";
import { writeRecord } from "../../src/codec/write-record.ts";
import { NODE_ID_SHAPE } from "../../src/codec/node-id-record.ts";
import { ActrIdSchema } from "../../src/protocol/generated/actr/identity_pb.ts";
import type { Shape } from "../../src/codec/shape.ts";
import { chunk, envelope } from "./arbitrary-envelope.ts";
import { toHex } from "./vectors.ts";

const OURS = { extensions: true };
const LEGACY = { extensions: false };
const OUR_FIELDS = [
  "remaining_ms", "want_accept", "accept", "chain_id", "depth", "content_type", "order_key",
];

test("an envelope reads as it was written", () => {
  fc.assert(fc.property(envelope, (value) => {
    assert.deepEqual(readEnvelope(writeEnvelope(value, OURS)), { ok: true, value });
  }), { numRuns: 1_000 });
});

test("the short way reads and writes what the strict one does, or leaves it to that", () => {
  const ascii = fc.oneof({ weight: 30, arbitrary: fc.string({ unit: "grapheme-ascii", minLength: 1, maxLength: 127 }) },
    fc.string({ unit: "grapheme-ascii", maxLength: 140 }));
  const number = fc.oneof({ weight: 9, arbitrary: fc.nat(1_000_000) }, fc.nat());
  const usual = fc.record({
    route_key: ascii, request_id: ascii, direction: fc.constantFrom("request", "response", "tell"), timeout_ms: fc.oneof({ weight: 9, arbitrary: number }, fc.integer()),
    metadata: fc.constant([]), payload: fc.uint8Array({ maxLength: 300 }), traceparent: ascii, tracestate: ascii, remaining_ms: number,
    want_accept: fc.boolean(), chain_id: fc.oneof({ weight: 9, arbitrary: fc.uint8Array({ minLength: 16, maxLength: 16 }) }, fc.uint8Array({ maxLength: 20 })), depth: number, content_type: ascii,
    order_key: ascii,
  }, { requiredKeys: ["route_key", "request_id", "direction", "timeout_ms", "metadata"], noNullPrototype: true }) as fc.Arbitrary<Envelope>;
  const change = fc.record({ at: fc.nat(), byte: fc.nat(255), cut: fc.nat(), whole: fc.boolean() });
  let taken = 0;
  fc.assert(fc.property(fc.oneof({ weight: 2, arbitrary: usual }, envelope), change, (value, how) => {
    const short = writePlainEnvelope(value);
    if (short === undefined) return;
    const strict = writeRecord(ENVELOPE_SHAPE, value, OURS);
    assert.deepEqual(short, strict);
    const bytes = how.whole ? strict : strict.slice(0, strict.length - how.cut % (strict.length + 1));
    if (!how.whole && bytes.length > 0) bytes[how.at % bytes.length] = how.byte;
    const read = readPlainEnvelope(bytes);
    if (read === undefined) return;
    taken++;
    assert.deepEqual(read, readRecord(ENVELOPE_SHAPE, bytes));
  }), { numRuns: 3_000 });
  assert.ok(taken > 500, `it took ${taken}`);
});

test("a chunk reads as it was written", () => {
  fc.assert(fc.property(chunk, (value) => {
    assert.deepEqual(readChunk(writeChunk(value, OURS)), { ok: true, value });
  }), { numRuns: 1_000 });
});

test("the protobuf runtime reads what our codec wrote and writes the same bytes", () => {
  fc.assert(fc.property(envelope, chunk, (one, other) => {
    // The runtime drops a byte order mark at the beginning of a text.
    const bytes = writeEnvelope(one, OURS);
    if (!toHex(bytes).includes("efbbbf")) {
      assert.equal(toHex(toBinary(RpcEnvelopeSchema, fromBinary(RpcEnvelopeSchema, bytes))), toHex(bytes));
    }
    const chunkBytes = writeChunk(other, OURS);
    if (!toHex(chunkBytes).includes("efbbbf")) {
      const judged = fromBinary(DataChunkSchema, chunkBytes);
      assert.equal(toHex(toBinary(DataChunkSchema, judged)), toHex(chunkBytes));
    }
  }), { numRuns: 500 });
});

test("garbage and changed bytes give an envelope, a chunk or a typed fault", () => {
  const change = fc.record({ at: fc.nat(), byte: fc.nat(255), cut: fc.nat() });
  const bytes = fc.uint8Array({ maxLength: 300 });
  fc.assert(fc.property(envelope, chunk, bytes, change, (one, other, garbage, how) => {
    for (const bytes of [writeEnvelope(one, OURS), writeChunk(other, OURS), garbage]) {
      const changed = bytes.slice(0, bytes.length - how.cut % (bytes.length + 1));
      if (changed.length > 0) changed[how.at % changed.length] = how.byte;
      const read = readEnvelope(changed);
      if (read.ok) assert.deepEqual(readEnvelope(writeEnvelope(read.value, OURS)), read);
      else assert.equal(read.fault.code, "codec.malformed");
      const readAsChunk = readChunk(changed);
      if (readAsChunk.ok) assert.deepEqual(readChunk(writeChunk(readAsChunk.value, OURS)), readAsChunk);
      else assert.equal(readAsChunk.fault.code, "codec.malformed");
    }
  }), { numRuns: 500 });
});

test("a legacy peer gets no field, direction or control of ours", () => {
  fc.assert(fc.property(envelope, chunk, (one, other) => {
    if (one.direction === "accept") {
      assert.throws(() => writeEnvelope(one, LEGACY), { code: "codec.malformed" });
    } else {
      const read = readEnvelope(writeEnvelope(one, LEGACY));
      assert.ok(read.ok);
      assert.equal(read.value.error?.detail, undefined);
      for (const name of OUR_FIELDS) assert.ok(!(name in read.value), name);
    }
    if (other.control === undefined) return;
    assert.throws(() => writeChunk(other, LEGACY), { code: "codec.malformed" });
  }), { numRuns: 300 });
});

/** Message, field, type and rule of every field, as far as it can be reached. */
function facts(shape: Shape): string[] {
  const numbers = (field: Shape["fields"][number]): string => [...field.numbers.values()].sort().join();
  const kind = (name: string): string => ({ count: "u64", signed_count: "i64" })[name] ?? name;
  return shape.fields.flatMap((field) => [
    `${shape.name} ${field.no} ${field.name} ${kind(field.kind)} ${field.rule} ${field.oneof ?? ""} `
      + numbers(field).replace(/^0,/, ""),
    ...field.shape ? facts(field.shape) : [],
  ]);
}

for (const [own, schema] of [
  [ENVELOPE_SHAPE, RpcEnvelopeSchema], [CHUNK_SHAPE, DataChunkSchema], [NODE_ID_SHAPE, ActrIdSchema],
] as const) {
  test(`our shape of ${own.name} is that of the schema`, () => {
    assert.deepEqual(facts(own), facts(shapeOf(schema)));
  });
}

const request: Envelope = {
  route_key: "a.b.C", request_id: "r", direction: "request", timeout_ms: 1, metadata: [],
  payload: new Uint8Array(),
};

test("a request needs a time-out above 0; answers and tells may have any", () => {
  assert.equal(requestProblem(request), undefined);
  assert.equal(requestProblem({ ...request, timeout_ms: 0 }), "timeout_ms must be greater than 0, got 0");
  assert.equal(requestProblem({ ...request, direction: "tell", timeout_ms: 0 }), undefined);
});

test("a time-out beyond what a number holds is read as the greatest one", () => {
  const bytes = Uint8Array.from([...writeEnvelope({ ...request, timeout_ms: 0 }, OURS).slice(0, -1),
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f]);
  const read = readEnvelope(bytes);
  assert.equal(read.ok && read.value.timeout_ms, Number.MAX_SAFE_INTEGER);
});

const NOTHING = { key: "", value: "" };

for (const [title, wrong, rule] of [
  ["an empty route", { route_key: "" }, "empty"],
  ["a route of 257 bytes", { route_key: "a".repeat(257) }, "size"],
  ["a route of 86 characters with three bytes each", { route_key: "é€".repeat(60) }, "size"],
  ["a request id of 129 bytes", { request_id: "a".repeat(129) }, "size"],
  ["65 entries of metadata", { metadata: Array.from({ length: 65 }, () => NOTHING) }, "entries"],
  ["17 KiB of metadata", { metadata: [{ key: "", value: "a".repeat(17_000) }] }, "size"],
  ["a depth below 0", { depth: -1 }, "range"],
  ["a budget that is no whole number", { remaining_ms: 1.5 }, "range"],
  ["a chain id of 3 bytes", { chain_id: new Uint8Array(3) }, "size"],
  ["no direction", { direction: undefined }, "direction"],
] as const) {
  test(`an envelope with ${title} is not written`, () => {
    const value = { ...request, ...wrong } as Envelope;
    assert.throws(() => writeEnvelope(value, OURS), (error: { code: string; facts: { rule: string } }) =>
      error.code === "codec.malformed" && error.facts.rule === rule);
  });
}

test("an error text is cut to 4 KiB, never inside a character", () => {
  const error = { code: 10_010, message: "€".repeat(2_000) };
  const { payload: _, ...rest } = request;
  const read = readEnvelope(writeEnvelope({ ...rest, direction: "response", error }, OURS));
  assert.equal(read.ok && read.value.error?.message, "€".repeat(1_365));
});

test("an envelope over the limit of its reader is refused whole", () => {
  const bytes = writeEnvelope(request, OURS);
  assert.ok(readEnvelope(bytes, bytes.length).ok);
  const read = readEnvelope(bytes, bytes.length - 1);
  assert.equal(!read.ok && read.fault.code, "codec.too_large");
  const data = { stream_id: "s", sequence: 1n, payload: new Uint8Array(9), metadata: [] };
  const chunkBytes = writeChunk(data, OURS);
  const readAsChunk = readChunk(chunkBytes, 5);
  assert.equal(!readAsChunk.ok && readAsChunk.fault.code, "codec.too_large");
});

test("nested messages are whole wherever the buffer of the writer ends", () => {
  for (let length = 16_250; length < 16_400; length++) {
    const value: Envelope = {
      ...request, direction: "accept", payload: new Uint8Array(length), accept: { state: "accepted" },
      metadata: [{ key: "k", value: "v".repeat(length % 7) }],
    };
    assert.deepEqual(readEnvelope(writeEnvelope(value, OURS)), { ok: true, value });
  }
});

test("the bytes of a Node Buffer are read as plain bytes", () => {
  const read = readEnvelope(Buffer.from(writeEnvelope({ ...request, payload: Uint8Array.of(1, 2) }, OURS)));
  assert.ok(read.ok);
  assert.deepEqual(read.value.payload, Uint8Array.of(1, 2));
  assert.equal(read.value.payload?.constructor, Uint8Array);
});
