import assert from "node:assert/strict";
import { test } from "node:test";
import { Deadline, onAbort, sleep, withDeadline } from "@atoll-run/core";
import { ManualClock } from "@atoll-run/testkit";

const timedOut = { code: "core.timed_out", retry: "later" };

test("a deadline says what is left and never less than nothing", () => {
  const clock = new ManualClock();
  const deadline = new Deadline(clock, 100);
  clock.advance(40);
  assert.equal(deadline.leftMs(), 60);
  assert.equal(deadline.passed, false);
  clock.advance(400);
  assert.equal(deadline.leftMs(), 0);
  assert.ok(deadline.passed);
});

test("the earlier of two deadlines counts, and a part of the work never gets more than the whole", () => {
  const clock = new ManualClock();
  const long = new Deadline(clock, 100);
  const short = new Deadline(clock, 30);
  assert.equal(long.min(short), short);
  assert.equal(short.min(long), short);
  assert.equal(long.within(1_000).leftMs(), 100);
  assert.equal(long.within(10).leftMs(), 10);
  assert.equal(new Deadline(clock, Infinity).min(long), long);
});

test("the signal of a deadline aborts with its fault, and a disposed deadline leaves no timer", () => {
  const clock = new ManualClock();
  const deadline = new Deadline(clock, 100, "the answer");
  const { signal } = deadline;
  assert.equal(deadline.signal, signal);
  clock.advance(99);
  assert.equal(signal.aborted, false);
  clock.advance(1);
  assert.throws(() => signal.throwIfAborted(),
    { ...timedOut, message: "the answer took longer than 100 ms" });
  assert.ok(new Deadline(clock, 0).signal.aborted);
  {
    using other = new Deadline(clock, 100);
    assert.equal(other.signal.aborted, false);
    assert.equal(clock.timers, 1);
  }
  const early = new Deadline(clock, 100);
  early[Symbol.dispose]();
  assert.equal(early.signal.aborted, false);
  assert.equal(clock.timers, 0);
  assert.equal(new Deadline(clock, Infinity).signal.aborted, false);
  assert.equal(clock.timers, 0);
});

test("withDeadline gives the value, or what was thrown, and leaves no timer", async () => {
  const clock = new ManualClock();
  assert.equal(await withDeadline(() => 7, { clock, ms: 10 }), 7);
  assert.equal(await withDeadline(async () => "later", { clock, ms: Infinity }), "later");
  await assert.rejects(withDeadline(() => {
    throw new Error("sync");
  }, { clock, ms: 10 }), /sync/);
  await assert.rejects(withDeadline(() => Promise.reject(new Error("async")), { clock, ms: 10 }), /async/);
  assert.equal(clock.timers, 0);
});

test("withDeadline gives up when the time is over, aborts the work and drops what it still brings",
  async () => {
  const clock = new ManualClock();
  let inner: AbortSignal | undefined;
  const { promise, reject } = Promise.withResolvers<never>();
  const wait = withDeadline((signal) => {
    inner = signal;
    return promise;
  }, { clock, ms: 50, what: "connect" });
  const seen = assert.rejects(wait, { ...timedOut, message: "connect took longer than 50 ms" });
  await clock.pass(50);
  await seen;
  assert.ok(inner?.aborted);
  reject(new Error("late"));
  await clock.pass(0);
  assert.equal(clock.timers, 0);
});

test("withDeadline gives up with the caller's own reason", async () => {
  const clock = new ManualClock();
  const controller = new AbortController();
  const why = new Error("cancelled");
  const wait = withDeadline(() => new Promise(() => undefined), { clock, ms: 50, signal: controller.signal });
  controller.abort(why);
  await assert.rejects(wait, (error) => error === why);
  assert.equal(clock.timers, 0);
});

test("without time, or with an aborted signal, the work is not begun", async () => {
  const clock = new ManualClock();
  let begun = 0;
  await assert.rejects(withDeadline(() => begun++, { clock, ms: 0 }), timedOut);
  await assert.rejects(withDeadline(() => begun++,
    { clock, ms: 9, signal: AbortSignal.abort(new Error("no")) }), /no/);
  assert.equal(begun, 0);
});

test("sleep ends after its time or at once with the reason of the signal", async () => {
  const clock = new ManualClock();
  const slept = sleep(100, { clock });
  await clock.pass(100);
  await slept;
  const controller = new AbortController();
  const cut = sleep(100, { clock, signal: controller.signal });
  controller.abort(new Error("wake"));
  await assert.rejects(cut, /wake/);
  await assert.rejects(sleep(1, { clock, signal: controller.signal }), /wake/);
  assert.equal(clock.timers, 0);
});

test("onAbort hears once, also of a signal that aborted before, and nothing after dispose", () => {
  const heard: unknown[] = [];
  const controller = new AbortController();
  onAbort(controller.signal, (reason) => heard.push(reason));
  onAbort(controller.signal, () => heard.push("never"))[Symbol.dispose]();
  onAbort(undefined, () => heard.push("never"))[Symbol.dispose]();
  controller.abort("a");
  onAbort(controller.signal, (reason) => heard.push(reason));
  assert.deepEqual(heard, ["a", "a"]);
});
