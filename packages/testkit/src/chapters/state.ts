/**
 * Conformance of `StateStore`. Goal: what was committed is there as a whole, what was refused left nothing, and rows
 * are offered in their order to one owner at a time.
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { STATE_LIMITS, type Mail, type StateOp, type StateStore } from "@atoll-run/core";
import { stateDocumentChapter, stateOutboxChapter } from "./state-documents.ts";
import { accept, answerOf, attach, letterOf, mailOf, NOW, openings, parcelOf, SCOPE, type StateUnderTest } from "./state-under-test.ts";

type Open = (at?: string) => Promise<StateStore>;

/** Registers the tests with node:test. */
export function stateChapters(under: StateUnderTest): void {
  describe(`${under.name}: state`, () => {
    const open = openings(under);
    batchChapter(open);
    orderChapter(open);
    leaseChapter(open);
    endOfTimeTest(open);
    answerChapter(open);
    stateOutboxChapter(open);
    stateDocumentChapter(open);
    lifeChapter(open, under.supports.durable ? false : under.skip ?? "it keeps nothing");
  });
}

async function ready(store: StateStore, at_ms = NOW, more: { except?: string[]; limit?: number } = {}): Promise<readonly Mail[]> {
  return store.ready(SCOPE, { priority: "normal", at_ms, limit: 100, ...more });
}

function ids(rows: readonly { readonly request_id: string }[]): string[] {
  return rows.map((row) => row.request_id);
}

function batchChapter(open: Open): void {
  test("a batch is done as a whole: one refused op leaves nothing of those before it", async () => {
    const { store, done, refused } = await attach(await open());
    await done(accept("m1"));
    const { at, refusal } = await refused(
      accept("m2"), { op: "put", space: "s", key: "k", value: "1", if_version: null },
      { op: "append", journal: "j", body: "{}" }, { op: "bury", letter: letterOf("x") },
      { op: "send", parcel: parcelOf("bob") }, { op: "remember", answer: answerOf("m3") }, accept("m1"),
    );
    assert.equal(at, 6);
    assert.equal(refusal.why, "duplicate");
    assert.deepEqual(ids(await ready(store)), ["m1"]);
    assert.equal(await store.get(SCOPE, "s", "k"), undefined);
    assert.deepEqual(await store.journal("j", { after: 0, limit: 10 }), []);
    assert.deepEqual(await store.usage(SCOPE), {
      rows: 1, bytes: 2, answers: 0, answer_bytes: 0, letters: 0, letter_bytes: 0, parcels: 0,
    });
  });

  test("a row comes back as it was accepted", async () => {
    const { store, done } = await attach(await open());
    const mail = mailOf("é🌊", {
      priority: "high", key: "k", body: new Uint8Array([0, 255, 1]), about: '{"trace":"t"}', expires_at_ms: NOW + 5, ready_at_ms: 7,
    });
    const [seq = 0] = await done({ op: "accept", mail, lease_until_at_ms: null });
    const row = await store.mail(SCOPE, seq);
    assert.deepEqual({ ...row, body: [...row?.body ?? []] }, {
      ...mail, body: [0, 255, 1], seq, bytes: 3, attempts: 0, crashes: 0, fence: 0, leased: false, parked: null,
    });
    assert.equal(await store.mail("other", seq), undefined);
    assert.equal(await store.mail(SCOPE, seq + 1), undefined);
  });

  test("commits are told in the order of the calls, whatever is in them", async () => {
    const { store, epoch } = await attach(await open());
    const told: number[] = [];
    await Promise.all(Array.from({ length: 24 }, async (_, n) => {
      const ops: StateOp[] = Array.from({ length: 1 + n % 3 }, () => ({ op: "append", journal: "j", body: "{}" }));
      await store.commit({ scope: SCOPE, epoch, at_ms: NOW, ops });
      told.push(n);
    }));
    assert.deepEqual(told, Array.from({ length: 24 }, (_, n) => n));
  });

  test("commits called at once are done in the order of the calls, and numbers rise", async () => {
    const { store, done } = await attach(await open());
    const values = await Promise.all(Array.from({ length: 300 }, (_, i) => done(accept(`m${i}`))));
    const seqs = values.map(([seq]) => seq ?? 0);
    assert.deepEqual(seqs, seqs.toSorted((a, b) => a - b));
    assert.equal(new Set(seqs).size, 300);
    assert.deepEqual(ids(await store.rows(SCOPE, { after: 0, limit: 1_000 })), values.map((_, i) => `m${i}`));
  });

  test("pages follow each other without hole or double, and end at their bytes", async () => {
    const { store, done } = await attach(await open());
    const body = new Uint8Array(STATE_LIMITS.pageBytesMax / 2);
    for (const id of ["a", "b", "c"]) await done({ op: "bury", letter: letterOf(id, { body, route: id }) });
    const first = await store.letters(SCOPE, { after: 0, limit: 10 });
    assert.deepEqual(first.map(({ route }) => route), ["a", "b"]);
    const second = await store.letters(SCOPE, { after: first[1]?.seq ?? 0, limit: 10 });
    assert.deepEqual(second.map(({ route }) => route), ["c"]);
  });

  test("more ops than a batch may have are refused, and so is a name that is too long", async () => {
    const { commit } = await attach(await open());
    const many = Array.from({ length: STATE_LIMITS.opsMax + 1 }, (_, i) => accept(`m${i}`));
    await assert.rejects(commit(...many), { code: "state.too_large", facts: { what: "ops of a batch", size: 513, limit: 512 } });
    await assert.rejects(commit(accept("m", { route: "r".repeat(STATE_LIMITS.nameMax + 1) })), { code: "state.too_large" });
  });

  test("a batch of an older epoch is refused, whatever it holds", async () => {
    const store = await open();
    const old = await attach(store);
    const present = await attach(store);
    assert.equal(present.epoch, old.epoch + 1);
    assert.deepEqual(await old.refused(accept("m")), { at: 0, refusal: { why: "stale_epoch", epoch: present.epoch } });
    await present.done(accept("m"));
  });

  test("scopes do not see each other", async () => {
    const store = await open();
    const one = await attach(store);
    const other = await attach(store, "other");
    const [seq = 0] = await one.done(accept("m"));
    await other.done(accept("m"));
    assert.deepEqual(await other.refused({ op: "settle", seq, fence: 0 }), { at: 0, refusal: { why: "stale_row", seq } });
    assert.equal((await store.usage("other")).rows, 1);
    assert.equal((await store.usage("nobody")).rows, 0);
  });
}

