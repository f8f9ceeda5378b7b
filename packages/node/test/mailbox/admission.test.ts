/** What is taken in and what is refused (spec: node 4.7 to 4.9, 4.11, 4.18, 5.5). */
import assert from "node:assert/strict";
import { test } from "node:test";
import { nodeError, type Outcome } from "@atoll-run/core";
import { answerOf, done, end, inboxOf, openInbox, peer, SCOPE, type Handler, type Made } from "../dispatch/support.ts";
import type { Admission } from "../../src/mailbox/inbox.ts";

async function codeOf(admission: Promise<Admission>): Promise<string> {
  const verdict = await admission;
  return verdict.is === "refused" ? verdict.fault.code : verdict.is;
}

/** A handler that waits to be let go. */
function gate(): { readonly handler: () => Promise<Outcome>; readonly open: () => void; readonly runs: () => number } {
  const waiting: (() => void)[] = [];
  let [isOpen, runs] = [false, 0];
  return {
    handler: () => {
      runs += 1;
      return isOpen ? Promise.resolve(done("yes")) : new Promise((resolve) => waiting.push(() => resolve(done("yes"))));
    },
    open: () => {
      isOpen = true;
      for (const go of waiting.splice(0)) go();
    },
    runs: () => runs,
  };
}

test("before it is open a message is refused as not ready, after intake stopped as draining", async () => {
  const made = inboxOf({ note: () => done() });
  assert.equal(await codeOf(made.call("a")), "node.connection_not_ready");
  await made.inbox.recover();
  made.inbox.open();
  assert.equal(await codeOf(made.call("b")), "accepted");
  made.inbox.stopIntake();
  assert.equal(await codeOf(made.call("c")), "node.draining");
  await end(made);
});

const WRONG: readonly (readonly [what: string, envelope: object, code: string])[] = [
  ["no time", { timeout_ms: 0 }, "node.invalid_argument"],
  ["a negative time", { timeout_ms: -5 }, "node.invalid_argument"],
  ["nothing left of its time", { remaining_ms: 0 }, "node.timed_out"],
  ["33 before it in its chain", { depth: 33 }, "node.invalid_argument"],
  ["a route that is not there", { route_key: "other" }, "node.unknown_route"],
];

for (const [what, envelope, code] of WRONG) {
  test(`a call with ${what} is refused with ${code}`, async () => {
    const made = await openInbox({ note: () => done() });
    assert.equal(await codeOf(made.call("a", { envelope })), code);
    assert.equal(made.inbox.depth, 0);
    await end(made);
  });
}

test("one request id sent five times at once runs once, and all get the same bytes", async () => {
  const { handler, open, runs } = gate();
  const made = await openInbox({ note: handler });
  const all = Array.from({ length: 5 }, () => made.call("a"));
  const verdicts = await Promise.all(all);
  assert.deepEqual(verdicts.map(({ is }) => is), ["accepted", "duplicate", "duplicate", "duplicate", "duplicate"]);
  open();
  assert.deepEqual(await Promise.all(verdicts.map(answerOf)), ["yes", "yes", "yes", "yes", "yes"]);
  assert.equal(runs(), 1);
  await end(made);
});

test("so many duplicates may wait with a call, the others are refused; those of an accepted tell wait for nothing", async () => {
  const { handler, open } = gate();
  const made = await openInbox({ note: handler }, { limits: { mailbox: { joinsMax: 2 } } });
  const calls = await Promise.all(Array.from({ length: 4 }, () => codeOf(made.call("a"))));
  assert.deepEqual(calls, ["accepted", "duplicate", "duplicate", "node.overloaded"]);
  await made.tell("t");
  for (let i = 0; i < 5; i++) assert.equal(await codeOf(made.tell("t")), "duplicate");
  open();
  await end(made);
});

