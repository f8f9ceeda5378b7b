/**
 * Goal: nothing is guessed. Invariant: each rule of the strict decoder refuses what it names, and what it
 * accepts is written again in canonical form. Method: the vectors beside the codecs, for any implementation.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import * as wire from "@atoll-run/core/internal";
import type { DescMessage, Read } from "@atoll-run/core/internal";
import { readRecord } from "../../src/codec/read-record.ts";
import { defineShape, field, type Shape } from "../../src/codec/shape.ts";
import { fromHex, readVectors, toHex } from "./vectors.ts";

interface Vector { readonly title: string; readonly message: string; readonly bytes: string }
interface Strict {
  readonly refused: readonly (Vector & { readonly rule: string; readonly field?: string })[];
  readonly accepted: readonly (Vector & { readonly canonical: string })[];
}

const strict = readVectors<Strict>("strict");
const OURS = { extensions: true };

/** The canonical bytes of what was read. */
function reread(message: string, bytes: Uint8Array): Read<Uint8Array> {
  const to = <T>(read: Read<T>, write: (value: T) => Uint8Array): Read<Uint8Array> =>
    read.ok ? { ok: true, value: write(read.value) } : read;
  if (message === "actr.RpcEnvelope") {
    return to(wire.readEnvelope(bytes), (it) => wire.writeEnvelope(it, OURS));
  }
  if (message === "actr.DataChunk") {
    return to(wire.readChunk(bytes), (it) => wire.writeChunk(it, OURS));
  }
  if (message === "signaling.SignalingEnvelope") {
    return to(wire.readSignaling(bytes, 1_000), (it) => wire.toBinary(wire.SignalingEnvelopeSchema, it));
  }
  const schema = (Object.values(wire) as unknown[]).find((one): one is DescMessage =>
    (one as { typeName?: unknown } | null)?.typeName === message);
  assert.ok(schema, `no schema ${message}`);
  return to(wire.readMessage(schema, bytes), (it) => wire.toBinary(schema, it));
}

for (const { title, message, bytes, rule, field } of strict.refused) {
  test(`${message}: ${title} is refused by the rule ${rule}`, () => {
    const read = reread(message, fromHex(bytes));
    assert.ok(!read.ok, "it was accepted");
    assert.equal(read.fault.code, "codec.malformed");
    const { facts } = read.fault as { facts: { rule?: string; field?: string } };
    assert.deepEqual([facts.rule, facts.field], [rule, field]);
  });
}

for (const { title, message, bytes, canonical } of strict.accepted) {
  test(`${message}: ${title} is accepted`, () => {
    const read = reread(message, fromHex(bytes));
    assert.ok(read.ok, read.ok ? "" : read.fault.message);
    assert.equal(toHex(read.value), toHex(fromHex(canonical)));
  });
}

test("messages may be 32 deep, not 33", () => {
  const nested = (levels: number): Shape => defineShape(`level${levels}`,
    levels === 1 ? [] : [field("1? next message", { shape: nested(levels - 1) })]);
  const bytes = (levels: number): Uint8Array => {
    const inner = levels === 1 ? new Uint8Array() : bytes(levels - 1);
    return levels === 1 ? inner : Uint8Array.of(0x0a, inner.length, ...inner);
  };
  assert.doesNotThrow(() => readRecord(nested(32), bytes(32)));
  assert.throws(() => readRecord(nested(33), bytes(33)),
    (error: { facts: { rule: string } }) => error.facts.rule === "depth");
});