function orderChapter(open: Open): void {
  test("rows with one key are offered one at a time, and the next one when the first is settled", async () => {
    const { store, done } = await attach(await open());
    const [a = 0] = await done(accept("a", { key: "k" }));
    await done(accept("b", { key: "k" }), accept("c", { key: "other" }), accept("d"));
    assert.deepEqual(ids(await ready(store)), ["a", "c", "d"]);
    await done({ op: "lease", seq: a, fence: 0, until_at_ms: NOW + 10 });
    assert.deepEqual(ids(await ready(store)), ["c", "d"]);
    await done({ op: "settle", seq: a, fence: 1 });
    assert.deepEqual(ids(await ready(store)), ["b", "c", "d"]);
  });

  test("a row that waits for its retry holds up its own key only", async () => {
    const { store, done } = await attach(await open());
    const [a = 0] = await done(accept("a", { key: "k" }, NOW + 10));
    await done(accept("b", { key: "k" }), accept("c", { key: "other" }));
    await done({ op: "release", seq: a, fence: 1, ready_at_ms: NOW + 500, parked: null, counted: true });
    assert.deepEqual(ids(await ready(store)), ["c"]);
    assert.equal((await store.wakes(SCOPE, NOW)).ready_at_ms, NOW + 500);
    const later = await ready(store, NOW + 500);
    assert.deepEqual(ids(later), ["c", "a"]);
    assert.deepEqual(later[1]?.attempts, 1);
  });

  test("a row in the middle of its key can be settled, and the first stays the first", async () => {
    const { store, done } = await attach(await open());
    const [, b = 0] = await done(accept("a", { key: "k" }), accept("b", { key: "k" }), accept("c", { key: "k" }));
    await done({ op: "settle", seq: b, fence: 0 });
    assert.deepEqual(ids(await ready(store)), ["a"]);
  });

  test("classes are apart, and senders that had their turn are left out", async () => {
    const { store, done } = await attach(await open());
    await done(accept("a"), accept("b", { priority: "high" }), accept("c", { sender: "bob" }));
    assert.deepEqual(ids(await ready(store)), ["a", "c"]);
    assert.deepEqual(ids(await ready(store, NOW, { except: ["ann"] })), ["c"]);
    assert.deepEqual(ids(await ready(store, NOW, { limit: 1 })), ["a"]);
    assert.deepEqual(ids(await store.ready(SCOPE, { priority: "high", at_ms: NOW, limit: 9 })), ["b"]);
  });

  test("rows whose time is over are found, the longest over first, and the next instant is told", async () => {
    const { store, done } = await attach(await open());
    await done(accept("a", { expires_at_ms: NOW + 20 }), accept("b", { expires_at_ms: NOW + 10 }), accept("c"));
    assert.deepEqual(ids(await store.expired(SCOPE, NOW + 9, 10)), []);
    assert.deepEqual(ids(await store.expired(SCOPE, NOW + 20, 10)), ["b", "a"]);
    assert.equal((await store.wakes(SCOPE, NOW + 10)).expires_at_ms, NOW + 20);
  });
}

