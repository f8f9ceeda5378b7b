/**
 * Goal: the ledger is one history. Invariant: every committed entry is given once, in the order of `seq`, to folds and
 * readers, wherever they begin. Method: a real store, writers of several scopes at once, readers that begin anywhere.
 */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { MOB_LIMITS, type Entry, type EntryQuery, type Gap, type Live, type NewEntry } from "@atoll-run/mob";
import { createIds, openLedger } from "@atoll-run/mob/internal";
import { openState } from "@atoll-run/sqlite";
import { isFault, stateFull, stateTimedOut, type Batch, type Commit, type StateStore } from "@atoll-run/core";
import { randomBytes } from "node:crypto";

const clock = {
  now: () => Date.now(), monotonic: () => performance.now(),
  after: (ms: number, then: () => void) => {
    const timer = setTimeout(then, ms);
    return { [Symbol.dispose]: () => clearTimeout(timer) };
  },
};
const log = { write: () => undefined };
const newId = createIds({ clock, bytes: (count) => randomBytes(count) });

async function opened(t: TestContext, o: { limits?: Partial<Record<keyof typeof MOB_LIMITS, number>>; wrap?: (store: StateStore) => StateStore } = {}) {
  const dir = mkdtempSync(join(tmpdir(), "atoll-ledger-"));
  const store = await openState({ dir });
  t.after(async () => {
    await store[Symbol.asyncDispose]();
    rmSync(dir, { recursive: true });
  });
  const open = () => openLedger(
    { store: o.wrap?.(store) ?? store, clock, newId, log }, { mob: "m", limits: { ...MOB_LIMITS, ...o.limits } },
  );
  const ledger = await open();
  const attach = async (scope: string) => {
    const commit = await ledger.store.commit({ scope, epoch: null, at_ms: clock.now(), ops: [{ op: "attach" }] });
    assert.ok(commit.ok);
    return { scope, epoch: commit.values[0] as number };
  };
  return { ledger, attach, open };
}

const note = (n: number, more: Partial<NewEntry> = {}): NewEntry => ({ kind: "note", source: "test", data: { n }, ...more });

async function take(from: AsyncIterable<Entry | Gap | Live>, count: number): Promise<(Entry | Gap | Live)[]> {
  const taken: (Entry | Gap | Live)[] = [];
  for await (const one of from) {
    taken.push(one);
    if (taken.length === count) break;
  }
  return taken;
}

const numbers = (entries: readonly (Entry | Gap | Live)[]) => entries.map((one) => ("data" in one ? one.data["n"] : one));

test("an entry is given to folds once, in the order of seq, whoever committed it", async (t) => {
  const { ledger, attach } = await opened(t);
  const writers = [await attach("a"), await attach("b")];
  const heard: number[] = [];
  using _ = ledger.hear(({ seq }) => heard.push(seq));
  const appended = await Promise.all(Array.from({ length: 200 }, (_, n) => ledger.append(writers[n % 2] as never, [note(n), note(n)])));
  const [first] = writers;
  const op = ledger.toOp(note(1_000));
  await ledger.store.commit({ ...first as { scope: string; epoch: number }, at_ms: clock.now(), ops: [op] });
  const seqs = [...appended.flat().map(({ seq }) => seq)];
  assert.equal(heard.length, 401);
  assert.deepEqual(heard.slice(0, 400).toSorted((a, b) => a - b), heard.slice(0, 400));
  assert.deepEqual(new Set(heard.slice(0, 400)), new Set(seqs));
  assert.equal(ledger.head, heard.at(-1));
  const replayed: Entry[] = [];
  await ledger.replay(0, (entry) => replayed.push(entry));
  assert.deepEqual(replayed.map(({ seq }) => seq), heard, "and the store has the same");
});

