/** A store that fails (spec: node 4.5, 4.13, 4.17; acceptance 7 and 44). */
import assert from "node:assert/strict";
import { test } from "node:test";
import { nodeError, stateBroken, stateFull, stateTimedOut, type Batch, type Fault, type Outcome, type StateStore } from "@atoll-run/core";
import { memoryState } from "@atoll-run/testkit";
import { answerOf, done, end, openInbox, SCOPE } from "../dispatch/support.ts";

/** Batches for which `fails` gives a fault are not done. */
function failing(fails: (batch: Batch) => Fault | undefined): StateStore {
  const store = memoryState();
  return { ...store, commit: async (batch) => {
    const fault = fails(batch);
    if (fault !== undefined) throw fault;
    return await store.commit(batch);
  } };
}

function has(batch: Batch, name: string): boolean {
  return batch.ops.some(({ op }) => op === name);
}

test("on a full disk nothing is accepted, what was accepted is finished when there is space again", async () => {
  let full = false;
  let finish = (): void => undefined;
  const made = await openInbox({ note: ({ id }) => id === "a"
    ? new Promise<Outcome>((resolve) => finish = () => resolve(done("yes"))) : done("yes") }, {
    store: failing(() => full ? stateFull("/state.sqlite") : undefined),
  });
  const accepted = await made.call("a");
  full = true;
  finish();
  const refused = await made.tell("b");
  assert.equal(refused.is === "refused" ? refused.fault.code : "", "node.storage_full");
  assert.equal(made.inbox.ready, true);
  await made.clock.pass(6_000);
  assert.equal(made.inbox.ready, false, "after five seconds the node cannot promise anything");
  assert.equal((await made.tell("c")).is, "refused");
  full = false;
  await made.clock.pass(6_000);
  assert.equal(made.inbox.ready, true);
  assert.equal(await answerOf(accepted), "yes");
  assert.equal(await answerOf(made.call("d")), "yes");
  assert.deepEqual(made.events.map(([name]) => name), ["error"], "it is told once");
  assert.equal((await made.store.usage(SCOPE)).rows, 0);
  await end(made);
});

test("a message whose dead letter cannot be written once is neither lost nor doubled", async () => {
  let failures = 1;
  const made = await openInbox({ note: () => ({ is: "failed", fault: nodeError("node.not_found", "no") }) }, {
    store: failing((batch) => has(batch, "bury") && failures-- > 0 ? stateFull("/state.sqlite") : undefined),
  });
  // Its row must be there before the handler ends, or it would never have been accepted.
  const told = await made.tell("a");
  if (told.is === "refused") {
    assert.equal((await made.tell("a")).is, "refused", "the store is given time");
    await made.clock.pass(200);
    assert.equal(await answerOf(made.tell("a")), "");
  } else await told.settled;
  const { rows, letters } = await made.store.usage(SCOPE);
  assert.deepEqual([rows, letters], [0, 1]);
  await end(made);
});

test("a completion that cannot be written keeps the row, sends nothing, and does not run the handler again", async () => {
  let failures = 2;
  let runs = 0;
  const made = await openInbox({ note: { policy: { redeliver: "never" }, run: () => {
    runs += 1;
    return done("yes");
  } } }, { store: failing((batch) => has(batch, "settle") && failures-- > 0 ? stateFull("/state.sqlite") : undefined) });
  const called = await made.call("a");
  let answered = false;
  void (called.is === "refused" ? Promise.resolve() : called.settled.then(() => answered = true));
  for (let turn = 0; turn < 20; turn++) await made.clock.pass(0);
  assert.equal((await made.store.usage(SCOPE)).rows, 1);
  assert.equal(answered, false);
  for (let turn = 0; turn < 20; turn++) await made.clock.pass(50);
  assert.equal(await answerOf(called), "yes");
  assert.equal(runs, 1);
  await end(made);
});

test("a batch that failed although it was done is not done twice", async () => {
  const inner = memoryState();
  let lies = 1;
  const made = await openInbox({ note: { policy: { redeliver: "never" }, run: () => done("yes") } }, { store: { ...inner, commit: async (batch) => {
    const commit = await inner.commit(batch);
    if (has(batch, "settle") && lies-- > 0) throw stateTimedOut(10, true);
    return commit;
  } } });
  const called = await made.call("a");
  for (let turn = 0; turn < 20; turn++) await made.clock.pass(50);
  assert.equal(await answerOf(called), "yes");
  await end(made);
});

