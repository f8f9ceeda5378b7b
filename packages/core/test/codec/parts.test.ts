/**
 * Goal: messages come whole out of a data channel. Invariant: the order of parts and repeats change nothing,
 * every cap holds, and what was counted is given back. Method: random messages, orders and garbage.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { MessageCutter, MessageJoiner, WIRE_LIMITS, type JoinerLimits } from "@atoll-run/core/internal";

const LIMITS: JoinerLimits = { messageBytesMax: 1_000, openMessagesMax: 4, ageMsMax: 100, lossy: false };
const budget = (bytesMax = 1_000_000): { bytesMax: number; used: number } => ({ bytesMax, used: 0 });
const part = (id: number, index: number, total: number, body: readonly number[] = [1]): Uint8Array =>
  Uint8Array.of(0, 0, 0, id, 0, index, 0, total, ...body);

test("messages come out whole, whatever the order of their parts and however often they come", () => {
  const messages = fc.array(fc.uint8Array({ maxLength: 90 }), { minLength: 1, maxLength: 4 });
  const sizes = fc.integer({ min: 9, max: 40 });
  fc.assert(fc.property(messages, sizes, fc.infiniteStream(fc.nat()), (all, size, random) => {
    const cutter = new MessageCutter(size, 0xffff_fffe);
    const parts = all.flatMap((message) => cutter.cut(message)).filter((one) => one.length <= size);
    const weights = new Map(parts.map((one) => [one, random.next().value as number]));
    const shuffled = parts.toSorted((a, b) => (weights.get(a) as number) - (weights.get(b) as number));
    const held = budget();
    const joiner = new MessageJoiner(LIMITS, held);
    const seen = shuffled.flatMap((one, index) => {
      const message = joiner.push(one, 0);
      // An equal repeat of a part whose message is still open is ignored.
      const again = message === undefined && index % 2 === 0 ? joiner.push(one, 0) : undefined;
      assert.equal(again, undefined);
      return message === undefined ? [] : [Buffer.from(message).toString("hex")];
    });
    assert.deepEqual(seen.sort(), all.map((message) => Buffer.from(message).toString("hex")).sort());
    assert.deepEqual([joiner.pending, held.used], [0, 0]);
  }), { numRuns: 300 });
});

test("garbage gives messages or a typed fault, and what was counted is given back", () => {
  fc.assert(fc.property(fc.array(fc.uint8Array({ maxLength: 12 }), { maxLength: 20 }), (all) => {
    const held = budget(2_000);
    const joiner = new MessageJoiner(LIMITS, held);
    try {
      for (const one of all) joiner.push(one, 0);
    } catch (error) {
      assert.match((error as { code: string }).code, /^codec\.(malformed|too_large)$/);
      assert.equal(joiner.pending, 0);
    }
    assert.equal(held.used, joiner.pending);
    joiner.close();
    assert.equal(held.used, 0);
  }), { numRuns: 500 });
});

test("message ids count up and begin again", () => {
  const cutter = new MessageCutter(undefined, 0xffff_ffff);
  const ids = [1, 2, 3].map(() => Buffer.from(cutter.cut(new Uint8Array())[0] as Uint8Array).readUInt32BE(0));
  assert.deepEqual(ids, [0xffff_ffff, 0, 1]);
});

test("a part is at most 65,535 bytes with its head", () => {
  const parts = new MessageCutter().cut(new Uint8Array(65_528));
  assert.deepEqual(parts.map(({ length }) => length), [65_535, 9]);
  assert.throws(() => new MessageCutter(9).cut(new Uint8Array(65_536)), { code: "codec.too_large" });
  const joiner = new MessageJoiner({ ...LIMITS, messageBytesMax: 1e6 }, budget());
  assert.throws(() => joiner.push(new Uint8Array(65_536), 0), { code: "codec.too_large" });
});

for (const [title, parts, rule] of [
  ["less than its head", [Uint8Array.of(0, 0, 0, 1, 0, 0, 0)], "truncated"],
  ["a total of 0", [part(1, 0, 0)], "index"],
  ["an index that is not below the total", [part(1, 2, 2)], "index"],
  ["another total than before", [part(1, 0, 2), part(1, 1, 3)], "total"],
  ["a total of 1 for a message that is open", [part(1, 0, 2), part(1, 0, 1)], "total"],
  ["other bytes for a part that came before", [part(1, 0, 2), part(1, 0, 2, [2])], "repeat"],
  ["a fifth open message", [1, 2, 3, 4, 5].map((id) => part(id, 0, 2)), "open_messages"],
] as const) {
  test(`a part with ${title} ends the lane`, () => {
    const held = budget();
    const joiner = new MessageJoiner(LIMITS, held);
    const [last, ...before] = parts.toReversed();
    for (const one of before.toReversed()) assert.equal(joiner.push(one, 0), undefined);
    for (let turn = 0; turn < 2; turn++) {
      assert.throws(() => joiner.push(turn === 0 ? last as Uint8Array : part(9, 0, 1), 0),
        (error: { code: string; facts: { rule: string } }) =>
          error.code === "codec.malformed" && error.facts.rule === rule);
    }
    assert.deepEqual([joiner.pending, held.used], [0, 0]);
  });
}

test("a message over its limit is refused when the part comes that passes it", () => {
  const joiner = new MessageJoiner({ ...LIMITS, messageBytesMax: 3 }, budget());
  assert.equal(joiner.push(part(1, 0, 3, [1, 2]), 0), undefined);
  assert.throws(() => joiner.push(part(1, 1, 3, [1, 2]), 0), { code: "codec.too_large" });
  const whole = new MessageJoiner({ ...LIMITS, messageBytesMax: 3 }, budget());
  assert.throws(() => whole.push(part(1, 0, 1, [1, 2, 3, 4]), 0), { code: "codec.too_large" });
});

test("the lanes of one peer share one budget, in which a part counts 256 bytes more", () => {
  const held = budget(3 * (WIRE_LIMITS.partCostBytes + 1));
  const lanes = [1, 2].map(() => new MessageJoiner(LIMITS, held));
  lanes[0]?.push(part(1, 0, 3), 0);
  lanes[1]?.push(part(1, 0, 3), 0);
  lanes[1]?.push(part(1, 1, 3), 0);
  assert.equal(held.used, held.bytesMax);
  assert.throws(() => lanes[0]?.push(part(1, 1, 3), 0), { code: "codec.too_large" });
  assert.equal(held.used, 2 * 257);
});

test("what is too old is lost on a lossy lane and a fault on one that loses nothing", () => {
  const lossy = new MessageJoiner({ ...LIMITS, lossy: true }, budget());
  lossy.push(part(1, 0, 2), 0);
  lossy.push(part(2, 0, 2), 50);
  assert.equal(lossy.expire(100), 0);
  assert.equal(lossy.expire(101), 1);
  assert.deepEqual(lossy.push(part(2, 1, 2), 120), Uint8Array.of(1, 1));
  assert.equal(lossy.pending, 0);
  const ordered = new MessageJoiner(LIMITS, budget());
  ordered.push(part(1, 0, 2), 0);
  assert.equal(ordered.expire(100), 0);
  assert.throws(() => ordered.expire(101), { code: "codec.malformed" });
});