test("a reader that begins anywhere gets every later entry once, from the store and then live", async (t) => {
  const { ledger, attach } = await opened(t, { limits: { tailEntries: 8 } });
  const by = await attach("a");
  const early = await ledger.append(by, Array.from({ length: 100 }, (_, n) => note(n)));
  const ending = new AbortController();
  t.after(() => ending.abort());
  const readers = [0, 10, 99].map((at) => take(
    ledger.subscribe({}, { after: at === 0 ? 0 : (early[at] as Entry).seq, signal: ending.signal }), 150 - (at === 0 ? 0 : at + 1),
  ));
  for (let n = 100; n < 150; n++) await ledger.append(by, [note(n)]);
  const [all, some, none] = await Promise.all(readers);
  assert.deepEqual(numbers(all ?? []), Array.from({ length: 150 }, (_, n) => n));
  assert.deepEqual(numbers(some ?? []), Array.from({ length: 139 }, (_, n) => n + 11));
  assert.deepEqual(numbers(none ?? []), Array.from({ length: 50 }, (_, n) => n + 100));
});

test("a filter gives exactly the matches, forward and backward, ascending; limit 0 gives none", async (t) => {
  const { ledger, attach } = await opened(t);
  const by = await attach("a");
  const entries = await ledger.append(by, Array.from({ length: 90 }, (_, n) => note(n, {
    member: n % 3 === 0 ? "scout" : "editor", kind: n % 2 === 0 ? "note" : "turn_queued", turn_id: `t${n % 5}`,
  })));
  const forward = await ledger.query({ after: 0, member: "scout", kinds: ["note"] });
  const is = (n: number) => n % 3 === 0 && n % 2 === 0;
  assert.deepEqual(numbers(forward.entries), Array.from({ length: 90 }, (_, n) => n).filter(is));
  assert.ok(forward.exhausted);
  const recent = await ledger.query({ member: "scout", classes: ["agent"], limit: 3 });
  assert.deepEqual(numbers(recent.entries), [72, 78, 84]);
  const older = await ledger.query({ member: "scout", classes: ["agent"], limit: 3, before: recent.entries[0]?.seq as number });
  assert.deepEqual(numbers(older.entries), [54, 60, 66]);
  assert.deepEqual((await ledger.query({ turn_id: "t4", limit: 1 })).entries.map(({ seq }) => seq), [entries[89]?.seq]);
  const none = await ledger.query({ after: 0, limit: 0 });
  assert.deepEqual(none.entries, []);
});

test("each filter gives exactly its matches, forward and backward, page by page, ascending", async (t) => {
  const { ledger, attach } = await opened(t);
  const by = await attach("a");
  ledger.stamp(({ member, run_id }) => ({ ...member === "m-0" ? { member: { team: "red" } } : {}, ...run_id === "r-1" ? { run: { team: "blue" } } : {} }));
  const at: number[] = [];
  for (let part = 0; part < 4; part++) {
    const [first] = await ledger.append(by, Array.from({ length: 30 }, (_, i) => {
      const n = part * 30 + i;
      return note(n, {
        kind: n % 2 === 0 ? "note" : n % 3 === 0 ? "turn_queued" : "access_denied", member: `m-${n % 3}`, generation: n % 4, turn_id: `t-${n % 5}`, run_id: `r-${n % 7}`,
        step_id: `s-${n % 2}`, principal: `p-${n % 6}`, session: { id: `s_${n % 8}` },
      });
    }));
    at.push(first?.ts_ms ?? 0);
    await new Promise((resolve) => void setTimeout(resolve, 2));
  }
  const all = (await ledger.query({ after: 0, limit: 1_000 })).entries;
  const cases: readonly (readonly [EntryQuery, (entry: Entry) => boolean])[] = [
    [{}, () => true], [{ classes: ["turn", "audit"] }, (one) => one.class !== "agent"], [{ kinds: ["note"] }, ({ kind }) => kind === "note"],
    [{ member: "m-1" }, ({ member }) => member === "m-1"], [{ generation: 3 }, ({ generation }) => generation === 3], [{ session_id: "s_2" }, ({ session }) => session?.id === "s_2"],
    [{ turn_id: "t-4" }, ({ turn_id }) => turn_id === "t-4"], [{ run_id: "r-6" }, ({ run_id }) => run_id === "r-6"], [{ step_id: "s-1" }, ({ step_id }) => step_id === "s-1"],
    [{ principal: "p-5" }, ({ principal }) => principal === "p-5"], [{ label: "team" }, ({ member, run_id }) => member === "m-0" || run_id === "r-1"],
    [{ label: "team=blue" }, ({ run_id }) => run_id === "r-1"], [{ label: "te" }, () => false],
    [{ since_at_ms: at[1] ?? 0 }, ({ ts_ms }) => ts_ms >= (at[1] ?? 0)], [{ until_at_ms: at[2] ?? 0 }, ({ ts_ms }) => ts_ms < (at[2] ?? 0)],
    [{ member: "m-0", turn_id: "t-0", classes: ["agent"] }, (one) => one.member === "m-0" && one.turn_id === "t-0" && one.class === "agent"],
  ];
  for (const [filter, is] of cases) {
    const wanted = all.filter(is).map(({ seq }) => seq);
    const forward: number[] = [];
    for (let after: string | number = 0; ;) {
      const page = await ledger.query({ ...filter, after, limit: 7 });
      forward.push(...page.entries.map(({ seq }) => seq));
      if (page.exhausted) break;
      after = page.next;
    }
    assert.deepEqual(forward, wanted, `forward: ${JSON.stringify(filter)}`);
    const backward: number[] = [];
    for (let before: string | undefined; ;) {
      const page = await ledger.query({ ...filter, limit: 7, ...before === undefined ? {} : { before } });
      backward.unshift(...page.entries.map(({ seq }) => seq));
      assert.equal(page.exhausted, page.before === undefined);
      if (page.before === undefined) break;
      before = page.before;
    }
    assert.deepEqual(backward, wanted, `backward: ${JSON.stringify(filter)}`);
  }
  assert.deepEqual((await ledger.query({ limit: 0 })).entries, []);
});

