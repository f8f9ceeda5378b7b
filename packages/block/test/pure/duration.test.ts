import assert from "node:assert/strict";
import { test } from "node:test";
import { formatDuration, toSleepMs } from "../../src/pure/duration.ts";

const TEXTS: readonly (readonly [ms: number, text: string])[] = [
  [2000, "2s"], [1500, "1.5s"], [500, "500ms"], [1000, "1s"], [999, "999ms"], [120_000, "120s"], [1234, "1.234s"],
  [0, "0ms"], [0.5, "0.5ms"], [100.1 * 3, "300.3ms"], [30_000, "30s"],
];

for (const [ms, text] of TEXTS) {
  test(`a duration of ${ms} ms prints ${text}`, () => assert.equal(formatDuration(ms), text));
}

test("a sleep takes seconds with fractions, from 0 to a day", () => {
  assert.deepEqual([0, -0, 0.25, 86_400].map((seconds) => Math.abs(toSleepMs(seconds))), [0, 0, 250, 86_400_000]);
});

const REFUSED: readonly (readonly [seconds: number, text: string])[] = [
  [-1, "sleep duration must be a finite non-negative number, got -1"],
  [-0.5, "sleep duration must be a finite non-negative number, got -0.5"],
  [Number.NaN, "sleep duration must be a finite non-negative number, got NaN"],
  [Infinity, "sleep duration must be a finite non-negative number, got inf"],
  [-Infinity, "sleep duration must be a finite non-negative number, got -inf"],
  [86_400.5, "sleep duration must not exceed 86400 seconds"],
];

for (const [seconds, text] of REFUSED) {
  test(`a sleep of ${seconds} is refused: ${text}`, () => {
    assert.throws(() => toSleepMs(seconds), { message: text, code: "script.argument" });
  });
}
