/** Chapters of `StateStore`: outbox, dead letters, documents, journals. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { StateOp, StateStore } from "@atoll-run/core";
import { attach, letterOf, NOW, parcelOf, SCOPE } from "./state-under-test.ts";

type Open = () => Promise<StateStore>;

export function stateOutboxChapter(open: Open): void {
  test("a parcel is due from its time on, and stays until it was sent", async () => {
    const { store, done, refused } = await attach(await open());
    const [a = 0, b = 0] = await done(
      { op: "send", parcel: parcelOf("bob", { send_at_ms: NOW + 10 }) }, { op: "send", parcel: parcelOf("ann", { kind: "reply" }) },
    );
    assert.deepEqual((await store.outbox(SCOPE, NOW, 10)).map(({ seq, to, kind }) => [seq, to, kind]), [[b, "ann", "reply"]]);
    assert.equal((await store.wakes(SCOPE, NOW)).send_at_ms, NOW + 10);
    await done({ op: "resend", seq: b, send_at_ms: NOW + 20 });
    assert.deepEqual((await store.outbox(SCOPE, NOW + 20, 10)).map(({ seq, attempts }) => [seq, attempts]), [[a, 0], [b, 1]]);
    assert.deepEqual((await store.outboxTo(SCOPE, "ann", { after: 0, limit: 10 })).map(({ seq }) => seq), [b]);
    assert.deepEqual(await done({ op: "sent", seq: b }, { op: "sent", seq: b }), [1, 0]);
    assert.deepEqual(await refused({ op: "resend", seq: b, send_at_ms: NOW }), { at: 0, refusal: { why: "not_found", seq: b } });
  });

  test("a letter keeps reason and bytes, is marked for a redrive and comes back, and goes only when it is purged", async () => {
    const { store, done, refused } = await attach(await open());
    const [seq = 0] = await done({ op: "bury", letter: letterOf("x", { sender: null, route: null, accepted: false }) });
    await done({ op: "mark", seq, redriving: true, about: null }, { op: "mark", seq, redriving: false, about: '{"last":"y"}' });
    await done({ op: "mark", seq, redriving: true, about: null });
    const [letter] = await store.letters(SCOPE, { after: 0, limit: 10 });
    assert.deepEqual({ ...letter, body: [...letter?.body ?? []] }, {
      ...letterOf("x", { sender: null, route: null, accepted: false }), body: [120], about: '{"last":"y"}', seq, redriving: true, redrives: 2,
    });
    assert.deepEqual(await done({ op: "purge", seq }, { op: "purge", seq }), [1, 0]);
    assert.equal((await refused({ op: "mark", seq, redriving: true, about: null })).refusal.why, "not_found");
  });
}

function put(key: string, value: string | null, if_version: number | null = null): StateOp {
  return { op: "put", space: "s", key, value, if_version };
}

export function stateDocumentChapter(open: Open): void {
  test("a document changes only from the version that was read", async () => {
    const { store, done, refused } = await attach(await open());
    const [first = 0] = await done(put("k", "1", 0));
    const moved = { at: 0, refusal: { why: "moved", space: "s", key: "k", version: first } };
    assert.deepEqual(await refused(put("k", "2", 0)), moved);
    assert.deepEqual(await refused({ op: "check", space: "s", key: "k", version: first + 1 }), moved);
    const [, second = 0] = await done({ op: "check", space: "s", key: "k", version: first }, put("k", "2", first));
    assert.ok(second > first);
    assert.deepEqual({ ...await store.get(SCOPE, "s", "k") }, { value: "2", version: second });
    assert.deepEqual(await done(put("k", null, second)), [0]);
    assert.equal(await store.get(SCOPE, "s", "k"), undefined);
    await done({ op: "check", space: "s", key: "k", version: 0 });
  });

  test("keys are listed by prefix, sorted by bytes, page after page", async () => {
    const { store, done } = await attach(await open());
    const keys = ["b", "a", "a🌊", "aａ", "ab", "A", ""];
    await done(...keys.map((key) => put(key, "1")), { op: "put", space: "t", key: "ac", value: "1", if_version: null });
    const list = (prefix: string, after: string | null, limit = 10): Promise<readonly string[]> =>
      store.keys(SCOPE, "s", { prefix, after, limit });
    assert.deepEqual(await list("a", null), ["a", "ab", "aａ", "a🌊"]);
    assert.deepEqual(await list("a", "ab", 1), ["aａ"]);
    assert.deepEqual(await list("b", "a"), ["b"]);
    assert.deepEqual(await list("", null), ["", "A", "a", "ab", "aａ", "a🌊", "b"]);
  });

  test("a journal is read across scopes in one order, and is trimmed from its beginning", async () => {
    const store = await open();
    const one = await attach(store);
    const other = await attach(store, "other");
    const seqs: number[] = [];
    for (const owner of [one, other, one]) {
      seqs.push(...await owner.done({ op: "append", journal: "ledger", body: `{"n":${seqs.length}}` }));
    }
    await one.done({ op: "append", journal: "audit", body: "{}" });
    const entries = await store.journal("ledger", { after: 0, limit: 10 });
    assert.deepEqual(entries.map((entry) => ({ ...entry })), [
      { seq: seqs[0], scope: SCOPE, at_ms: NOW, body: '{"n":0}' }, { seq: seqs[1], scope: "other", at_ms: NOW, body: '{"n":1}' },
      { seq: seqs[2], scope: SCOPE, at_ms: NOW, body: '{"n":2}' },
    ]);
    assert.deepEqual((await store.journal("ledger", { after: seqs[0] ?? 0, limit: 1 })).map(({ seq }) => seq), [seqs[1]]);
    const back = await store.journalBack("ledger", { before: seqs[2] ?? 0, limit: 1 });
    assert.deepEqual(back.map(({ seq }) => seq), [seqs[1]], "backward, the newest first");
    const trim = { op: "trim", journal: "ledger", below: seqs[2] ?? 0 } as const;
    assert.deepEqual(await one.done({ ...trim, limit: 1 }, { ...trim, limit: 10 }), [1, 1]);
    assert.deepEqual((await store.journal("ledger", { after: 0, limit: 10 })).map(({ seq }) => seq), [seqs[2]]);
    assert.equal((await store.journal("audit", { after: 0, limit: 10 })).length, 1);
  });

  test("a journal is trimmed between two of its entries as well, whole or not at all", async () => {
    const { store, done, refused } = await attach(await open());
    const append = { op: "append", journal: "ledger", body: "{}" } as const;
    const seqs = await done(...Array.from({ length: 6 }, () => append));
    const left = async (): Promise<readonly number[]> => (await store.journal("ledger", { after: 0, limit: 10 })).map(({ seq }) => seq);
    const between = (above: number, below: number): StateOp => ({ op: "trim", journal: "ledger", above: seqs[above] ?? 0, below: seqs[below] ?? 0, limit: 10 });
    await refused(between(0, 3), { op: "check", space: "s", key: "k", version: 7 });
    assert.deepEqual(await left(), seqs);
    assert.deepEqual(await done(between(0, 3), between(3, 5), put("pruned", "5")), [2, 1, (await store.get(SCOPE, "s", "pruned"))?.version]);
    assert.deepEqual(await left(), [0, 3, 5].map((at) => seqs[at]));
  });

  test("the size of a store grows with what is in it, and is less when that is gone", async () => {
    const { store, done } = await attach(await open());
    const before = await store.size();
    const [seq = 0] = await done({ op: "append", journal: "ledger", body: JSON.stringify("x".repeat(500_000)) });
    const full = await store.size();
    assert.ok(full >= before + 400_000, `${before} → ${full}`);
    await done({ op: "trim", journal: "ledger", below: seq + 1, limit: 1 });
    assert.ok(await store.size() < full - 400_000);
  });
}
