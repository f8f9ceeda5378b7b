/** What an earlier process has left (spec: node 3.1 step 2, 3.3 step 4, 4.6, 4.14). */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Outcome, StateStore } from "@atoll-run/core";
import { ManualClock, memoryState } from "@atoll-run/testkit";
import { answerOf, done, end, inboxOf, openInbox, peer, SCOPE, shut, type Handlers, type Made } from "../dispatch/support.ts";

const HANG = (): Promise<Outcome> => new Promise(() => undefined);

/** Inboxes that died one after the other while the message ran. */
async function dieRunning(store: StateStore, times: number, o: { clock: ManualClock }): Promise<void> {
  for (let i = 0; i < times; i++) {
    const made = await openInbox({ note: { run: HANG, policy: { handlerLimitMs: 1e9 } } }, { store, clock: o.clock });
    if (i === 0) await made.tell("a");
    // Long enough for its back-off and its lease.
    for (let turn = 0; turn < 20; turn++) await o.clock.pass(turn === 0 ? 310_000 : 0);
  }
}

async function rowOf(store: StateStore): Promise<{ crashes: number; attempts: number; leased: boolean } | undefined> {
  const [row] = await store.rows(SCOPE, { after: 0, limit: 1 });
  return row === undefined ? undefined : { crashes: row.crashes, attempts: row.attempts, leased: row.leased };
}

test("what was waiting and what was running comes back in its order, and counts what was running", async () => {
  const [store, clock] = [memoryState(), new ManualClock()];
  const first = await openInbox({ note: HANG }, { store, clock });
  for (const id of ["a", "b", "c"]) await first.tell(id);
  const runs: unknown[] = [];
  const second = inboxOf({ note: ({ id, redelivered }) => {
    runs.push([id, redelivered]);
    return done();
  } }, { store, clock });
  assert.deepEqual(await second.inbox.recover(), { rows: 3, suspects: 1, expired: 0, buried: 0 });
  assert.deepEqual(runs, [], "nothing runs before it is open");
  second.inbox.open();
  for (let turn = 0; turn < 20; turn++) await clock.pass(0);
  assert.deepEqual(runs, [["a", true], ["b", false], ["c", false]]);
  await shut(second);
  assert.equal((await store.usage(SCOPE)).rows, 0);
});

test("a duplicate of a recovered call joins it and gets its answer", async () => {
  const [store, clock] = [memoryState(), new ManualClock()];
  const first = await openInbox({ note: HANG }, { store, clock });
  await first.call("a");
  const second = await openInbox({ note: () => done("yes") }, { store, clock });
  const again = second.call("a");
  assert.equal((await again).is, "duplicate");
  assert.equal(await answerOf(again), "yes");
  await shut(second);
});

test("the reply of a recovered call goes into the outbox, since its caller waits nowhere", async () => {
  const [store, clock] = [memoryState(), new ManualClock()];
  await (await openInbox({ note: HANG }, { store, clock })).call("a");
  const second = await openInbox({ note: () => done("yes") }, { store, clock });
  for (let turn = 0; turn < 20; turn++) await clock.pass(0);
  assert.deepEqual((await store.outbox(SCOPE, Number.MAX_SAFE_INTEGER, 9)).map(({ kind }) => kind), ["reply"]);
  await shut(second);
});

test("what expired meanwhile is a dead letter and never runs", async () => {
  const [store, clock] = [memoryState(), new ManualClock()];
  await (await openInbox({ note: HANG }, { store, clock })).tell("a", { envelope: { remaining_ms: 1_000 } });
  clock.advance(500);
  const made = inboxOf({ note: () => assert.fail("it runs") }, { store, clock: new ManualClock(clock.now() + 5_000) });
  assert.equal((await made.inbox.recover()).expired, 1);
  made.inbox.open();
  await made.clock.pass(1);
  assert.deepEqual((await made.inbox.deadLetters.stats()).by_reason, { expired: 1 });
  await shut(made);
});

test("after two crashes a message waits, and runs with nothing beside it", async () => {
  const [store, clock] = [memoryState(), new ManualClock()];
  await dieRunning(store, 2, { clock });
  const running = new Set<string>();
  const beside: string[][] = [];
  const made = await openInbox({ note: async ({ id }) => {
    running.add(id);
    if (running.has("a")) beside.push([...running]);
    for (let i = 0; i < 5; i++) await new Promise((resolve) => setImmediate(resolve));
    running.delete(id);
    return done();
  } }, { store, clock });
  assert.deepEqual(await rowOf(store), { crashes: 2, attempts: 0, leased: false });
  for (let i = 0; i < 5; i++) await made.tell(`t${i}`, { from: peer(i + 2) });
  await clock.pass(999);
  assert.deepEqual(beside, [], "one second of back-off");
  for (let turn = 0; turn < 30; turn++) await clock.pass(1);
  assert.deepEqual(beside, [["a"]]);
  await shut(made);
});

