/** What becomes of a message by its outcome, its fault, its time and its caller (spec: node 4.15, 4.16, 2.6, 2.7). */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Fault, LateAbort, nodeError, type Outcome } from "@atoll-run/core";
import { answerOf, done, end, openInbox, SCOPE, type Made } from "./support.ts";

const BODY = new TextEncoder().encode("{}");
const REJECTED: Outcome = { is: "rejected", code: "no_funds", body: BODY, keeps_writes: false };
const failed = (code: Parameters<typeof nodeError>[0]): Outcome => ({ is: "failed", fault: nodeError(code, "no") });

async function letters({ store }: Made): Promise<string[]> {
  return (await store.letters(SCOPE, { after: 0, limit: 100 })).map(({ reason }) => reason);
}

interface Row {
  readonly outcome: string;
  readonly give: () => Outcome;
  readonly call: string;
  readonly callLetter?: string;
  readonly tellLetter?: string;
  /** Runs of a tell. */
  readonly runs?: number;
  /** Transient ones free the name. */
  readonly forgotten?: boolean;
}

const ROWS: readonly Row[] = [
  { outcome: "done", give: () => done("yes"), call: "yes" },
  { outcome: "a business error", give: () => REJECTED, call: "error 10005", tellLetter: "handler_rejected" },
  { outcome: "a client's fault", give: () => failed("node.not_found"), call: "error 10003", tellLetter: "handler_rejected" },
  {
    outcome: "a body that does not decode", give: () => failed("node.decode_failure"), call: "error 10008",
    callLetter: "payload_undecodable", tellLetter: "payload_undecodable",
  },
  {
    outcome: "a transient fault", give: () => failed("node.unavailable"), call: "error 10001", callLetter: "handler_failed",
    tellLetter: "handler_failed", runs: 5, forgotten: true,
  },
  {
    outcome: "an exception", give: () => {
      throw new Error("boom");
    }, call: "error 10010", callLetter: "handler_failed", tellLetter: "handler_failed", runs: 5,
  },
];

for (const row of ROWS) {
  test(`a call and a tell whose handler ends with ${row.outcome}`, async () => {
    let runs = 0;
    const made = await openInbox({ note: () => {
      runs += 1;
      return row.give();
    } });
    assert.equal(await answerOf(made.call("a")), row.call);
    assert.equal(runs, 1, "a call has one attempt");
    assert.deepEqual(await letters(made), row.callLetter === undefined ? [] : [row.callLetter]);
    const again = await made.call("a");
    assert.equal(again.is, row.forgotten === true ? "accepted" : "duplicate");
    assert.equal(await answerOf(again), row.call, "a duplicate gets the same");
    const before = runs;
    const told = answerOf(made.tell("b"));
    await made.clock.pass(120_000);
    assert.equal(await told, "");
    assert.equal(runs - before, row.runs ?? 1);
    assert.equal((await letters(made)).at(-1), row.tellLetter ?? row.callLetter);
    if (row.runs !== undefined) assert.equal((await made.inbox.deadLetters.list()).letters.at(-1)?.attempts, row.runs, "its letter says so");
    await end(made);
    assert.equal(made.clock.timers, 0);
  });
}

test("attempts wait one second, then twice as long each, a fifth off at most", async () => {
  const at: number[] = [];
  const made = await openInbox({ note: () => {
    at.push(made.clock.monotonic());
    return failed("node.unavailable");
  } });
  await made.tell("a");
  await made.clock.pass(60_000);
  const waits = at.slice(1).map((ms, i) => ms - (at[i] ?? 0));
  assert.equal(waits.length, 4);
  for (const [i, ms] of waits.entries()) assert.ok(Math.abs(ms - 1_000 * 2 ** i) <= 200 * 2 ** i + 1, `${ms}`);
  await end(made);
});