test("a page ends at its bytes, and one that looks backward moves on through what nobody asked for", async (t) => {
  const { ledger, attach } = await opened(t, { limits: { queryBytesMax: 10_000, scanMax: 10 } });
  const by = await attach("a");
  await ledger.append(by, [note(-1, { member: "x" }), ...Array.from({ length: 25 }, (_, n) => note(n, { data: { n, text: "x".repeat(3_000) } }))]);
  assert.deepEqual(numbers((await ledger.query({ after: 0, limit: 100 })).entries), [-1, 0, 1, 2, 3], "more than 10,000 bytes with the last of them");
  assert.deepEqual(numbers((await ledger.query({ limit: 100 })).entries), [21, 22, 23, 24]);
  const found: Entry[] = [];
  let pages = 0;
  for (let before: string | undefined; ; pages++) {
    const page = await ledger.query({ member: "x", ...before === undefined ? {} : { before } });
    found.push(...page.entries);
    if (page.before === undefined) break;
    before = page.before;
  }
  assert.deepEqual([numbers(found), pages], [[-1], 2]);
});

test("a page of entries nobody asked for still moves on", async (t) => {
  const { ledger, attach } = await opened(t, { limits: { scanMax: 10 } });
  const by = await attach("a");
  const entries = await ledger.append(by, [...Array.from({ length: 25 }, (_, n) => note(n)), note(25, { member: "x" })]);
  const found: Entry[] = [];
  let after: string | number = 0;
  let pages = 0;
  for (;;) {
    const page = await ledger.query({ after, member: "x" });
    found.push(...page.entries);
    pages += 1;
    if (page.exhausted) break;
    assert.notEqual(page.next, after);
    after = page.next;
  }
  assert.deepEqual(found.map(({ seq }) => seq), [entries[25]?.seq]);
  assert.equal(pages, 3);
});

test("a cursor past the head or of another epoch is stale, with both numbers", async (t) => {
  const { ledger, attach } = await opened(t);
  const by = await attach("a");
  await ledger.append(by, [note(1)]);
  const stale = (error: unknown) => isFault(error) && error.code === "mob.stale_cursor"
    && error.facts["latest_cursor"] === ledger.cursor(ledger.head);
  await assert.rejects(ledger.query({ after: ledger.head + 1 }), stale);
  await assert.rejects(ledger.query({ after: "zzzz-1" }), stale);
  assert.throws(() => ledger.subscribe({}, { after: `zzzz-1`, signal: AbortSignal.abort() }), stale);
});

