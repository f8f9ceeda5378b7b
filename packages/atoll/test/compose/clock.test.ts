import assert from "node:assert/strict";
import { test } from "node:test";
import { until, watchHandles } from "@atoll-run/testkit";
import { systemClock } from "../../src/compose/clock.ts";

const handles = watchHandles();

test("a timer calls back once and never early", async () => {
  for (const ms of [0, 0.4, 1, 3.7, 20]) {
    const begun = performance.now();
    const at = await new Promise<number>((done) => systemClock.after(ms, () => done(performance.now())));
    assert.ok(at - begun >= ms, `${ms} ms took ${at - begun}`);
  }
});

test("a disposed timer never calls, and leaves nothing open", async () => {
  let calls = 0;
  const timers = [systemClock.after(5, () => calls++), systemClock.after(0, () => calls++)];
  for (const timer of timers) timer[Symbol.dispose]();
  await new Promise<void>((done) => systemClock.after(20, done));
  assert.equal(calls, 0);
  await handles.check();
});

test("a wait of more than 2^31 milliseconds does not fire at once, and can be disposed", async () => {
  let called = false;
  const timer = systemClock.after(2 ** 40, () => (called = true));
  await new Promise<void>((done) => systemClock.after(20, done));
  assert.equal(called, false);
  assert.ok(process.getActiveResourcesInfo().includes("Timeout"), "it keeps the process alive");
  timer[Symbol.dispose]();
  await until(() => handles.open().length === 0);
});

test("a wait that is no time is refused", () => {
  for (const ms of [-1, Number.NaN, Infinity]) assert.throws(
    () => systemClock.after(ms, () => undefined), RangeError);
});

test("monotonic never goes back, and now is the time of day", () => {
  const times = Array.from({ length: 1_000 }, () => systemClock.monotonic());
  assert.deepEqual(times, times.toSorted((a, b) => a - b));
  assert.ok(Math.abs(systemClock.now() - Date.now()) < 1_000);
});
