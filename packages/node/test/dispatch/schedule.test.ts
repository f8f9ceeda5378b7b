/** The scheduler alone (spec: node 4.10 to 4.12, 4.14): no clock, no store. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type Job, Schedule } from "../../src/dispatch/schedule.ts";

interface Named extends Job {
  readonly id: string;
}

const LIMITS = { runningMax: 64, normalEvery: 8, agedMs: 5_000, suspectPatienceMs: 30_000 };

function job(id: string, more: Partial<Named> = {}): Named {
  return { id, sender: "ann", key: null, high: false, sinceMs: 0, alone: false, chains: [], awaited: more.chains ?? [], ...more };
}

function scheduleOf(...jobs: readonly Named[]): Schedule<Named> {
  const schedule = new Schedule<Named>(LIMITS);
  for (const one of jobs) schedule.add(one);
  return schedule;
}

/** Ids in the order in which they start. */
function start(schedule: Schedule<Named>, many = 100, nowMs = 0): string {
  const ids: string[] = [];
  for (let next = schedule.next(nowMs); next !== undefined; next = ids.length < many ? schedule.next(nowMs) : undefined) ids.push(next.id);
  return ids.join(" ");
}

test("the high class goes first, senders take turns, and a sender's own go by age", () => {
  const schedule = scheduleOf(
    job("a1"), job("a2"), job("a3"), job("b1", { sender: "bob" }), job("b2", { sender: "bob" }), job("h1", { high: true }),
  );
  assert.equal(start(schedule), "h1 a1 b1 a2 b2 a3");
});

test("every eighth pick is a normal one while the high class floods", () => {
  const high = Array.from({ length: 20 }, (_, i) => job(`h${i}`, { high: true }));
  const order = start(scheduleOf(...high, job("n1"), job("n2"), job("n3"))).split(" ");
  assert.deepEqual(order.flatMap((id, at) => id.startsWith("n") ? [at + 1] : []), [8, 16, 23]);
});

test("what has waited for five seconds counts as high", () => {
  const schedule = scheduleOf(job("old", { sender: "bob" }), job("young", { sender: "bob", sinceMs: 4_000 }));
  for (let i = 0; i < 5; i++) schedule.add(job(`h${i}`, { high: true, sinceMs: 5_000 }));
  assert.equal(start(schedule, 2, 5_000), "h0 old");
});

test("messages with one key run one at a time in their order, others pass them", () => {
  const [a, b] = [job("a", { key: "k" }), job("b", { key: "k" })];
  const schedule = scheduleOf(a, b, job("c", { key: "l" }), job("d"));
  assert.equal(start(schedule), "a c d");
  schedule.remove(a);
  assert.equal(start(schedule), "b");
});

test("a message that waits for its next attempt holds up its own key only", () => {
  const [a, b, c] = [job("a", { key: "k" }), job("b", { key: "k" }), job("c", { key: "l" })];
  const schedule = scheduleOf(a, b, c);
  assert.equal(start(schedule), "a c");
  schedule.away(a);
  assert.equal(start(schedule), "");
  schedule.wake(a);
  assert.equal(start(schedule), "a");
  schedule.remove(a);
  assert.equal(start(schedule), "b");
});

test("no more run at once than the budget allows", () => {
  const schedule = new Schedule<Named>({ ...LIMITS, runningMax: 2 });
  const jobs = ["a", "b", "c"].map((id) => job(id));
  for (const one of jobs) schedule.add(one);
  assert.equal(start(schedule), "a b");
  schedule.remove(jobs[0] as Named);
  assert.equal(start(schedule), "c");
});

test("a message of the chain that holds the key enters while the holder waits for a call, outside of the budget", () => {
  const schedule = new Schedule<Named>({ ...LIMITS, runningMax: 1 });
  const a = job("a", { key: "k", chains: ["c:1"] });
  schedule.add(a);
  assert.equal(start(schedule), "a");
  schedule.add(job("early", { key: "k", chains: ["c:1"] }));
  assert.equal(start(schedule), "", "nobody waits for it yet");
  const waiting = schedule.awaiting(a);
  schedule.add(job("stranger", { key: "k", chains: ["c:2"] }));
  schedule.add(job("nested", { key: "k", chains: ["c:1"] }));
  schedule.add(job("elsewhere", { key: null, chains: ["c:1"] }));
  assert.equal(start(schedule), "nested elsewhere");
  waiting[Symbol.dispose]();
  schedule.add(job("late", { key: "k", chains: ["c:1"] }));
  assert.equal(start(schedule), "");
  schedule.remove(a);
  assert.equal(start(schedule), "", "the nested one still holds the key");
});