test("again and park wait and count no attempt", async () => {
  const attempts: number[] = [];
  const made = await openInbox({ note: ({ attempt }) => {
    attempts.push(attempt);
    if (attempts.length === 1) return { is: "again", after_ms: 100 };
    return attempts.length === 2 ? { is: "park", until: "bell" } : done();
  } });
  const told = made.tell("a");
  await told;
  await made.clock.pass(100);
  assert.equal(attempts.length, 2);
  await made.clock.pass(100_000);
  const [row] = await made.store.rows(SCOPE, { after: 0, limit: 1 });
  assert.equal(row?.parked, "bell");
  assert.equal(row?.leased, false, "lease and place are free");
  assert.equal(made.inbox.wake("bell"), 1);
  assert.equal(await answerOf(told), "");
  assert.deepEqual(attempts, [1, 1, 1]);
  await end(made);
});

test("a call that is over before its turn, and one that is over while it runs, are timed_out and dead letters", async () => {
  let signal: AbortSignal | undefined;
  const made = await openInbox({ note: (_, context) => {
    signal = context.signal;
    return new Promise(() => undefined);
  } }, { concurrency: 1 });
  const running = answerOf(made.call("a", { timeoutMs: 1_000 }));
  const waiting = answerOf(made.call("b", { timeoutMs: 500 }));
  await made.clock.pass(500);
  assert.equal(await waiting, "error 10002");
  assert.equal(signal?.aborted, false);
  await made.clock.pass(500);
  assert.equal(await running, "error 10002");
  assert.equal(signal?.aborted, true);
  assert.deepEqual(await letters(made), ["expired", "expired"]);
  await end(made);
});

test("a handler that fails because its time is over, by its own clock, has not given an answer: the same request runs again", async () => {
  let runs = 0;
  const late = Promise.withResolvers<Outcome>();
  const made = await openInbox({ note: () => ++runs === 1 ? late.promise : done("here") });
  made.clock.after(1_000, () => late.resolve({ is: "failed", fault: new Fault({ code: "bus.timeout", text: "handler timeout", retry: "later" }) }));
  const first = answerOf(made.call("a", { timeoutMs: 1_000 }));
  await made.clock.pass(1_000);
  assert.equal(await first, "error 10002");
  assert.equal(await answerOf(made.call("a")), "here");
  assert.deepEqual(await letters(made), ["expired"]);
  await end(made);
});

test("a tell past its time to live is a dead letter, and one without waits for ever", async () => {
  const made = await openInbox({ note: () => ({ is: "again", after_ms: 60_000 }) });
  const short = answerOf(made.tell("a", { envelope: { remaining_ms: 1_000 } }));
  await made.tell("b");
  await made.clock.pass(10_000_000);
  assert.equal(await short, "");
  assert.deepEqual(await letters(made), ["expired"]);
  assert.equal(made.inbox.depth, 1);
  await end(made);
});

test("a handler over its limit is stopped and tried again; what it still gives is dropped", async () => {
  const finish: (() => void)[] = [];
  const made = await openInbox({ note: { policy: { handlerLimitMs: 100, attempts: 2, backoffMs: 1_000 }, run: ({ attempt }) =>
    attempt > 1 ? done() : new Promise((resolve) => finish.push(() => resolve(done("late")))) } });
  const told = answerOf(made.tell("a"));
  await made.clock.pass(100);
  for (const go of finish) go();
  await made.clock.pass(2_000);
  assert.equal(await told, "");
  assert.deepEqual(await letters(made), []);
  await end(made);
});

test("a handler that goes on after it was stopped keeps its key for five seconds, then its place is given away", async () => {
  const begun: string[] = [];
  const made = await openInbox({ note: { policy: { handlerLimitMs: 100, attempts: 1 }, run: ({ id }) => {
    begun.push(id);
    return id === "a" ? new Promise(() => undefined) : done();
  } } });
  const first = answerOf(made.tell("a"));
  await made.tell("b");
  await made.clock.pass(100);
  assert.equal(await first, "");
  await made.clock.pass(4_900);
  assert.deepEqual(begun, ["a"]);
  await made.clock.pass(200);
  assert.deepEqual(begun, ["a", "b"]);
  await end(made);
});