test("a writer of an older incarnation is refused, and nothing of its batch is there", async (t) => {
  const { ledger, attach } = await opened(t);
  const old = await attach("a");
  await attach("a");
  const put = { op: "put", space: "kv:x", key: "k", value: "1", if_version: null } as const;
  await assert.rejects(ledger.append(old, [note(1)], [put]), (error) => isFault(error) && error.code === "mob.stale_fence");
  await ledger.note(old, note(2));
  await ledger.flush();
  assert.equal(ledger.head, 0);
  assert.equal(await ledger.store.get("a", "kv:x", "k"), undefined);
});

test("an entry with a key that is there already is not written twice", async (t) => {
  const { ledger, attach } = await opened(t);
  const by = await attach("a");
  await ledger.append(by, [note(1, { dedupe_key: "once" })]);
  const again = await ledger.tryAppend(by, [note(2, { dedupe_key: "once" })], []);
  assert.equal(again.ok, false);
  const page = await ledger.query({ after: 0 });
  assert.deepEqual(numbers(page.entries), [1]);
});

test("notes keep the order of their writer, and a source waits while too many are not committed", async (t) => {
  const { ledger, attach } = await opened(t, { limits: { uncommittedMax: 16 } });
  const by = await attach("a");
  let open = 0;
  let most = 0;
  using _ = ledger.hear(() => (open -= 1));
  for (let n = 0; n < 500; n++) {
    open += 1;
    await ledger.note(by, note(n));
    most = Math.max(most, open);
  }
  await ledger.flush();
  const page = await ledger.query({ after: 0, limit: 1_000 });
  assert.deepEqual(numbers(page.entries), Array.from({ length: 500 }, (_, n) => n));
  assert.ok(most <= 16, String(most));
});

test("what a commit left in doubt is read back before anything later is told", async (t) => {
  let doubt = 0;
  const { ledger, attach } = await opened(t, { wrap: (store) => ({
    ...store, supports: store.supports,
    commit: async (batch: Batch, call) => {
      const commit = await store.commit(batch, call);
      if (doubt-- === 1) throw Object.assign(new Error("lost on the way back"), { code: "state.timed_out", facts: {}, retry: "later", uncertain: true });
      return commit;
    },
    [Symbol.asyncDispose]: () => store[Symbol.asyncDispose](),
  }) });
  const by = await attach("a");
  const heard: unknown[] = [];
  using _ = ledger.hear(({ data }) => heard.push(data["n"]));
  await ledger.append(by, [note(1)]);
  doubt = 1;
  const lost = ledger.append(by, [note(2)]);
  const later = ledger.append(by, [note(3)]);
  await assert.rejects(lost, (error) => isFault(error) && error.uncertain === true);
  await later;
  await ledger.append(by, [note(4)]);
  const ending = new AbortController();
  const all = await take(ledger.subscribe({}, { after: 0, signal: ending.signal }), 4);
  assert.deepEqual(numbers(all), [1, 2, 3, 4]);
  assert.deepEqual(heard, [1, 2, 3, 4]);
});

/** Its commits with entries end as `outcome` says, the first of them; `done`: they are done all the same. */
function failing(outcomes: readonly { readonly error: unknown; readonly done: boolean }[]): (store: StateStore) => StateStore {
  const left = [...outcomes];
  return (store) => ({
    ...store, supports: store.supports,
    commit: async (batch: Batch, call) => {
      const outcome = batch.ops.some(({ op }) => op === "append") ? left.shift() : undefined;
      const commit = outcome?.done === false ? undefined : await store.commit(batch, call);
      if (outcome !== undefined) throw outcome.error;
      return commit as Commit;
    },
    [Symbol.asyncDispose]: () => store[Symbol.asyncDispose](),
  });
}

const lostOnTheWay = stateTimedOut(1, true);

test("what is noted is there once, whatever its commit left in doubt", async (t) => {
  const table = [
    ["done, and not known", [{ error: lostOnTheWay, done: true }]],
    ["not done, and not known", [{ error: lostOnTheWay, done: false }]],
    ["not known twice, and done the second time", [{ error: lostOnTheWay, done: false }, { error: lostOnTheWay, done: true }]],
    ["not done for want of room", [{ error: stateFull("state"), done: false }, { error: lostOnTheWay, done: true }]],
  ] as const;
  for (const [what, outcomes] of table) {
    const { ledger, attach } = await opened(t, { wrap: failing(outcomes), limits: { uncommittedMax: 4 } });
    const [by, other] = [await attach("a"), await attach("b")];
    for (let n = 0; n < 6; n++) await ledger.note(by, note(n));
    await ledger.append(other, [note(6)]);
    await ledger.flush();
    const page = await ledger.query({ after: 0 });
    assert.deepEqual(numbers(page.entries).sort(), [0, 1, 2, 3, 4, 5, 6], what);
    assert.deepEqual(numbers(page.entries.filter(({ data }) => data["n"] !== 6)), [0, 1, 2, 3, 4, 5], what);
  }
});