test("after a restart a duplicate gets the stored answer, of a business error too", async () => {
  const first = await openInbox({ note: ({ id }) => id === "a" ? done("yes")
    : { is: "rejected", code: "no_funds", body: new Uint8Array([1, 2]), content_type: "x", keeps_writes: false } });
  await answerOf(first.call("a"));
  const before = await first.call("b");
  const settled = before.is === "refused" ? undefined : await before.settled;
  await end(first);
  const second = await openInbox({ note: () => done("again") }, { store: first.store });
  assert.equal(await answerOf(second.call("a")), "yes");
  const again = await second.call("b");
  const stored = again.is === "duplicate" ? await again.settled : undefined;
  assert.deepEqual(stored, settled);
  assert.equal(stored?.is === "error" ? stored.error.detail?.business_code : undefined, "no_funds");
  await end(second);
});

test("the window of an answer is over after its time, and the answer is dropped", async () => {
  const { handler, open, runs } = gate();
  open();
  const made = await openInbox({ note: { run: handler, policy: { dedupTtlMs: 60_000 } } });
  await answerOf(made.call("a"));
  await made.clock.pass(59_000);
  assert.equal((await made.call("a")).is, "duplicate");
  await made.clock.pass(30_000);
  assert.equal((await made.store.usage(SCOPE)).answers, 0);
  assert.equal(made.inbox.stats()["dedup_entries"], 0);
  assert.equal(await answerOf(made.call("a")), "yes");
  assert.equal(runs(), 2);
  await end(made);
});

test("the window that is set for the node holds for every route that names none, up to seven days", async () => {
  const limits = { mailbox: { dedupTtlMs: 60_000 } };
  const made = await openInbox({ note: () => done("yes"), long: { run: () => done("yes"), policy: { dedupTtlMs: 30 * 86_400_000 } } }, { limits });
  await answerOf(made.call("a"));
  await answerOf(made.call("b", { route: "long" }));
  await made.clock.pass(59_000);
  assert.equal((await made.call("a")).is, "duplicate");
  await made.clock.pass(7 * 86_400_000 - 70_000);
  assert.deepEqual([(await made.call("a")).is, (await made.call("b", { route: "long" })).is], ["accepted", "duplicate"]);
  await made.clock.pass(20_000);
  assert.equal((await made.call("b", { route: "long" })).is, "accepted", "seven days are the longest");
  await end(made);
});

test("two callers with the same request id are two requests", async () => {
  const made = await openInbox({ note: ({ caller }) => done(caller.kind === "peer" ? String(caller.id.serial) : "") });
  const answers = await Promise.all([made.call("a", { from: peer(1) }), made.call("a", { from: peer(2) })].map(answerOf));
  assert.deepEqual(answers, ["1", "2"]);
  await end(made);
});

test("the same request id with another payload is refused, running and answered; a tell is acknowledged and dropped", async () => {
  const { handler, open, runs } = gate();
  const made = await openInbox({ note: handler });
  void made.call("a", { payload: "1" });
  assert.equal(await codeOf(made.call("a", { payload: "2" })), "node.request_id_reused");
  assert.equal(await codeOf(made.tell("t", { payload: "1" })), "accepted");
  assert.equal(await codeOf(made.tell("t", { payload: "2" })), "duplicate");
  open();
  await answerOf(made.call("a", { payload: "1" }));
  assert.equal(await codeOf(made.call("a", { payload: "2" })), "node.request_id_reused");
  assert.equal(await codeOf(made.tell("t", { payload: "2" })), "duplicate");
  assert.equal(runs(), 2);
  await end(made);
});

