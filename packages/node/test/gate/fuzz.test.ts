/**
 * Goal: whatever a peer sends, the gate stands. Invariant: hearing a frame never throws, and what is open or pending stays
 * under its caps. Method: random bytes, valid messages with bytes changed, and steps of streams in any order.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Link } from "@atoll-run/core";
import { writeChunk, writeEnvelope, type Chunk, type Envelope, type Lane, type StreamControl } from "@atoll-run/core/internal";
import { bytes, testNet, testNode } from "./harness.ts";

const RUNS = 400;

const id = fc.constantFrom("s-1", "s-2", "r-1");
const count = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
const error = fc.constant({ code: 10_002, message: "stop" });
const control: fc.Arbitrary<StreamControl> = fc.oneof(
  fc.record({ open: fc.record({
    name: fc.constantFrom("audit", "none"), mode: fc.constantFrom("reliable" as const, "latency_first" as const),
    window_bytes: count, window_chunks: fc.nat(), headers: fc.constant([]),
  }) }),
  fc.record({ open: fc.record({
    name: fc.constant("audit"), mode: fc.constant("reliable" as const), window_bytes: count, window_chunks: fc.nat(),
    headers: fc.constant([]), resume_from: count, remaining_ms: fc.nat(),
  }) }),
  fc.record({ credit: fc.record({ bytes: count, chunks: count }) }), fc.record({ ack: fc.record({ through: count }) }),
  fc.record({ end: fc.record({ final_sequence: count }) }), fc.record({ reset: fc.record({ error }) }),
);
const chunk: fc.Arbitrary<Chunk> = fc.oneof(
  fc.record({ stream_id: id, sequence: fc.constant(0n), payload: fc.constant(bytes("")), metadata: fc.constant([]), control }),
  fc.record({
    stream_id: id, sequence: fc.oneof(fc.bigInt({ min: 0n, max: 4n }), count), payload: fc.uint8Array({ maxLength: 64 }),
    metadata: fc.constant([]),
  }),
);
const envelope: fc.Arbitrary<Envelope> = fc.record({
  route_key: fc.constantFrom("acme.Echo.Say", "atoll.sys.v1.Cancel", "atoll.sys.v1.Probe", "atoll.sys.v1.Refresh"), request_id: id,
  direction: fc.constantFrom("request" as const, "tell" as const, "response" as const), timeout_ms: fc.integer(),
  payload: fc.uint8Array({ maxLength: 64 }), metadata: fc.constant([]), want_accept: fc.boolean(),
});
const rpc = fc.constantFrom<Lane>("rpc_reliable", "rpc_signal");
const streams = fc.constantFrom<Lane>("stream_reliable", "stream_latency_first");
const valid = fc.oneof(
  fc.tuple(rpc, envelope.map((one) => writeEnvelope(one, { extensions: true }))),
  fc.tuple(streams, chunk.map((one) => writeChunk(one, { extensions: true }))),
);
const bent = fc.tuple(valid, fc.nat(), fc.nat(255)).map(([[lane, body], at, byte]): [Lane, Uint8Array] => {
  const changed = Uint8Array.from(body);
  if (changed.length > 0) changed[at % changed.length] = byte;
  return [lane, changed];
});
const noise = fc.tuple(fc.oneof(rpc, streams, fc.constant<Lane>("media_rtp")), fc.uint8Array({ maxLength: 64 }));

test("whatever a peer sends, the gate hears it without a throw and stays under its caps", async () => {
  const net = testNet();
  await using a = testNode(net, { serial: 1 });
  await using b = testNode(net, { serial: 2, readStream: (stream) => stream.name === "none" ? undefined : (async () => {
    for await (const _ of stream);
  })() });
  const peer: Link = await a.peers.send(b.id, "rpc_reliable", bytes(""), { deadlineMs: 1_000 });
  const [link] = b.peers.links();
  assert.ok(link !== undefined && peer.peer.id !== undefined);
  // It would be closed at the eleventh frame that cannot be read.
  link.close = async () => undefined;
  await fc.assert(fc.asyncProperty(fc.array(fc.oneof(valid, bent, noise), { maxLength: 20 }), async (frames) => {
    for (const [lane, body] of frames) b.gate.events.frame(link, lane, body);
    await new Promise((resolve) => setImmediate(resolve));
    const { streams_open = 0, pending_calls } = b.gate.stats();
    assert.ok(streams_open <= 3 && pending_calls === 0, `${streams_open}`);
  }), { numRuns: RUNS, seed: 11 });
});