function leaseChapter(open: Open): void {
  test("a leased row is offered to nobody until the lease runs out", async () => {
    const { store, done } = await attach(await open());
    await done(accept("a", {}, NOW + 100));
    assert.deepEqual(await ready(store, NOW + 99), []);
    const [row] = await ready(store, NOW + 100);
    assert.equal(row?.leased, true);
    assert.equal(row?.fence, 1);
  });

  test("who lost the row can neither settle nor release nor lease it", async () => {
    const { store, done, refused } = await attach(await open());
    const [seq = 0] = await done(accept("a", {}, NOW + 100));
    assert.deepEqual(await done({ op: "lease", seq, fence: 1, until_at_ms: NOW + 200 }), [2]);
    const stale = { at: 0, refusal: { why: "stale_row", seq } };
    assert.deepEqual(await refused({ op: "settle", seq, fence: 1 }), stale);
    assert.deepEqual(await refused({ op: "release", seq, fence: 1, ready_at_ms: 0, parked: null, counted: false }), stale);
    assert.deepEqual(await refused({ op: "lease", seq, fence: 1, until_at_ms: 0 }), stale);
    await done({ op: "settle", seq, fence: 2 });
    assert.deepEqual(await refused({ op: "settle", seq, fence: 2 }), stale);
    assert.deepEqual(await ready(store), []);
  });

  test("an attach frees what older epochs leased, and counts a crash for these rows only", async () => {
    const store = await open();
    const { done } = await attach(store);
    await done(accept("a", {}, NOW + 1_000_000), accept("b"));
    const next = await attach(store);
    const rows = await ready(store);
    assert.deepEqual(rows.map(({ request_id, crashes, leased, fence }) => ({ request_id, crashes, leased, fence })), [
      { request_id: "a", crashes: 1, leased: false, fence: 2 }, { request_id: "b", crashes: 0, leased: false, fence: 0 },
    ]);
    await next.done({ op: "settle", seq: rows[0]?.seq ?? 0, fence: 2 });
  });

  test("a parked row waits until it is woken or its time comes", async () => {
    const { store, done } = await attach(await open());
    const [seq = 0] = await done(accept("a", {}, NOW + 100));
    await done({ op: "release", seq, fence: 1, ready_at_ms: NOW + 900, parked: "approval:1", counted: false });
    assert.deepEqual(await ready(store, NOW + 899), []);
    const [row] = await store.parked(SCOPE, "approval:1", 10);
    assert.deepEqual([row?.seq, row?.fence, row?.attempts, row?.leased], [seq, 2, 0, false]);
    await done({ op: "release", seq, fence: 2, ready_at_ms: 0, parked: null, counted: false });
    assert.deepEqual(ids(await ready(store)), ["a"]);
    assert.deepEqual(await store.parked(SCOPE, "approval:1", 10), []);
  });
}

function endOfTimeTest(open: Open): void {
  test("a row whose time is moved ends then, or never", async () => {
    const { store, done } = await attach(await open());
    const [seq = 0] = await done(accept("a", { expires_at_ms: NOW + 10 }, NOW + 100));
    const over = async (at: number) => (await store.expired(SCOPE, at, 10)).map(({ request_id }) => request_id);
    await done({ op: "lease", seq, fence: 1, until_at_ms: NOW + 100 });
    assert.deepEqual(await over(NOW + 10), ["a"], "it stays as it was");
    await done({ op: "lease", seq, fence: 2, until_at_ms: NOW + 100, expires_at_ms: NOW + 50 });
    assert.deepEqual([await over(NOW + 49), await over(NOW + 50)], [[], ["a"]]);
    await done({ op: "release", seq, fence: 3, ready_at_ms: 0, parked: null, counted: false, expires_at_ms: null });
    assert.deepEqual(await over(NOW + 1_000_000), []);
    assert.equal((await store.mail(SCOPE, seq))?.expires_at_ms, null);
  });
}