test("above the hard cap a sender is told when to come again, and a tenth is kept for the high class", async () => {
  const { handler, open } = gate();
  const made = await openInbox({ note: handler }, { limits: { mailbox: { hardRowsMax: 20, softRowsMax: 10 } } });
  const verdicts = await Promise.all(Array.from({ length: 25 }, (_, i) => made.tell(`t${i}`, { from: peer(i) })));
  const refused = verdicts.filter((verdict) => verdict.is === "refused");
  assert.equal(refused.length, 7);
  for (const { fault } of refused) {
    assert.equal(fault.code, "node.overloaded");
    assert.ok((fault.retry_after_ms ?? 0) >= 100 && (fault.retry_after_ms ?? 0) <= 30_000);
  }
  assert.equal(await codeOf(made.tell("h", { high: true })), "accepted");
  open();
  await Promise.all(verdicts.filter(({ is }) => is === "accepted").map(answerOf));
  assert.deepEqual(made.events.map(([name, fact]) => [name, (fact as { edge: string }).edge]),
    [["mailbox_backpressure", "rising"], ["mailbox_backpressure", "falling"]]);
  await end(made);
});

test("one sender has its share of the mailbox, and takes not that of the others", async () => {
  const { handler, open } = gate();
  const made = await openInbox({ note: handler }, { limits: { mailbox: { senderRowsMax: 3 } } });
  const codes = await Promise.all(Array.from({ length: 5 }, (_, i) => codeOf(made.tell(`t${i}`))));
  assert.deepEqual(codes, ["accepted", "accepted", "accepted", "node.overloaded", "node.overloaded"]);
  assert.equal(await codeOf(made.tell("t", { from: peer(2) })), "accepted");
  open();
  await end(made);
});

test("when no more answers may be remembered, new messages are refused and no window is cut short", async () => {
  const made = await openInbox({ note: () => done("yes") }, { limits: { mailbox: { dedupEntriesMax: 3 } } });
  for (const id of ["a", "b", "c"]) await answerOf(made.call(id));
  assert.equal(await codeOf(made.call("d")), "node.overloaded");
  assert.equal(await answerOf(made.call("a")), "yes", "what was answered is answered again");
  await end(made);
});

test("at the cap of dead letters intake is refused, until they are purged", async () => {
  const made = await openInbox({ note: () => ({ is: "failed", fault: nodeError("node.not_found", "no") }) }, {
    limits: { mailbox: { lettersMax: 2 } },
  });
  for (const id of ["a", "b"]) await answerOf(made.tell(id));
  assert.equal(await codeOf(made.tell("c")), "node.overloaded");
  assert.deepEqual(await made.inbox.deadLetters.purge({ reason: "handler_rejected" }), { purged: 2 });
  assert.equal(await codeOf(made.tell("c")), "accepted");
  await end(made);
});

test("with little left on the disk nothing is accepted", async () => {
  const made = await openInbox({ note: () => done() }, { parts: { freeBytes: async () => 1_000 } });
  await answerOf(made.tell("a"));
  assert.equal(await codeOf(made.tell("b")), "node.storage_full");
  await end(made);
});

test("a call in this process has no row, and no answer is stored for an id of our own make", async () => {
  const { handler, open } = gate();
  const made = await openInbox({ note: handler });
  const before = made.inbox.stats()["commits_total"];
  const own = made.call("01990000-0000-7000-8000-000000000000", { inProcess: true });
  const chosen = made.call("mine", { inProcess: true });
  assert.equal((await own).is, "accepted");
  assert.equal((await made.store.usage(SCOPE)).rows, 0);
  open();
  assert.equal(await answerOf(own), "yes");
  assert.equal(await answerOf(chosen), "yes");
  assert.equal((await made.store.usage(SCOPE)).answers, 1);
  assert.equal((made.inbox.stats()["commits_total"] ?? 0) - (before ?? 0), 1);
  assert.equal((await made.call("mine", { inProcess: true })).is, "duplicate");
  await end(made);
});

test("a volatile route leaves nothing in the store", async () => {
  const made = await openInbox({ note: { run: () => ({ is: "failed", fault: nodeError("node.internal", "no") }), policy: { volatile: true } } });
  assert.equal(await answerOf(made.call("a")), "error 10010");
  const { rows, answers, letters } = await made.store.usage(SCOPE);
  assert.deepEqual([rows, answers, letters], [0, 0, 0]);
  await end(made);
});

