import assert from "node:assert/strict";
import { test } from "node:test";
import { ManualClock } from "@atoll-run/testkit";
import { Turnstile } from "../src/internal.ts";

test("a few work at a time, in the order they came; who waits too long, or behind too many, is sent away", async () => {
  const clock = new ManualClock();
  const turnstile = new Turnstile(clock, 2, 3);
  const began: number[] = [];
  const ends: (() => void)[] = [];
  const enter = (no: number): Promise<number | undefined> => turnstile.run(1_000, () => {
    began.push(no);
    return new Promise((resolve) => ends.push(() => resolve(no)));
  });
  const all = [1, 2, 3, 4, 5, 6].map(enter);
  assert.equal(await all[5], undefined, "three wait already");
  assert.deepEqual(began, [1, 2]);
  ends[0]?.();
  assert.equal(await all[0], 1);
  await clock.pass(0);
  assert.deepEqual(began, [1, 2, 3]);
  await clock.pass(1_000);
  assert.deepEqual([await all[3], await all[4]], [undefined, undefined], "too late");
  for (const end of ends) end();
  assert.deepEqual(await Promise.all(all.slice(1, 3)), [2, 3]);
  const again = enter(7);
  await clock.pass(0);
  ends.at(-1)?.();
  assert.equal(await again, 7);
  assert.equal(clock.timers, 0);
  const failing = turnstile.run(1_000, () => Promise.reject(new Error("its own matter")));
  await assert.rejects(failing, /its own matter/);
});

test("work that waits for nothing goes on a few in each turn of the event loop", async () => {
  const turnstile = new Turnstile(new ManualClock(), 2, 10);
  let done = 0;
  const all = Array.from({ length: 6 }, () => turnstile.run(1_000, async () => ++done));
  const seen: number[] = [];
  for (let turn = 0; turn < 3; turn++) {
    await new Promise((resume) => setImmediate(resume));
    seen.push(done);
  }
  assert.deepEqual(seen, [2, 4, 6]);
  await Promise.all(all);
});