function answerChapter(open: Open): void {
  test("a request is there once: in the mailbox, and then as its answer", async () => {
    const { store, done, refused } = await attach(await open());
    const [seq = 0] = await done(accept("a", {}, NOW + 100));
    const queued = { why: "duplicate", seq, hash: "hash of a", answer: null };
    assert.deepEqual(await refused(accept("a", { hash: "another" })), { at: 0, refusal: queued });
    assert.deepEqual(await refused({ op: "remember", answer: answerOf("a") }), { at: 0, refusal: queued });
    await done({ op: "settle", seq, fence: 1 }, { op: "remember", answer: answerOf("a") });
    const again = await refused(accept("a"));
    assert.equal(again.refusal.why === "duplicate" && again.refusal.seq, 0);
    const reply = again.refusal.why === "duplicate" ? again.refusal.answer?.reply ?? [] : [];
    assert.deepEqual([...reply], [1, 2, 0, 255]);
    assert.equal((await refused({ op: "remember", answer: answerOf("a") })).refusal.why, "duplicate");
    const found = await store.find(SCOPE, { sender: "ann", route: "bank.Bank.Note", request_id: "a" });
    assert.ok(found !== undefined && "outcome" in found);
  });

  for (const [what, more] of Object.entries({ sender: { sender: "bob" }, route: { route: "r" }, "request id": { request_id: "z" } })) {
    test(`another ${what} is another request`, async () => {
      const { store, done } = await attach(await open());
      await done(accept("a"), accept("a", more));
      assert.equal((await ready(store)).length, 2);
    });
  }

  test("an answer is kept until its window is over, and then makes room", async () => {
    const { store, done, refused } = await attach(await open());
    await done({ op: "remember", answer: answerOf("a", { forget_at_ms: NOW + 1 }) }, { op: "remember", answer: answerOf("b", { forget_at_ms: NOW }) });
    assert.equal((await refused(accept("a"))).refusal.why, "duplicate");
    assert.equal((await store.wakes(SCOPE, NOW)).forget_at_ms, NOW + 1);
    const [seq = 0] = await done(accept("b"));
    await done({ op: "settle", seq, fence: 0 }, { op: "remember", answer: answerOf("b", { reply: null, forget_at_ms: NOW }) });
    assert.equal((await store.usage(SCOPE)).answers, 2);
    assert.deepEqual(await done({ op: "forget", limit: 10 }), [1]);
    assert.deepEqual((await store.usage(SCOPE)).answers, 1);
    assert.equal(await store.find(SCOPE, { sender: "ann", route: "bank.Bank.Note", request_id: "b" }), undefined);
  });
}

function lifeChapter(open: Open, skip: string | false): void {
  test("what was acknowledged is there when the store is opened again, and numbers go on rising", { skip }, async () => {
    const first = await attach(await open("again"));
    const [seq = 0] = await first.done(accept("a", { key: "k" }, NOW + 100), accept("b", { key: "k" }));
    await first.done({ op: "put", space: "s", key: "k", value: "1", if_version: null });
    await first.store[Symbol.asyncDispose]();
    const second = await attach(await open("again"));
    assert.equal(second.epoch, first.epoch + 1);
    assert.deepEqual((await ready(second.store)).map(({ request_id, crashes }) => [request_id, crashes]), [["a", 1]]);
    assert.equal((await second.store.get(SCOPE, "s", "k"))?.value, "1");
    const [next = 0] = await second.done(accept("c"));
    assert.ok(next > seq + 1);
  });

  test("a closed store refuses later calls, and closing twice is closing once", async () => {
    const { store, commit } = await attach(await open());
    await store[Symbol.asyncDispose]();
    await store[Symbol.asyncDispose]();
    await assert.rejects(commit(accept("a")), { code: "state.closed" });
    await assert.rejects(store.usage(SCOPE), { code: "state.closed" });
  });

  test("a call that nobody waits for any more is not begun", async () => {
    const store = await open();
    const signal = AbortSignal.abort();
    const batch = { scope: SCOPE, epoch: null, at_ms: NOW, ops: [accept("a")] };
    await assert.rejects(store.commit(batch, { signal }), { code: "state.cancelled" });
    assert.equal((await store.usage(SCOPE)).rows, 0);
  });
}
