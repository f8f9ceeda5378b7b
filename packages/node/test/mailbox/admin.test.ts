/** Mailbox and dead letters for people, on a running node and on a store without one (spec: node 4.17, 4.19, 10.2). */
import assert from "node:assert/strict";
import { test } from "node:test";
import { nodeError, type Outcome } from "@atoll-run/core";
import { createDeadLetterAdmin, type DeadLetterAdmin } from "../../src/mailbox/dead-letter-admin.ts";
import { createMailboxAdmin, type MailboxAdmin } from "../../src/mailbox/mailbox-admin.ts";
import { answerOf, arrivalOf, done, end, openInbox, peer, SCOPE, shut, type Made } from "../dispatch/support.ts";

const HANG = (): Promise<Outcome> => new Promise(() => undefined);

/** The same without a node. */
function offline({ store, clock }: Made): { readonly mailbox: MailboxAdmin; readonly deadLetters: DeadLetterAdmin } {
  const now = (): number => clock.now();
  return {
    mailbox: createMailboxAdmin({ store, scope: SCOPE, now }),
    deadLetters: createDeadLetterAdmin({ store, scope: SCOPE, clock, now, epoch: () => null, mayDo: () => true }),
  };
}

async function turns({ clock }: Made): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await clock.pass(0);
}

test("rows are shown with age, key, attempts and state", async () => {
  const made = await openInbox({ note: ({ id }) => id === "a" ? { is: "again", after_ms: 60_000 } : { is: "park", until: "bell" }, run: HANG });
  await made.tell("a");
  await made.tell("b", { from: peer(2) });
  await made.call("c", { route: "run", payload: "body" });
  await turns(made);
  await made.clock.pass(1_000);
  const rows = await made.inbox.mailbox.ls();
  assert.deepEqual(rows.map(({ request_id, state, age_ms, key }) => [request_id, state, age_ms, key]), [
    ["a", "waiting", 1_000, "s:1@1/acme:client:1.0.0"], ["b", "parked", 1_000, "s:2@1/acme:client:1.0.0"],
    ["c", "running", 1_000, null],
  ]);
  const shown = await made.inbox.mailbox.show(rows[2]?.seq ?? 0);
  assert.deepEqual(shown?.body, arrivalOf({ id: "c", kind: "call", route: "run", payload: "body" }).bytes);
  assert.equal(await made.inbox.mailbox.show(999), undefined);
  await assert.rejects(made.inbox.mailbox.release(999), { code: "node.not_found" });
  await assert.rejects(made.inbox.mailbox.drop(rows[2]?.seq ?? 0), { code: "node.wrong_state" });
  await shut(made);
});

for (const running of [true, false]) {
  const where = running ? "a running node" : "a store without a node";
  test(`on ${where} a row is let go, or given up as a dead letter`, async () => {
    let wait = true;
    const made = await openInbox({ note: () => wait ? { is: "again", after_ms: 60_000 } : done() });
    for (const id of ["a", "b"]) await made.tell(id, { from: peer(id.length), route: "note" });
    await turns(made);
    wait = false;
    if (!running) await shut(made);
    const { mailbox, deadLetters } = running ? made.inbox : offline(made);
    const [first, second] = await mailbox.ls();
    await mailbox.drop(second?.seq ?? 0);
    await mailbox.release(first?.seq ?? 0);
    await turns(made);
    const { letters } = await deadLetters.list();
    assert.deepEqual(letters.map(({ reason, request_id, kind }) => [reason, request_id, kind]), [["dropped", "b", "tell"]]);
    const rows = await mailbox.ls();
    assert.deepEqual(rows.map(({ request_id, state }) => [request_id, state]), running ? [] : [["a", "ready"]]);
    if (running) await end(made);
  });

  test(`on ${where} a dead letter is redriven under its id with #r1, and goes when it succeeds`, async () => {
    let bad = true;
    const ids: string[] = [];
    const made = await openInbox({ note: ({ id, caller, payload }) => {
      ids.push(`${id} ${caller.kind === "peer" ? caller.id.serial : ""} ${new TextDecoder().decode(payload)}`);
      return bad ? { is: "failed", fault: nodeError("node.not_found", "no such account") } : done();
    } });
    await answerOf(made.tell("a", { payload: "x" }));
    const { letters: [letter] } = await made.inbox.deadLetters.list();
    assert.equal(letter?.text, "no such account");
    assert.equal(letter?.code, "node.not_found");
    if (!running) await shut(made);
    const { deadLetters } = running ? made.inbox : offline(made);
    assert.deepEqual(await deadLetters.redrive({ reason: "handler_rejected" }, { dryRun: true }), { redriven: 1, skipped: [] });
    assert.deepEqual(await deadLetters.redrive({ seq: letter?.seq ?? 0 }), { redriven: 1, skipped: [] });
    const next = running ? made : await openInbox({ note: ({ id }) => {
      ids.push(id);
      return { is: "failed", fault: nodeError("node.not_found", "still no") };
    } }, { store: made.store, clock: made.clock });
    await turns(next);
    const again = (await next.inbox.deadLetters.list()).letters;
    assert.deepEqual(again.map(({ redrives, redriving, request_id }) => [redrives, redriving, request_id]), [[1, false, "a"]]);
    assert.equal(again[0]?.last_error?.code, "node.not_found");
    bad = false;
    if (running) {
      assert.equal((await next.inbox.deadLetters.redrive({})).redriven, 1);
      await turns(next);
      assert.deepEqual(ids, ["a 1 x", "a#r1 1 x", "a#r2 1 x"]);
      assert.equal((await next.inbox.deadLetters.stats()).letters, 0);
      assert.equal(next.inbox.stats()["accepted_letters"], 0);
    } else assert.deepEqual(ids, ["a 1 x", "a#r1"]);
    await end(next);
  });
}