test("a suspect runs after the clean ones, with nothing beside it", () => {
  const suspect = job("suspect", { alone: true });
  const [a, b] = [job("a"), job("b")];
  const schedule = scheduleOf(suspect, a, b);
  assert.equal(start(schedule), "a b");
  schedule.remove(a);
  assert.equal(start(schedule), "");
  schedule.remove(b);
  assert.equal(start(schedule), "suspect");
  schedule.add(job("c"));
  assert.equal(start(schedule), "");
  schedule.remove(suspect);
  assert.equal(start(schedule), "c");
});

test("a suspect that has waited for long lets nobody pass any more", () => {
  const a = job("a", { sinceMs: 30_000 });
  const schedule = scheduleOf(job("suspect", { alone: true }), a);
  assert.equal(start(schedule, 100, 29_999), "a");
  schedule.add(job("b", { sinceMs: 30_000 }));
  assert.equal(start(schedule, 100, 30_000), "");
  schedule.remove(a);
  assert.equal(start(schedule, 100, 30_000), "suspect");
});

test("whatever comes and goes, a key has one runner, its order holds, and at the end nothing is left", () => {
  const step = fc.record({ what: fc.constantFrom("add", "start", "end", "away", "wake"), key: fc.constantFrom(null, "k", "l"), pick: fc.nat(20) });
  fc.assert(fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
    const schedule = new Schedule<Named>({ ...LIMITS, runningMax: 3 });
    const waiting: Named[] = [];
    const running: Named[] = [];
    const away: Named[] = [];
    let next = 0;
    const take = (from: Named[], pick: number): Named | undefined => from.splice(pick % Math.max(1, from.length), 1)[0];
    const begin = (): void => {
      const one = schedule.next(0);
      if (one === undefined) return;
      assert.ok(one.key === null || !running.some(({ key }) => key === one.key), "two with one key run");
      const before = waiting.find(({ key }) => key === one.key);
      assert.ok(one.key === null || before === one, "a later one of its key started first");
      assert.ok(one.key === null || !away.some(({ key }) => key === one.key), "it passed one that waits");
      waiting.splice(waiting.indexOf(one), 1);
      running.push(one);
      assert.ok(running.length <= 3);
    };
    const act = { add: (key: string | null) => {
      const one = job(String(next++), { key, sender: String(next % 3), high: next % 4 === 0 });
      waiting.push(one);
      schedule.add(one);
    }, start: begin, end: (_: string | null, pick: number) => {
      const one = take(running, pick);
      if (one !== undefined) schedule.remove(one);
    }, away: (_: string | null, pick: number) => {
      const one = take(running, pick);
      if (one === undefined) return;
      schedule.away(one);
      away.push(one);
    }, wake: (_: string | null, pick: number) => {
      const one = take(away, pick);
      if (one === undefined) return;
      schedule.wake(one);
      // It keeps its place: before all others of its key.
      waiting.unshift(one);
    } };
    for (const { what, key, pick } of steps) act[what](key, pick);
    for (const one of away.splice(0)) act.wake(null, away.push(one) - 1);
    for (let i = 0; i < 1_000 && schedule.size > 0; i++) {
      begin();
      act.end(null, i);
    }
    assert.equal(schedule.size, 0);
    assert.equal(schedule.running, 0);
  }), { numRuns: 300 });
});

test("a message without a key starts at once where nothing waits and there is a place, and only there", () => {
  const one = job("one");
  const schedule = scheduleOf();
  assert.equal(schedule.begin(one), true);
  assert.equal(schedule.running, 1);
  assert.equal(schedule.begin(job("keyed", { key: "k" })), false);
  assert.equal(schedule.begin(job("alone", { alone: true })), false);
  schedule.add(job("before"));
  assert.equal(schedule.begin(job("behind")), false);
  assert.equal(start(schedule), "before");
  const waiting = schedule.awaiting(one);
  assert.equal(schedule.begin(job("of a chain", { chains: ["c"] })), true, "nobody of a chain waits: it has no name");
  waiting[Symbol.dispose]();
  const full = scheduleOf();
  for (let i = 0; i < LIMITS.runningMax; i++) assert.equal(full.begin(job(`n${i}`)), true);
  assert.equal(full.begin(job("too many")), false);
});
