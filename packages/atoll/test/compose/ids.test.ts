import assert from "node:assert/strict";
import { test } from "node:test";
import { systemIds } from "../../src/compose/ids.ts";
import type { Clock } from "@atoll-run/core";

const V4 = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const V7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

function clockAt(times: number[]): Clock {
  let last = 0;
  return { now: () => (last = times.shift() ?? last), monotonic: () => 0,
    after: () => ({ [Symbol.dispose]: () => undefined }) };
}

test("uuid4 is random, version 4", () => {
  const { uuid4 } = systemIds(clockAt([0]));
  const ids = Array.from({ length: 1_000 }, uuid4);
  for (const id of ids) assert.match(id, V4);
  assert.equal(new Set(ids).size, ids.length);
});

test("uuid7 holds the time in milliseconds, version 7", () => {
  const { uuid7 } = systemIds(clockAt([0x0123_4567_89ab]));
  const id = uuid7();
  assert.match(id, V7);
  assert.equal(id.slice(0, 13), "01234567-89ab");
});

test("uuid7 of one source sorts in the order it was made: in one millisecond, and when the clock is set back",
  () => {
  const { uuid7 } = systemIds(
    clockAt([...Array.from({ length: 10_000 }, () => 5_000), 4_000, 4_000, 6_000, 1]));
  const ids = Array.from({ length: 10_010 }, uuid7);
  assert.deepEqual(ids, ids.toSorted());
  assert.equal(new Set(ids).size, ids.length);
  for (const id of ids) assert.match(id, V7);
});
