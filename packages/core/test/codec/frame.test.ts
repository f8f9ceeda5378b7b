/**
 * Goal: frames come out as they went in. Invariant: the cuts of a byte stream change nothing, and bytes that
 * are no frames end the decoder with a typed fault. Method: random frames, cuts and garbage.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  FrameDecoder, laneLabel, laneOfLabel, LANES, readFrame, writeFrame, type Frame,
} from "@atoll-run/core/internal";

const frame: fc.Arbitrary<Frame> = fc.record(
  { lane: fc.constantFrom(...LANES), body: fc.uint8Array({ maxLength: 50 }) }, { noNullPrototype: true });

function concat(parts: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(Buffer.concat(parts));
}

/** The bytes in pieces; sizes go round. */
function cut(bytes: Uint8Array, sizes: readonly number[]): Uint8Array[] {
  const pieces: Uint8Array[] = [];
  for (let at = 0, turn = 0; at < bytes.length; turn++) {
    const size = sizes[turn % sizes.length] as number;
    pieces.push(bytes.subarray(at, at + size));
    at += size;
  }
  return pieces;
}

const sizes = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 10 });

test("a frame reads as it was written", () => {
  fc.assert(fc.property(frame, (one) => {
    assert.deepEqual(readFrame(writeFrame(one), 50), { ok: true, value: one });
  }));
});

test("cutting the byte stream anywhere gives the same frames", () => {
  fc.assert(fc.property(fc.array(frame, { maxLength: 8 }), sizes, (frames, how) => {
    const decoder = new FrameDecoder(50);
    const bytes = concat(frames.map(writeFrame));
    const seen = cut(bytes, how).flatMap((piece) => decoder.push(piece));
    assert.deepEqual(seen, frames);
    assert.equal(decoder.pending, 0);
    decoder.end();
  }), { numRuns: 300 });
});

test("garbage gives frames or a typed fault, the same wherever it is cut", () => {
  const outcome = (pieces: readonly Uint8Array[]): unknown => {
    const decoder = new FrameDecoder(1_000);
    const frames: Frame[] = [];
    try {
      for (const piece of pieces) frames.push(...decoder.push(piece));
      decoder.end();
      return { frames };
    } catch (error) {
      const { code, facts } = error as { code: string; facts: object };
      assert.match(code, /^codec\.(malformed|too_large)$/);
      return { frames, code, ...code === "codec.too_large" ? facts : {} };
    }
  };
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), sizes, (bytes, how) => {
    assert.deepEqual(outcome(cut(bytes, how)), outcome([bytes, new Uint8Array()]));
  }), { numRuns: 500 });
});

test("bytes that wait for the rest of their frame are counted", () => {
  const decoder = new FrameDecoder(10);
  const bytes = writeFrame({ lane: "rpc_signal", body: new Uint8Array(10) });
  assert.deepEqual(decoder.push(bytes.subarray(0, 3)), []);
  assert.equal(decoder.pending, 3);
  assert.deepEqual(decoder.push(bytes.subarray(3, 9)), []);
  assert.equal(decoder.pending, 9);
  assert.throws(() => decoder.end(), { code: "codec.malformed" });
});

test("the decoder gives the frames before a fault, then the fault, and is dead", () => {
  const good = writeFrame({ lane: "rpc_reliable", body: Uint8Array.of(1) });
  const decoder = new FrameDecoder(10);
  assert.equal(decoder.push(concat([good, Uint8Array.of(5, 0, 0, 0, 0), good])).length, 1);
  for (let turn = 0; turn < 2; turn++) assert.throws(() => decoder.push(good), { code: "codec.malformed" });
  assert.throws(() => decoder.end(), { code: "codec.malformed" });
});

test("a length over the limit is refused before its body comes", () => {
  const head = Uint8Array.of(0, 0xff, 0xff, 0xff, 0xff);
  assert.throws(() => new FrameDecoder(16).push(head),
    { code: "codec.too_large", facts: { bytes: 0xffff_ffff, limit: 16 } });
});

test("a claimed length takes no memory", () => {
  const decoder = new FrameDecoder(0xffff_ffff);
  const before = process.memoryUsage().arrayBuffers;
  decoder.push(Uint8Array.of(0, 0x3f, 0xff, 0xff, 0xff, 1, 2, 3));
  assert.ok(process.memoryUsage().arrayBuffers - before < 10_000_000);
  assert.equal(decoder.pending, 8);
});

for (const [title, bytes, rule] of [
  ["less than its head", [0, 0, 0, 0], "truncated"],
  ["a payload type above 4", [5, 0, 0, 0, 0], "payload_type"],
  ["a body that is shorter than its length", [0, 0, 0, 0, 2, 1], "length"],
  ["a body that is longer than its length", [0, 0, 0, 0, 1, 1, 1], "length"],
] as const) {
  test(`a WebSocket message with ${title} is no frame`, () => {
    const read = readFrame(Uint8Array.from(bytes), 100);
    assert.ok(!read.ok);
    assert.equal((read.fault.facts as { rule?: string }).rule, rule);
  });
}

test("data channels have the names of their lanes, and media has none", () => {
  assert.deepEqual(LANES.map(laneLabel),
    ["RPC_RELIABLE", "RPC_SIGNAL", "STREAM_RELIABLE", "STREAM_LATENCY_FIRST", "MEDIA_RTP"]);
  assert.deepEqual(LANES.map((lane) => laneOfLabel(laneLabel(lane))), [...LANES.slice(0, 4), undefined]);
  assert.equal(laneOfLabel("rpc_reliable"), undefined);
});
