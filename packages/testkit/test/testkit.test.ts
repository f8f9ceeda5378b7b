import assert from "node:assert/strict";
import { createServer } from "node:net";
import { test } from "node:test";
import { ManualClock, seededIds, until, watchHandles } from "@atoll-run/testkit";

test("a manual clock fires timers in the order of their instants, also those that timers start", () => {
  const clock = new ManualClock(1_000);
  const fired: string[] = [];
  const note = (name: string) => () => void fired.push(`${name}@${clock.monotonic()}`);
  clock.after(20, note("b"));
  clock.after(10, () => {
    note("a")();
    clock.after(5, note("a2"));
  });
  clock.after(10, note("c"));
  clock.after(15, note("never"))[Symbol.dispose]();
  assert.equal(clock.nextMs, 10);
  clock.advance(20);
  assert.deepEqual(fired, ["a@10", "c@10", "a2@15", "b@20"]);
  assert.equal(clock.now(), 1_020);
  assert.equal(clock.timers, 0);
  assert.equal(clock.nextMs, Infinity);
  assert.throws(() => clock.after(Infinity, note("x")), RangeError);
});

test("a manual clock that passes lets promises go on between timers", async () => {
  const clock = new ManualClock();
  const sleep = (ms: number): Promise<void> => new Promise((resolve) => void clock.after(ms, resolve));
  let steps = 0;
  const work = (async () => {
    for (; steps < 5; steps++) await sleep(10);
  })();
  await clock.pass(50);
  assert.equal(steps, 5);
  await work;
});

test("seeded ids repeat with the seed, differ within a run and have the form of UUIDs", () => {
  const clock = new ManualClock();
  const make = (seed: number): string[] => {
    const ids = seededIds(seed, clock);
    return Array.from({ length: 50 }, (_, i) => (i % 2 === 0 ? ids.uuid4() : ids.uuid7()));
  };
  assert.deepEqual(make(1), make(1));
  assert.equal(new Set([...make(1), ...make(2), ...make(0)]).size, 150);
  for (const [i, id] of make(7).entries()) {
    assert.match(id, /^[0-9a-f]{8}-[0-9a-f]{4}-[47][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    assert.equal(id.charAt(14), i % 2 === 0 ? "4" : "7");
  }
  const ids = seededIds(1, clock);
  const sorted = Array.from({ length: 20 }, () => {
    clock.advance(1);
    return ids.uuid7();
  });
  assert.deepEqual(sorted.toSorted(), sorted);
});

test("until gives what the condition gives, and says what it waited for in vain", async () => {
  let looks = 0;
  assert.equal(await until(() => (++looks > 3 ? "there" : undefined), { everyMs: 1 }), "there");
  await assert.rejects(until(() => false, { withinMs: 5, everyMs: 1, what: "rain" }),
    /not within 5 ms: rain/);
  await assert.rejects(until(() => {
    throw new Error("own");
  }), /own/);
});

test("what a test leaves open is named, and nothing else", async () => {
  const handles = watchHandles();
  await handles.check();
  const server = createServer();
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
  assert.deepEqual(handles.open(), ["TCPServerWrap"]);
  await assert.rejects(handles.check({ withinMs: 5 }), /still open: TCPServerWrap/);
  server.close();
  await handles.check();
});
