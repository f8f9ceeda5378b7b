import assert from "node:assert/strict";
import { test } from "node:test";
import { Bug, Closing } from "@atoll-run/core";
import { ManualClock } from "@atoll-run/testkit";

function thing(name: string, log: string[]): AsyncDisposable {
  return { [Symbol.asyncDispose]: async () => void log.push(name) };
}

test("owned things are closed in reverse order, each once", async () => {
  const log: string[] = [];
  const closing = new Closing();
  const a = thing("a", log);
  assert.equal(closing.use(a), a);
  closing.use({ [Symbol.dispose]: () => void log.push("b") });
  closing.defer(() => void log.push("c"));
  await closing[Symbol.asyncDispose]();
  await closing[Symbol.asyncDispose]();
  assert.deepEqual(log, ["c", "b", "a"]);
});

test("every step runs even when others fail, and all failures come together", async () => {
  const log: string[] = [];
  const closing = new Closing();
  closing.use(thing("a", log), { name: "a" });
  closing.defer(() => Promise.reject(new Error("late")), { name: "b" });
  closing.defer(() => {
    throw new Error("early");
  }, { name: "c" });
  await assert.rejects(async () => closing[Symbol.asyncDispose](), (error) => {
    assert.ok(error instanceof AggregateError);
    assert.equal(error.message, "could not close: c, b");
    assert.deepEqual(error.errors.map((e: Error) => e.message), ["early", "late"]);
    return true;
  });
  assert.deepEqual(log, ["a"]);
});

test("close reports failures instead of throwing them", async () => {
  const closing = new Closing();
  const error = new Error("no");
  closing.defer(() => Promise.reject(error), { name: "store" });
  assert.deepEqual(await closing.close(), { unfinished: [], failed: [{ name: "store", error }] });
});

test("a step that is over its time is given up, told so, and named as unfinished; the others still run",
  async () => {
  const clock = new ManualClock();
  const log: string[] = [];
  let told: unknown;
  const closing = new Closing({ clock });
  closing.use(thing("first", log));
  closing.defer((signal) => new Promise(() => signal.addEventListener("abort", () => (told = signal.reason))),
    {
    name: "hanging", withinMs: 100,
  });
  closing.use(thing("last", log));
  const report = closing.close();
  await clock.pass(99);
  assert.deepEqual(log, ["last"]);
  await clock.pass(1);
  assert.deepEqual(await report, { unfinished: ["hanging"], failed: [] });
  assert.deepEqual(log, ["last", "first"]);
  assert.match(String(told), /closing hanging took longer than 100 ms/);
  await assert.rejects(async () => closing[Symbol.asyncDispose](), /could not close: hanging/);
  assert.equal(clock.timers, 0);
});

test("all steps together keep to the time of the whole, and each is started", async () => {
  const clock = new ManualClock();
  const log: string[] = [];
  const closing = new Closing({ clock, withinMs: 50 });
  closing.use(thing("quick", log));
  closing.defer(() => {
    log.push("two");
    return new Promise(() => undefined);
  }, { name: "two" });
  closing.defer(() => new Promise(() => undefined), { name: "one", withinMs: 1_000 });
  const report = closing.close();
  await clock.pass(60);
  assert.deepEqual((await report).unfinished, ["one", "two"]);
  assert.deepEqual(log, ["two", "quick"]);
});

test("what a given-up step throws afterwards hurts nobody", async () => {
  const clock = new ManualClock();
  const closing = new Closing({ clock });
  const { promise, reject } = Promise.withResolvers<void>();
  closing.defer(() => promise, { name: "late", withinMs: 10 });
  const report = closing.close();
  await clock.pass(10);
  assert.deepEqual((await report).unfinished, ["late"]);
  reject(new Error("too late"));
  await clock.pass(0);
});

test("nothing can be added once closing has begun", async () => {
  const closing = new Closing();
  const done = closing.close();
  assert.ok(closing.begun);
  assert.throws(() => closing.defer(() => undefined), Bug);
  await done;
});