test("an entry that can never be written is told to whoever waits for all of them, and once", async (t) => {
  const { ledger, attach } = await opened(t, { wrap: failing([{ error: new Error("a bug"), done: false }]) });
  const by = await attach("a");
  await ledger.note(by, note(1));
  await assert.rejects(ledger.flush(), (error) => isFault(error) && error.code === "mob.storage_degraded" && error.facts["entries"] === 1);
  await ledger.note(by, note(2));
  await ledger.flush();
  assert.deepEqual(numbers((await ledger.query({ after: 0 })).entries), [2]);
});

test("values under secret names are not stored", async (t) => {
  const { ledger, attach } = await opened(t);
  const [entry] = await ledger.append(await attach("a"), [note(1, { data: { api_key: "k-123456", nested: [{ password: "x" }] } })]);
  assert.deepEqual(entry?.data, { api_key: "[REDACTED]", nested: [{ password: "[REDACTED]" }] });
});

/** What it is, what stands before it, itself, what stands after it. */
const SECRETS: readonly (readonly [string, string, string, string])[] = [
  ["a model's key", "with ", ["sk", "ant", "api03", "x1".repeat(15)].join("-"), "."], ["a code host's", "", ["ghp", "a1".repeat(18)].join("_"), ""],
  ["a cloud's", "(", ["AKIA", "ABCDEFGH12345678"].join(""), ")"], ["a chat's", "=", ["xoxb", "123456789012", "abcdef"].join("-"), ""],
  ["a web token", "", ["eyJhbGciOiJIUzI1NiJ9", "eyJzdWIiOiIxMjM0In0x", "c2lnbmF0dXJlc2ln"].join("."), " is it"], ["a bearer", "it is Bearer ", "t0ken".repeat(5), ""],
  ["a private key", "", ["-----BEGIN PRIVATE KEY-----", "MIIEabcd", "-----END PRIVATE KEY-----"].join("\n"), "\n"],
  ["a password in a URL", "postgres://ann:", "hunter2hunter2", "@db/x"],
];
const PLAIN = [
  "a sentence about a risk-free task-force", "https://example.org/a/b?c=d", "sk-eleton-of-a-very-long-kebab-case", "01ARZ3NDEKTSV4RRFFQ69G5FAV", "ann@example.org", "bearer of bad news",
];

test("what looks like a credential is not stored, and what does not is as it was", async (t) => {
  const { ledger, attach } = await opened(t);
  const by = await attach("a");
  for (const [what, before, secret, behind] of SECRETS) {
    const [entry] = await ledger.append(by, [note(1, { data: { text: before + secret + behind } })]);
    assert.equal(entry?.data["text"], `${before}[REDACTED]${behind}`, what);
  }
  const [entry] = await ledger.append(by, [note(1, { data: { text: PLAIN } })]);
  assert.deepEqual(entry?.data["text"], PLAIN);
});

test("live signals reach present readers only, and are told from entries", async (t) => {
  const { ledger, attach } = await opened(t);
  const by = await attach("a");
  const ending = new AbortController();
  t.after(() => ending.abort());
  const reading = take(ledger.subscribe({ member: "x" }, { signal: ending.signal }), 2);
  await new Promise((resolve) => void setImmediate(resolve));
  ledger.live({ live: "text", member: "y", data: { delta: "no" } });
  ledger.live({ live: "text", member: "x", data: { delta: "a" } });
  await ledger.append(by, [note(1, { member: "x" })]);
  const got = await reading;
  assert.deepEqual(got.map((one) => ("live" in one ? one.data["delta"] : "data" in one ? one.data["n"] : one)).toSorted(), [1, "a"]);
});