test("a key function that throws, and a key that is too long, are the caller's mistake", async () => {
  const made = await openInbox({ note: { run: () => done(), key: (payload) => {
    if (payload.length === 0) throw new Error("empty");
    return "k".repeat(payload.length);
  } } });
  assert.equal(await codeOf(made.call("a")), "node.invalid_argument");
  assert.equal(await codeOf(made.call("b", { payload: "x".repeat(4_097) })), "node.invalid_argument");
  assert.equal(await codeOf(made.call("c", { payload: "x".repeat(4_096) })), "accepted");
  await end(made);
});

test("a key can be set without code: a field of the JSON body, instead of what the route says", async () => {
  const running = new Set<string>();
  let together = 0;
  const run: Handler = async ({ id }) => {
    running.add(id);
    together = Math.max(together, running.size);
    await new Promise((resolve) => setImmediate(resolve));
    running.delete(id);
    return done(id);
  };
  const made = await openInbox({ note: { run, key: () => "one key for all" } }, { parts: { policies: { note: { keyField: "from.account" } } } });
  const call = (id: string, body: unknown): Promise<string> => answerOf(made.call(id, { payload: JSON.stringify(body) }));
  await Promise.all(["a", "b", "c"].map((id) => call(id, { from: { account: 7 } })));
  assert.equal(together, 1, "one account, one at a time");
  await Promise.all(["d", "e", "f"].map((id, account) => call(id, { from: { account } })));
  assert.equal(together, 3, "others pass it");
  await Promise.all(["g", "h", "i", "j"].map((id) => call(id, { from: null })));
  assert.equal(together, 4, "without the field there is no order");
  for (const bad of ["no JSON", '{"from":{"account":[]}}']) {
    assert.equal(await codeOf(made.call(bad, { payload: bad })), "node.invalid_argument");
  }
  await end(made);
});

test("tells of a sender run in their order, calls overlap, and a route's key orders both", async () => {
  const log: string[] = [];
  const slow = async ({ id }: { readonly id: string }): Promise<Outcome> => {
    log.push(`+${id}`);
    await new Promise((resolve) => setImmediate(resolve));
    log.push(`-${id}`);
    return done();
  };
  const made = await openInbox({ note: slow, keyed: { run: slow, key: () => "k" } });
  await Promise.all([made.tell("t1"), made.tell("t2")].map(answerOf));
  await Promise.all([made.call("c1"), made.call("c2")].map(answerOf));
  await Promise.all([made.call("k1", { route: "keyed" }), made.tell("k2", { route: "keyed", from: peer(2) })].map(answerOf));
  assert.deepEqual(log, ["+t1", "-t1", "+t2", "-t2", "+c1", "+c2", "-c1", "-c2", "+k1", "-k1", "+k2", "-k2"]);
  await end(made);
});

test("what cannot be read and what has no route becomes a dead letter, ten a minute of a peer, the oldest giving way", async () => {
  const made: Made = await openInbox({ note: () => done() }, { limits: { mailbox: { frameLettersMax: 12 } } });
  const unreadable = (sender: string): void => made.inbox.unreadable({
    reason: "frame_undecodable", sender, bytes: new Uint8Array([1, 2, 3]), text: "no", lane: "rpc_reliable",
  });
  assert.equal(await codeOf(made.call("a", { route: "other" })), "node.unknown_route");
  for (let i = 0; i < 11; i++) unreadable("bob");
  await made.clock.pass(1);
  assert.deepEqual((await made.inbox.deadLetters.stats()).by_reason, { unknown_route: 1, frame_undecodable: 10 });
  for (let i = 0; i < 3; i++) unreadable("eve");
  await made.clock.pass(1);
  assert.deepEqual((await made.inbox.deadLetters.stats()).by_reason, { frame_undecodable: 12 });
  assert.equal(await codeOf(made.tell("t")), "accepted", "they take no room of accepted ones");
  await end(made);
});
