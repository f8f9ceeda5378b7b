import assert from "node:assert/strict";
import { test } from "node:test";
import { bytesBeforeField, HelloProofSchema, HelloSSchema, readSignaling, writeMessage, writeSignaling }
  from "@atoll-run/core/internal";
import { fromHex, toHex } from "../codec/vectors.ts";

const hello = {
  version: 1, nonce: new Uint8Array(32), sentAtMs: 5n, features: ["rpc1"], proof: new Uint8Array(64).fill(7),
};

test("what a proof stands for is everything before its field", () => {
  const bytes = writeMessage(HelloSSchema, hello);
  const before = bytesBeforeField(bytes, 15);
  assert.ok(before.ok);
  assert.equal(toHex(before.value), toHex(bytes.subarray(0, bytes.length - 66)));
});

for (const [title, bytes, rule] of [
  ["without the field", "0801", "required"], ["with anything behind it", "0801 7a0107 1001", "not_last"],
  ["with the field twice", "7a0107 7a0107", "not_last"], ["that is cut", "0801 7a05", "truncated"],
  ["with a group", "0801 0b", "group"], ["with field 0", "0001 7a00", "field_number"],
] as const) {
  test(`a message ${title} has no signed part`, () => {
    const before = bytesBeforeField(fromHex(bytes), 15);
    assert.ok(!before.ok);
    assert.equal((before.fault.facts as { rule?: string }).rule, rule);
  });
}

test("the message of a proof alone has an empty signed part", () => {
  const before = bytesBeforeField(writeMessage(HelloProofSchema, { proof: new Uint8Array(64) }), 1);
  assert.deepEqual(before, { ok: true, value: new Uint8Array() });
});

test("a signaling envelope is written with version 2 and read again", () => {
  const bytes = writeSignaling({ envelopeId: "env-1", replyFor: "env-0",
    flow: { case: "envelopeError", value: { code: 429, message: "slow down" } } });
  const read = readSignaling(bytes, 1_000);
  assert.ok(read.ok);
  const { envelopeVersion, envelopeId, flow } = read.value;
  assert.deepEqual([envelopeVersion, envelopeId, flow.case], [2, "env-1", "envelopeError"]);
  const tooLarge = readSignaling(bytes, 3);
  assert.equal(!tooLarge.ok && tooLarge.fault.code, "codec.too_large");
});
