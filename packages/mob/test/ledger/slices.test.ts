/**
 * Goal: who asks for little reads little, and gets all of it. Invariant: with any filter, in both directions, after starts and prunings,
 * pages have just the entries that match. Method: random histories with slices of a few entries; the rows of the store are counted.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { StateStore } from "@atoll-run/core";
import type { Entry, EntryQuery, Ledger, NewEntry } from "@atoll-run/mob";
import { LEDGER_JOURNAL, SLICES_JOURNAL } from "@atoll-run/mob/internal";
import { until } from "@atoll-run/testkit";
import fc from "fast-check";
import { attach, house, type House } from "../support.ts";

const KINDS = ["note", "turn_waiting", "access_denied", "hook_failure"] as const;
const few = fc.nat(11);

const entries = fc.array(fc.record({ kind: fc.constantFrom(...KINDS), member: few, turn: few, run: few, session: few, principal: few }).map(
  ({ kind, member, turn, run, session, principal }): NewEntry => ({
    kind, source: "test", data: {}, ...member > 9 ? {} : { member: `m-${member}` }, ...turn > 9 ? {} : { turn_id: `t_${turn}` }, ...run > 5 ? {} : { run_id: `r_${run}` },
    ...session > 5 ? {} : { session: { id: `s_${session}` } }, ...principal > 3 ? {} : { principal: `p-${principal}` },
  })), { minLength: 1, maxLength: 30 });

/** For one filter or two; some are of what is nowhere. */
const queries = fc.array(fc.oneof(
  fc.constantFrom(...KINDS).map((kind) => ({ kinds: [kind] })), fc.constantFrom("agent", "audit", "turn").map((one) => ({ classes: [one] })), few.map((n) => ({ member: `m-${n}` })),
  few.map((n) => ({ turn_id: `t_${n}` })), few.map((n) => ({ run_id: `r_${n}` })), few.map((n) => ({ session_id: `s_${n}` })), few.map((n) => ({ principal: `p-${n}` })),
  fc.nat(100).map((since) => ({ since })), fc.nat(100).map((end) => ({ until: end })),
), { minLength: 1, maxLength: 2 }).map((filters): object => Object.assign({}, ...filters));
type Asked = Omit<EntryQuery, "since_at_ms" | "until_at_ms"> & { readonly since?: number; readonly until?: number };

const steps = fc.array(fc.oneof({ weight: 6, arbitrary: entries }, { weight: 1, arbitrary: fc.constant("again" as const) }, { weight: 1, arbitrary: fc.nat(100) }), { minLength: 6, maxLength: 14 });

async function forward(ledger: Ledger, query: EntryQuery): Promise<readonly number[]> {
  const found: number[] = [];
  for (let after: string | number = 0; ;) {
    const page = await ledger.query({ ...query, after, limit: 5 });
    found.push(...page.entries.map(({ seq }) => seq));
    if (page.exhausted) return found;
    assert.notEqual(page.next, after, "it moves");
    after = page.next;
  }
}

async function backward(ledger: Ledger, query: EntryQuery): Promise<readonly number[]> {
  const found: number[] = [];
  for (let before: string | undefined; ;) {
    const page = await ledger.query({ ...query, limit: 5, ...before === undefined ? {} : { before } });
    found.unshift(...page.entries.map(({ seq }) => seq));
    if (page.before === undefined) return found;
    assert.notEqual(page.before, before, "it moves");
    before = page.before;
  }
}

/** Of what is there: by a look at each of them. */
function wantedOf(all: readonly Entry[], { since_at_ms = -Infinity, until_at_ms = Infinity, kinds, classes, session_id, ...same }: EntryQuery, pruned: number): readonly number[] {
  const audit = kinds?.every((kind) => kind === "access_denied") === true || classes?.every((one) => one === "audit") === true;
  return all.filter((entry) => (entry.seq > pruned || audit) && entry.ts_ms >= since_at_ms && entry.ts_ms < until_at_ms
    && kinds?.includes(entry.kind) !== false && classes?.includes(entry.class) !== false && (session_id === undefined || entry.session?.id === session_id)
    && Object.entries(same).every(([name, value]) => entry[name as keyof Entry] === value)).map(({ seq }) => seq);
}

async function all({ store }: House): Promise<readonly Entry[]> {
  const rows = await store.journal(LEDGER_JOURNAL, { after: 0, limit: 5_000 });
  return rows.map(({ seq, body }) => ({ seq, ...JSON.parse(body) as Omit<Entry, "seq"> }));
}