test("after ten crashes a message is the dead letter crashed", async () => {
  const [store, clock] = [memoryState(), new ManualClock()];
  await dieRunning(store, 10, { clock });
  const made = inboxOf({ note: () => assert.fail("it runs") }, { store, clock });
  assert.equal((await made.inbox.recover()).buried, 1);
  made.inbox.open();
  await clock.pass(1);
  const { letters: [letter] } = await made.inbox.deadLetters.list();
  assert.equal(letter?.reason, "crashed");
  assert.equal(letter?.crashes, 10);
  await shut(made);
});

test("a route that must not run twice waits for its row, and after a crash its message is the dead letter uncertain", async () => {
  const [store, clock] = [memoryState(), new ManualClock()];
  const seen: unknown[] = [];
  const handlers: Handlers = { note: { policy: { redeliver: "never" }, run: async () => {
    seen.push(await rowOf(store));
    return await HANG();
  } } };
  await (await openInbox(handlers, { store, clock })).tell("a");
  await clock.pass(1);
  assert.deepEqual(seen, [{ crashes: 0, attempts: 0, leased: true }]);
  const made = await openInbox(handlers, { store, clock });
  await clock.pass(1);
  assert.deepEqual((await made.inbox.deadLetters.stats()).by_reason, { uncertain: 1 });
  assert.equal(seen.length, 1);
  await shut(made);
});

test("a row whose route is gone is the dead letter unknown_route", async () => {
  const [store, clock] = [memoryState(), new ManualClock()];
  await (await openInbox({ note: HANG }, { store, clock })).tell("a");
  const made = await openInbox({}, { store, clock });
  await clock.pass(1);
  assert.deepEqual((await made.inbox.deadLetters.stats()).by_reason, { unknown_route: 1 });
  await shut(made);
});

test("a node that closes lets handlers finish, tells them at four fifths of the time, and takes back the rest uncounted", async () => {
  const finish: (() => void)[] = [];
  const signals: AbortSignal[] = [];
  const made: Made = await openInbox({ note: (_, { signal }) => {
    signals.push(signal);
    return new Promise((resolve) => finish.push(() => resolve(done("yes"))));
  } });
  const [first, second] = [await made.call("a"), await made.call("b")];
  const drained = made.inbox.drain({ deadlineMs: 10_000 });
  await made.clock.pass(7_999);
  finish[0]?.();
  assert.equal(await answerOf(first), "yes");
  assert.equal(signals[1]?.aborted, false);
  await made.clock.pass(1);
  assert.equal(signals[1]?.aborted, true);
  await made.clock.pass(2_000);
  assert.deepEqual(await drained, { handled: 1, returned: 1 });
  assert.equal(await answerOf(second), "error 10001");
  assert.deepEqual(await rowOf(made.store), { crashes: 0, attempts: 0, leased: false });
  await made.inbox.close();
  assert.equal(made.clock.timers, 0);
  const next = await openInbox({ note: ({ attempt, redelivered }) => done(`${attempt} ${redelivered}`) }, { store: made.store });
  assert.equal(await answerOf(next.call("b")), "1 false", "returned rows are the first work of the next start");
  await end(next);
});

test("bodies beyond those that are kept come from the disk when their turn comes", async () => {
  const [store, clock] = [memoryState(), new ManualClock()];
  const finish: (() => void)[] = [];
  const bodies: string[] = [];
  const made = await openInbox({ note: ({ id, payload }) => {
    bodies.push(`${id}=${new TextDecoder().decode(payload)}`);
    return id === "0" ? new Promise((resolve) => finish.push(() => resolve(done()))) : done();
  } }, { store, clock, limits: { mailbox: { bodiesMax: 2 } } });
  const told = await Promise.all(Array.from({ length: 8 }, (_, i) => made.tell(String(i), { payload: `body ${i}` })));
  for (const go of finish) go();
  await Promise.all(told.map(answerOf));
  assert.deepEqual(bodies, Array.from({ length: 8 }, (_, i) => `${i}=body ${i}`));
  await end(made);
});

test("a run that says it has crashed with what it ran in counts when it is opened again, and no attempt does; one that only goes back does not count", async () => {
  const [store, clock] = [memoryState(), new ManualClock()];
  const crash: Outcome = { is: "again", after_ms: 0, crashed: true };
  for (let crashes = 0; crashes < 10; crashes++) {
    const over = Promise.withResolvers<Outcome>();
    const made = await openInbox({ note: { run: () => over.promise, policy: { handlerLimitMs: 1e9 } } }, { store, clock });
    if (crashes === 0) await made.tell("a");
    else assert.deepEqual(await rowOf(store), { crashes, attempts: 0, leased: false });
    for (let turn = 0; turn < 20; turn++) await clock.pass(turn === 0 ? 310_000 : 0);
    // Before the node is told to end, or while it does.
    if (crashes % 2 === 0) over.resolve(crash);
    else setImmediate(() => over.resolve(crash));
    await shut(made);
    assert.deepEqual(await rowOf(store), { crashes, attempts: 0, leased: true });
  }
  const last = inboxOf({ note: () => done() }, { store, clock });
  assert.equal((await last.inbox.recover()).buried, 1);
  await shut(last);
  assert.equal((await store.letters(SCOPE, { after: 0, limit: 1 }))[0]?.reason, "crashed");
});