test("when another process has taken the scope, nothing is written any more and the owner is told", async () => {
  let fenced = 0;
  const made = await openInbox({ note: () => done() }, { parts: { lost: () => fenced += 1 } });
  await made.store.commit({ scope: SCOPE, epoch: null, at_ms: 0, ops: [{ op: "attach" }] });
  const told = made.tell("a");
  await made.clock.pass(1);
  assert.equal(fenced, 1);
  assert.equal((await made.tell("b")).is, "refused");
  await end(made);
  assert.equal((await told).is, "refused");
  assert.equal((await made.store.usage(SCOPE)).rows, 0);
});

test("a handler that gives more than can be stored fails alone, and its message is a dead letter", async () => {
  const made = await openInbox({ note: ({ id }, context) => {
    if (id === "b") context.record([{ write: "set", space: "s", key: "k".repeat(5_000), value: "1" }]);
    return done("yes");
  } });
  assert.deepEqual(await Promise.all(["a", "b", "c"].map((id) => answerOf(made.call(id)))), ["yes", "error 10010", "yes"]);
  const { letters: [letter] } = await made.inbox.deadLetters.list();
  assert.equal(letter?.reason, "handler_failed");
  assert.equal(made.inbox.ready, true);
  await end(made);
});

test("a store that is broken for good ends the node: nothing is acknowledged, and the owner is told once", async () => {
  const lost: string[] = [];
  let broken = false;
  const made = await openInbox({ note: () => done() }, {
    store: failing(() => broken ? stateBroken("/state.sqlite", "disk I/O error", { uncertain: true }) : undefined),
    parts: { lost: ({ code }) => lost.push(code) },
  });
  assert.equal((await made.tell("a")).is, "accepted");
  broken = true;
  const told = [made.tell("b"), made.tell("c")];
  await made.clock.pass(1);
  assert.equal((await made.tell("d")).is, "refused");
  assert.deepEqual(lost, ["state.broken"]);
  await end(made);
  assert.deepEqual((await Promise.all(told)).map(({ is }) => is), ["refused", "refused"]);
});

/** The commit after the first holds its answer back until it is let go. */
function hanging(): { readonly store: StateStore; hang(): void; answer(): void } {
  const store = memoryState();
  const gate = Promise.withResolvers<void>();
  let hangs = false;
  return {
    store: { ...store, commit: async (batch) => {
      const commit = await store.commit(batch);
      if (hangs) await gate.promise;
      return commit;
    } },
    hang: () => void (hangs = true), answer: gate.resolve,
  };
}

test("a commit without an answer for 30 s is a fault of the store that ends the node; what comes later counts no more", async () => {
  const lost: Fault[] = [];
  const { store, hang, answer } = hanging();
  const made = await openInbox({ note: () => done() }, { store, parts: { lost: (fault) => lost.push(fault) } });
  assert.equal((await made.tell("a")).is, "accepted");
  await made.clock.pass(20_000);
  hang();
  const told = made.tell("b");
  await made.clock.pass(29_000);
  assert.deepEqual(lost, [], "counted from its beginning");
  await made.clock.pass(1_000);
  assert.deepEqual(lost.map(({ code, uncertain }) => [code, uncertain]), [["state.broken", true]]);
  const verdict = await told;
  assert.ok(verdict.is === "refused");
  assert.deepEqual([verdict.fault.code, verdict.fault.uncertain], ["node.unavailable", true]);
  answer();
  await made.clock.pass(60_000);
  assert.equal(lost.length, 1);
  await end(made);
});

test("slow commits are no fault, nor is a standstill of the process", async () => {
  const lost: Fault[] = [];
  const { store, hang, answer } = hanging();
  const made = await openInbox({ note: () => done() }, { store, parts: { lost: (fault) => lost.push(fault) } });
  await made.clock.pass(1);
  hang();
  const told = made.tell("a");
  await made.clock.pass(1);
  made.clock.stall(100_000);
  await made.clock.pass(20_000);
  answer();
  assert.equal((await told).is, "accepted");
  await made.clock.pass(100_000);
  assert.deepEqual(lost, []);
  await end(made);
});
