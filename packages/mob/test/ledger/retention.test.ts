/**
 * Goal: what is too old or too much goes, and nobody is deceived about it. Invariant: what is left is whole from the horizon on, every
 * state from there on can be told, and a reader from below hears of one gap. Method: real stores, a clock that is moved by hand, a
 * store that dies between any two commits of a pass.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Clock, StateStore } from "@atoll-run/core";
import type { Entry, Gap, Live, NewEntry } from "@atoll-run/mob";
import { extentOf, openRetention, View, type Retention } from "@atoll-run/mob/internal";
import { house, realClock, spawned, STORES, type House } from "../support.ts";

const DAY = 86_400_000;
const LIMITS = { retentionMs: 30 * DAY, auditMs: 365 * DAY, retentionBytes: 1_000_000_000 };

function calendar(): Clock & { day: number } {
  return { day: 1_000, now() { return this.day * DAY; }, monotonic: () => performance.now(), after: (ms, then) => realClock.after(ms, then) };
}

const note = (n: number): NewEntry => ({ kind: "note", source: "test", data: { n } });
const denied = (n: number): NewEntry => ({ kind: "access_denied", source: "api", data: { n } });

function retentionOf(of: House, limits: Partial<typeof LIMITS> = {}): Retention {
  return openRetention({ ...of, limits: { ...LIMITS, ...limits } });
}

async function all({ ledger }: House): Promise<readonly Entry[]> {
  const { entries } = await ledger.query({ after: ledger.pruned, limit: 1_000 });
  return entries;
}

async function read({ ledger }: House, after: number, count: number): Promise<(Entry | Gap | Live)[]> {
  const ended = new AbortController();
  const got: (Entry | Gap | Live)[] = [];
  for await (const one of ledger.subscribe({}, { after, signal: ended.signal })) {
    got.push(one);
    if (got.length === count) break;
  }
  return got;
}

for (const store of STORES) {
  test(`on ${store}: entries go after 30 days, those of audit after 365, and a pass says what it took`, async (t) => {
    const clock = calendar();
    const one = await house(t, store, { clock });
    await using retention = retentionOf(one);
    const old = await one.append(spawned("a"), note(1), denied(1), note(2), denied(2), note(3));
    clock.day += 20;
    const young = await one.append(spawned("b"), note(4));
    assert.equal(await retention.pass(), 0);
    clock.day += 11;
    assert.equal(await retention.pass(), 4);
    assert.equal(one.ledger.pruned, old[5]?.seq);
    const said = (await all(one)).at(-1);
    assert.deepEqual([said?.kind, said?.data["entries"], said?.data["to"]], ["retention_pruned", 4, old[5]?.seq]);
    const audit = async () => (await one.ledger.query({ after: 0, classes: ["audit"] })).entries.map(({ data }) => data["n"]);
    assert.deepEqual(await audit(), [1, 2], "of audit nothing is lost, and no gap is told");
    assert.deepEqual((await one.ledger.query({ classes: ["audit"], limit: 1 })).entries.map(({ data }) => data["n"]), [2]);
    assert.deepEqual((await all(one)).slice(0, 2).map(({ seq }) => seq), young.map(({ seq }) => seq));
    const { oldest_at_ms, oldest, storage_bytes } = await extentOf(one.ledger);
    assert.deepEqual([oldest_at_ms, oldest], [1_020 * DAY, one.ledger.cursor((old[5]?.seq ?? 0) + 1)]);
    assert.ok(storage_bytes > 0);
    clock.day += 400;
    await retention.pass();
    assert.deepEqual(await audit(), []);
    assert.deepEqual(one.roster.view.ids(), ["a", "b"], "the members are still there");
    assert.deepEqual((await one.again()).roster.view.keep(), one.roster.view.keep());
  });

  test(`on ${store}: a cursor below what was taken is told of one gap, then goes on with the oldest entry`, async (t) => {
    const clock = calendar();
    const one = await house(t, store, { clock, limits: { tailEntries: 4 } });
    await using retention = retentionOf(one);
    const old = await one.append(...Array.from({ length: 20 }, (_, n) => note(n)));
    clock.day += 31;
    const young = await one.append(note(20), note(21));
    await retention.pass();
    const pruned = old[19]?.seq ?? 0;
    const gap = (from: number) => ({ from, to: pruned, reason: "retention" });
    for (const after of [0, old[3]?.seq ?? 0]) {
      const [first, second] = await read(one, after, 2) as [Gap, Entry];
      assert.deepEqual([first.gap, second.seq], [gap(after + 1), young[0]?.seq]);
      const page = await one.ledger.query({ after, limit: 2 });
      assert.deepEqual([page.gap, page.entries.map(({ seq }) => seq)], [gap(after + 1), young.map(({ seq }) => seq)]);
    }
    assert.equal((await one.ledger.query({ after: pruned })).gap, undefined);
    const back = await one.ledger.query({ limit: 100 });
    assert.deepEqual([back.exhausted, back.entries[0]?.seq, back.gap], [true, young[0]?.seq, undefined]);
    const fresh = await one.again();
    assert.deepEqual((await fresh.ledger.query({ after: 0, limit: 1 })).gap, gap(1), "and after a start");
  });

  test(`on ${store}: every state from the oldest entry on can be told, none before it`, async (t) => {
    const clock = calendar();
    const one = await house(t, store, { clock });
    await using retention = retentionOf(one);
    const states = new Map<number, unknown>();
    const grow = async (from: number): Promise<void> => {
      for (let n = from; n < from + 8; n++) {
        const [entry] = await one.append(spawned(`m-${n}`));
        states.set(entry?.seq ?? 0, one.roster.view.keep());
      }
    };
    for (let n = 0; n < 3; n++) {
      await grow(n * 8);
      clock.day += 20;
      await retention.pass();
      if (n === 1) await one.roster.snapshot();
    }
    assert.ok(one.ledger.pruned > 0);
    for (const [seq, state] of states) {
      if (seq >= one.ledger.pruned) assert.deepEqual((await one.roster.viewAt(seq)).keep(), state);
      else {
        await assert.rejects(one.roster.viewAt(seq), { code: "mob.stale_cursor", facts: {
          after_cursor: one.ledger.cursor(seq), oldest_cursor: one.ledger.cursor(one.ledger.pruned),
        } });
      }
    }
    assert.deepEqual((await one.roster.viewAt(one.ledger.head)).ids().length, 24);
  });

  test(`on ${store}: what is too much goes, the oldest first, however young, and never above the newest snapshot`, async (t) => {
    const one = await house(t, store);
    let snapshots = 0;
    const roster = { get snapshotSeq() { return one.roster.snapshotSeq; }, snapshot: () => (snapshots += 1, one.roster.snapshot()) };
    await using retention = retentionOf({ ...one, roster } as House, { retentionBytes: 200_000 });
    const big = (n: number): NewEntry => ({ kind: "note", source: "test", data: { n, text: "x".repeat(10_000) } });
    await one.append(...Array.from({ length: 15 }, (_, n) => big(n)));
    assert.equal(await retention.pass(), 0);
    await one.append(...Array.from({ length: 15 }, (_, n) => big(15 + n)));
    const gone = await retention.pass();
    assert.equal(snapshots, 1);
    assert.ok(one.ledger.pruned <= one.roster.snapshotSeq);
    const left = await all(one);
    assert.ok(JSON.stringify(left).length < 200_000 && gone < 15, `${gone} are gone, ${left.length} are left`);
    assert.deepEqual(left[0]?.data["n"], gone);
    // What was counted is known after a start, without what was taken since.
    await retention[Symbol.asyncDispose]();
    const later = await one.again();
    await using next = retentionOf(later, { retentionBytes: 200_000 });
    assert.equal(await next.pass(), 0);
  });

  test(`on ${store}: a mob that dies in the middle of a pass has whole slices, and its next one goes on`, async (t) => {
    const clock = calendar();
    let left = Infinity;
    const wrap = (given: StateStore): StateStore => ({
      ...given, commit: (...args) => left-- > 0 ? given.commit(...args) : Promise.reject(new Error("dead")),
    });
    const first = await house(t, store, { clock, wrap });
    // Twice as many as one slice may cut out between entries that stay.
    for (let n = 0; n < 10; n++) await first.append(...Array.from({ length: 200 }, (_, i) => i % 2 === 0 ? note(n * 200 + i) : denied(n * 200 + i)));
    await first.append(spawned("a"));
    const entries = await all(first);
    const seqOf = new Map(entries.map(({ seq, data }) => [data["n"], seq]));
    clock.day += 31;
    await first.append(spawned("b"));
    let present = first;
    const horizons = new Set<number>();
    for (let dies = 0; ; dies++) {
      left = dies;
      const retention = retentionOf(present);
      const passed = await retention.pass().then(() => true, () => false);
      await retention[Symbol.asyncDispose]();
      left = Infinity;
      present = await present.again();
      const { pruned } = present.ledger;
      horizons.add(pruned);
      const rest = await present.ledger.query({ after: pruned, limit: 1_000 });
      assert.ok(rest.entries.every(({ seq }) => seq > pruned));
      for (let n = 0; n < 1_000; n += 2) assert.equal(rest.entries.some(({ data }) => data["n"] === n), (seqOf.get(n) ?? 0) > pruned, String(n));
      const anew = new View(present.roster.view.keep());
      assert.deepEqual((await present.roster.viewAt(present.ledger.head)).keep(), anew.keep());
      if (passed) break;
    }
    assert.ok(horizons.size >= 3, "in several slices");
    const audit: number[] = [];
    for (let after: string | number = 0; ;) {
      const page = await present.ledger.query({ after, classes: ["audit"], limit: 1_000 });
      audit.push(...page.entries.map(({ data }) => data["n"] as number));
      if (page.exhausted) break;
      after = page.next;
    }
    assert.deepEqual(audit, Array.from({ length: 1_000 }, (_, n) => n * 2 + 1));
  });
}

test("a reader that is behind while entries are taken away gets each one or is told of it", async (t) => {
  const clock = calendar();
  const one = await house(t, "sqlite", { clock, limits: { tailEntries: 4 } });
  await using retention = retentionOf(one);
  const seqs = new Set<number>();
  for (let n = 0; n < 20; n++) for (const { seq } of await one.append(...Array.from({ length: 200 }, (_, i) => note(n * 200 + i)))) seqs.add(seq);
  clock.day += 31;
  const [last] = await one.append(note(-1));
  seqs.add(last?.seq ?? 0);
  const reading = Array.from({ length: 8 }, async (_, reader) => {
    const ended = new AbortController();
    const told: number[] = [];
    for await (const got of one.ledger.subscribe({}, { after: 0, signal: ended.signal })) {
      if ("gap" in got) told.push(...[...seqs].filter((seq) => seq >= got.gap.from && seq <= got.gap.to));
      else if ("seq" in got) told.push(got.seq);
      if (told.at(-1) === last?.seq) break;
      if (told.length % 97 === reader) await new Promise((resolve) => void setImmediate(resolve));
    }
    return told;
  });
  await retention.pass();
  for (const told of await Promise.all(reading)) assert.deepEqual(told, [...seqs]);
});