test("pages have just what is asked for, over starts and prunings, and always move on", async (t) => {
  let [slices, trimmed] = [0, 0];
  await fc.assert(fc.asyncProperty(steps, fc.array(queries, { minLength: 6, maxLength: 12 }), fc.constantFrom(100_000, 20), async (history, asked, scanMax) => {
    let present = await house(t, "memory", { limits: { sliceEntries: 8, scanMax, tailEntries: 4 } });
    for (const step of history) {
      if (step === "again") present = await present.again();
      else if (typeof step === "number") {
        await present.roster.snapshot();
        await present.ledger.prune(present.writer, Math.floor(present.ledger.head * step / 100));
      } else {
        const by = await attach(present.ledger, `noter-${step.length % 3}`);
        for (const entry of step) await present.ledger.append(by, [entry]);
      }
    }
    const { ledger, store } = present;
    const there = await all(present);
    const timeAt = (percent: number): number => there[Math.floor(there.length * percent / 101)]?.ts_ms ?? 0;
    for (const { since, until: end, ...rest } of asked as readonly Asked[]) {
      const query = { ...rest, ...since === undefined ? {} : { since_at_ms: timeAt(since) }, ...end === undefined ? {} : { until_at_ms: timeAt(end) } };
      const wanted = wantedOf(there, query, ledger.pruned);
      assert.deepEqual(await forward(ledger, query), wanted, `forward ${JSON.stringify(query)}`);
      assert.deepEqual(await backward(ledger, query), wanted, `backward ${JSON.stringify(query)}`);
    }
    const rows = await store.journal(SLICES_JOURNAL, { after: 0, limit: 1_000 });
    slices += rows.length;
    if (rows.length > 0 && ledger.pruned > 0) trimmed += 1;
    assert.ok(rows.every(({ seq }) => seq > ledger.pruned), "rows go with their entries");
  }), { numRuns: 60 });
  assert.ok(slices > 20 && trimmed > 0, `${slices} slices, ${trimmed} times beside a pruning`);
});

const SLICE = 1_024;
const SLICES = 14;
/** Four before the start, four after it. */
const RARE = 8;

test("who asks for little reads little, of what is written now and of what was there before", async (t) => {
  let read = 0;
  const counted = (name: "journal" | "journalBack") => (store: StateStore): StateStore["journal"] & StateStore["journalBack"] => async (journal: string, o: never) => {
    const rows = await store[name](journal, o);
    if (journal === LEDGER_JOURNAL) read += rows.length;
    return rows;
  };
  const wrap = (store: StateStore): StateStore => ({ ...store, supports: store.supports, journal: counted("journal")(store), journalBack: counted("journalBack")(store) });
  const plain = (n: number): NewEntry => ({ kind: "note", source: "test", member: `m-${n % 50}`, turn_id: `t_${n >> 3}`, data: {} });
  const fill = async ({ ledger, writer }: House, parts: number, special: NewEntry) => {
    for (let part = 0; part < parts; part++) {
      for (let batch = 0; batch < 4; batch++) await ledger.append(writer, Array.from({ length: SLICE / 4 }, (_, n) => part === 3 && n === 9 ? special : plain(part * SLICE + n)));
    }
  };
  const present = await house(t, "memory", { wrap, limits: { sliceEntries: SLICE } });
  const rare: NewEntry = { kind: "access_denied", source: "test", member: "rare", turn_id: "t_rare", run_id: "r_rare", principal: "ann", session: { id: "s_rare" }, data: {} };
  await fill(present, SLICES / 2, rare);
  const later = await present.again();
  await fill(later, SLICES, rare);
  await until(async () => (await later.store.journal(SLICES_JOURNAL, { after: 0, limit: 100 })).length >= SLICES * 3 / 2 - 1);
  for (const query of [{ member: "rare" }, { turn_id: "t_rare" }, { run_id: "r_rare" }, { principal: "ann" }, { session_id: "s_rare" }, { kinds: ["access_denied"] }, { classes: ["audit"] }, { turn_id: "t_nowhere" }] as const) {
    for (const way of [forward, backward]) {
      read = 0;
      assert.equal((await way(later.ledger, query)).length, "turn_id" in query && query.turn_id === "t_nowhere" ? 0 : RARE);
      assert.ok(read <= 6 * SLICE, `${way.name} ${JSON.stringify(query)}: ${read} rows of ${SLICES * 1.5 * SLICE}`);
    }
  }
});

test("slices of any size that can be set are well", async (t) => {
  for (const sliceEntries of [0, 1, Number.MAX_SAFE_INTEGER]) {
    const { ledger, append } = await house(t, "memory", { limits: { sliceEntries } });
    for (let n = 0; n < 5; n++) await append({ kind: "note", source: "test", member: `m-${n % 2}`, data: {} });
    assert.equal((await forward(ledger, { member: "m-0" })).length, 3, String(sliceEntries));
  }
});