test("a redrive asks again whether its sender may, and keeps to its rate", async () => {
  const made = await openInbox({ note: () => ({ is: "failed", fault: nodeError("node.not_found", "no") }) }, {
    parts: { mayDo: (sender) => sender.kind === "peer" && sender.id.serial !== 2n },
  });
  for (const n of [1, 2, 3]) await answerOf(made.tell("a", { from: peer(n) }));
  const redriven = made.inbox.deadLetters.redrive({}, { rate: 2 });
  await turns(made);
  assert.equal(made.clock.timers > 0, true, "the second one waits");
  for (let i = 0; i < 2; i++) {
    await made.clock.pass(500);
    await turns(made);
  }
  assert.deepEqual((await redriven).skipped.map(({ why }) => why), ["2@1/acme:client:1.0.0 may not tell note"]);
  assert.equal((await redriven).redriven, 2);
  await end(made);
});

test("dead letters are found by reason, route, sender, time and trace, in pages, and their bytes can be had", async () => {
  const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  const made = await openInbox({ note: () => ({ is: "failed", fault: nodeError("node.not_found", "no") }) });
  await answerOf(made.tell("a"));
  await made.clock.pass(1_000);
  await answerOf(made.tell("b", { from: peer(2), envelope: { traceparent } }));
  await made.tell("c", { route: "other" });
  await turns(made);
  const { deadLetters } = made.inbox;
  const found = async (filter: Parameters<DeadLetterAdmin["list"]>[0]): Promise<unknown[]> =>
    (await deadLetters.list(filter)).letters.map(({ request_id }) => request_id);
  assert.deepEqual(await found({ reason: "unknown_route" }), ["c"]);
  assert.deepEqual(await found({ route: "note" }), ["a", "b"]);
  assert.deepEqual(await found({ sender: "2@1/acme:client:1.0.0" }), ["b"]);
  assert.deepEqual(await found({ since_ms: made.clock.now() }), ["b", "c"]);
  assert.deepEqual(await found({ trace: "0af7651916cd43dd8448eb211c80319c" }), ["b"]);
  const { letters, next } = await deadLetters.list({ limit: 1 });
  assert.deepEqual((await deadLetters.list({ after: next ?? 0, limit: 1 })).letters.map(({ request_id }) => request_id), ["b"]);
  assert.deepEqual(await deadLetters.export(letters[0]?.seq ?? 0), arrivalOf({ id: "a" }).bytes);
  assert.equal((await deadLetters.get(letters[0]?.seq ?? 0))?.reason, "handler_rejected");
  assert.deepEqual(await deadLetters.purge({ route: "note" }, { dryRun: true }), { purged: 2 });
  assert.deepEqual(await deadLetters.purge({ route: "note" }), { purged: 2 });
  assert.equal((await deadLetters.stats()).letters, 1);
  await assert.rejects(deadLetters.export(1_000_000), { code: "node.not_found" });
  await end(made);
});

test("a tell that could not be delivered goes back into the outbox when it is redriven", async () => {
  let posts = 0;
  const made = await openInbox({ note: () => done() }, { parts: { outboxChanged: () => posts += 1 } });
  const about = JSON.stringify({ code: "node.unavailable", text: "no", kind: "tell", to: "bob", request_id: "r" });
  await made.store.commit({ scope: SCOPE, epoch: null, at_ms: 0, ops: [{ op: "bury", letter: {
    reason: "undeliverable", accepted: true, sender: null, route: "note", body: new Uint8Array([1]), about, dead_at_ms: 0,
  } }] });
  assert.deepEqual(await made.inbox.deadLetters.redrive({ reason: "undeliverable" }), { redriven: 1, skipped: [] });
  const parcels = await made.store.outbox(SCOPE, made.clock.now(), 9);
  assert.deepEqual(parcels.map(({ to, kind }) => [to, kind]), [["bob", "tell"]]);
  assert.equal((await made.inbox.deadLetters.stats()).letters, 0);
  assert.equal(posts, 1);
  await end(made);
});