test("a call that its caller gave up hears it, is not tried again, and is no dead letter", async () => {
  const cancel = new LateAbort();
  const made = await openInbox({ note: (_, { signal }) => new Promise((_resolve, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason as Error));
  }) });
  const call = answerOf(made.call("a", { stop: cancel }));
  await made.clock.pass(1);
  cancel.abort(nodeError("node.cancelled", "enough"));
  assert.equal(await call, "error 10002");
  assert.deepEqual(await letters(made), []);
  await end(made);
});

test("what a handler recorded is done with its completion, and not when it fails", async () => {
  const made = await openInbox({
    good: (_, context) => {
      context.record([{ write: "set", space: "s", key: "k", value: "1" }, { write: "tell", to: "bob", route: "r", payload: BODY }]);
      return done();
    },
    bad: (_, context) => {
      context.record([{ write: "set", space: "s", key: "k", value: "2" }]);
      return failed("node.internal");
    },
  });
  await answerOf(made.call("a", { route: "good" }));
  await answerOf(made.call("b", { route: "bad" }));
  assert.equal((await made.store.get(SCOPE, "kv:s", "k"))?.value, "1");
  const parcels = await made.store.outbox(SCOPE, Number.MAX_SAFE_INTEGER, 10);
  assert.deepEqual(parcels.map(({ to, kind }) => [to, kind]), [["bob", "tell"]]);
  await end(made);
});

test("a business error that was returned keeps what was recorded, one that was thrown does not", async () => {
  const made = await openInbox({ note: ({ id }, context) => {
    context.record([{ write: "set", space: "s", key: id, value: "1" }]);
    return { ...REJECTED, keeps_writes: id === "returned" } as Outcome;
  } });
  await answerOf(made.call("returned"));
  await answerOf(made.call("thrown"));
  assert.deepEqual(await made.store.keys(SCOPE, "kv:s", { prefix: "", after: null, limit: 9 }), ["returned"]);
  await end(made);
});

test("a handler whose reading has changed runs again, at most eight times, and no attempt is counted", async () => {
  const attempts: number[] = [];
  let changes = 3;
  const made = await openInbox({ note: async ({ attempt }, context) => {
    attempts.push(attempt);
    const { version } = await context.read("s", "k");
    if (changes-- > 0) {
      await made.store.commit({ scope: SCOPE, epoch: null, at_ms: 0, ops: [
        { op: "put", space: "kv:s", key: "k", value: String(changes), if_version: null },
      ] });
    }
    context.record([{ write: "check", space: "s", key: "k", version }, { write: "set", space: "s", key: "k", value: '"mine"' }]);
    return done("yes");
  } });
  assert.equal(await answerOf(made.call("a")), "yes");
  assert.deepEqual(attempts, [1, 1, 1, 1]);
  changes = 100;
  assert.equal(await answerOf(made.call("b")), "error 10010");
  assert.equal(attempts.length, 4 + 9);
  assert.equal((await made.store.get(SCOPE, "kv:s", "k"))?.value, String(changes));
  await end(made);
});

test("a handler reads what it wrote itself, and a finished one can record nothing", async () => {
  let late: (() => void) | undefined;
  const made = await openInbox({ note: async (_, context) => {
    context.record([{ write: "set", space: "s", key: "k", value: "1" }]);
    const { value, version } = await context.read("s", "k");
    late = () => context.record([{ write: "delete", space: "s", key: "k" }]);
    return done(`${value} ${version}`);
  } });
  assert.equal(await answerOf(made.call("a")), "1 0");
  assert.throws(() => late?.(), { code: "node.wrong_state" });
  await end(made);
});

test("a reply for a caller that cannot be reached goes into the outbox, in the same commit", async () => {
  const made = await openInbox({ note: () => done("yes") });
  await answerOf(made.call("a", { reachable: () => false }));
  await answerOf(made.call("b"));
  const parcels = await made.store.outbox(SCOPE, Number.MAX_SAFE_INTEGER, 10);
  assert.deepEqual(parcels.map(({ kind, about }) => [kind, (JSON.parse(about) as { request_id: string }).request_id]), [["reply", "a"]]);
  await end(made);
});
