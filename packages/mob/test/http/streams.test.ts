/**
 * Goal: a stream gives all there is, whoever reads it and however often it breaks. Invariants: from any cursor each entry of the
 * topics comes once and in order, or a gap says what is missing; a reader that stalls costs at most 256 KiB and slows nobody.
 * Method: random writers and readers on a real server, cut and opened again anywhere; sockets that really stall.
 */
import assert from "node:assert/strict";
import { connect, type Socket } from "node:net";
import { test } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import type { SseEvent } from "@atoll-run/core";
import { MOB_LIMITS, type Entry, type NewEntry } from "@atoll-run/mob";
import { LEDGER_JOURNAL, withCommit } from "@atoll-run/mob/internal";
import { until } from "@atoll-run/testkit";
import fc from "fast-check";
import { house } from "../support.ts";
import { hear, listen, served } from "./served.ts";

const KINDS = ["note", "mob_started", "action_allowed", "stale_fence"] as const;
const OF: Readonly<Record<string, (entry: Entry) => boolean>> = {
  entries: () => true, structural: (entry) => entry.class === "structural", approvals: (entry) => entry.class === "approval",
  errors: (entry) => entry.class === "error", "member:m-1": (entry) => entry.member === "m-1", "run:r_1": (entry) => entry.run_id === "r_1",
};

interface Filter {
  readonly member?: string;
  readonly kinds?: readonly string[];
}

const written = fc.record({ kind: fc.constantFrom(...KINDS), member: fc.constantFrom("m-0", "m-1"), run: fc.boolean() });
const reader = fc.record({
  topics: fc.uniqueArray(fc.constantFrom(...Object.keys(OF)), { minLength: 1, maxLength: 3 }),
  /** How far back it begins, of all there is then. */
  from: fc.double({ min: 0, max: 1, noNaN: true }),
  /** After so many events it is cut, and comes again. */
  cuts: fc.array(fc.integer({ min: 0, max: 12 }), { maxLength: 4 }),
  byQuery: fc.boolean(),
  filter: fc.constantFrom<Filter>({}, { member: "m-1" }, { kinds: [...KINDS, "mob_stopped"].filter((kind) => kind !== "note") }, { member: "m-1", kinds: [...KINDS, "mob_stopped"].filter((kind) => kind !== "mob_started") }),
});
const wave = fc.record({ entries: fc.array(written, { minLength: 1, maxLength: 15 }), pauses: fc.integer({ min: 0, max: 2 }) });

test("resuming from any cursor gives every entry of the topics once and in order, whatever is cut and written meanwhile", async (t) => {
  // Most of it is read from the store, over what has nothing for whoever reads.
  const { http, ledger, append } = await served(t, { limits: { tailEntries: 16, sliceEntries: 16 } });
  const toEntry = ({ kind, member, run }: { kind: typeof KINDS[number]; member: string; run: boolean }): NewEntry =>
    ({ kind, source: "test", member, ...run ? { run_id: "r_1" } : {}, data: { text: "ä".repeat(20) } });
  await fc.assert(fc.asyncProperty(fc.array(wave, { minLength: 1, maxLength: 6 }), fc.array(reader, { minLength: 1, maxLength: 4 }), async (waves, readers) => {
    const first = ledger.head;
    await append(...waves.flatMap(({ entries }) => entries.map(toEntry)));
    const there = await all(ledger, first);
    const reading = readers.map((one) => follow(http.url, one, there[Math.floor(one.from * there.length)]?.seq ?? first, ledger));
    for (const { entries, pauses } of waves) {
      await append(...entries.map(toEntry));
      for (let n = 0; n < pauses; n++) await new Promise((resolve) => void setImmediate(resolve));
    }
    // Of every topic: whoever has heard it has heard all before it.
    await append(...["m-0", "m-1"].flatMap((member) => (["mob_stopped", "action_allowed", "stale_fence"] as const).map((kind): NewEntry => ({ kind, source: "end", member, run_id: "r_1", data: {} }))));
    const written = await all(ledger, first);
    for (const [n, { heard, from }] of (await Promise.all(reading)).entries()) {
      const { topics, filter: { member, kinds } } = readers[n] as { topics: string[]; filter: Filter };
      const wanted = written.filter((entry) => entry.seq > from && topics.some((topic) => OF[topic]?.(entry) === true)
        && (member === undefined || entry.member === member) && kinds?.includes(entry.kind) !== false).map(({ seq }) => seq);
      assert.deepEqual(heard, wanted.slice(0, heard.length));
      // It stops at the first entry of the end that it hears; with several topics there may be more of them.
      assert.ok(wanted.length - heard.length <= 5);
    }
  }), { numRuns: 25 });
});

async function all(ledger: { query(o: object): Promise<{ entries: readonly Entry[]; next: string; exhausted: boolean }> }, after: number): Promise<readonly Entry[]> {
  const entries: Entry[] = [];
  for (let at: string | number = after; ;) {
    const page = await ledger.query({ after: at, limit: 1_000 });
    entries.push(...page.entries);
    if (page.exhausted) return entries;
    at = page.next;
  }
}

/** Reads until an entry of the end; what it has when it is cut it does not ask for again. */
async function follow(
  url: string, { topics, cuts, byQuery, filter }: { readonly topics: readonly string[]; readonly cuts: readonly number[]; readonly byQuery: boolean; readonly filter: Filter }, from: number,
  ledger: { cursor(seq: number): string },
): Promise<{ readonly heard: readonly number[]; readonly from: number }> {
  const heard: number[] = [];
  let cursor = ledger.cursor(from);
  for (const cut of [...cuts, Infinity]) {
    const ending = new AbortController();
    const of = `${url}/v1/stream?${new URLSearchParams({ topics: topics.join(), ...Object.fromEntries(Object.entries(filter).map(([name, value]) => [name, String(value)])) }).toString()}`;
    let count = 0;
    try {
      for await (const { data, id, event } of byQuery ? listen(`${of}&after=${cursor}`, {}, ending.signal) : listen(of, { "last-event-id": cursor }, ending.signal)) {
        if (count++ >= cut) break;
        assert.equal(event, "entry");
        const entry = JSON.parse(data) as Entry;
        assert.equal(id, ledger.cursor(entry.seq));
        cursor = id;
        heard.push(entry.seq);
        if (entry.source === "end") return { heard, from };
      }
    } finally {
      ending.abort();
    }
  }
  throw new Error("a stream ended by itself");
}

test("what retention has taken is one gap, then the oldest entry; a cursor past the head or of another history is 410", async (t) => {
  const base = await house(t, "memory");
  const placed = await base.append(...Array.from({ length: 10 }, (_, n): NewEntry => ({ kind: "note", source: "x", data: { n } })));
  const kept = placed[6] as Entry;
  const { store } = base;
  await base.roster.snapshot();
  await base.ledger.prune(base.writer, kept.seq - 1);
  const { http, ledger, ask, rpc } = await served(t, { on: store });
  const events = await hear(`${http.url}/v1/stream?after=${ledger.cursor(placed[1]?.seq ?? 0)}`, 3);
  const gap = events[0] as SseEvent;
  assert.deepEqual([gap.event, gap.id, JSON.parse(gap.data)], ["gap", ledger.cursor(kept.seq - 1), { from: (placed[1]?.seq ?? 0) + 1, to: kept.seq - 1, reason: "retention" }]);
  assert.deepEqual(events.slice(1).map(({ id }) => id), [ledger.cursor(kept.seq), ledger.cursor(placed[7]?.seq ?? 0)]);
  const { result } = await rpc("mob/ledger/query", { after: ledger.cursor(placed[1]?.seq ?? 0), limit: 1 });
  assert.deepEqual([result.gap, result.entries[0].seq], [JSON.parse(gap.data), kept.seq]);
  for (const after of [ledger.cursor(ledger.head + 1_000), `zzzzzzzz-${ledger.head}`]) {
    const { status, body } = await ask("GET", `/v1/stream?after=${after}`);
    assert.deepEqual([status, body.error.data.code, body.error.data.facts.after_cursor], [410, "mob.stale_cursor", after]);
    assert.match(body.error.data.facts.latest_cursor, new RegExp(`^${ledger.epoch}-\\d+$`));
  }
  assert.deepEqual((await ask("GET", "/v1/stream?topic=entries")).body.error.data.hint, 'Did you mean "topics"?');
});

test("16 readers that stall cost at most 256 KiB each and hold up neither writers nor the one that reads", async (t) => {
  const [STALLED, WRITTEN] = [16, 400];
  const { http, append, ask } = await served(t, { store: "sqlite", limits: { tailEntries: 32, stalledMs: 600_000 } });
  setFlagsFromString("--expose-gc");
  // Code that has not run for a while is let go of otherwise, in the middle of what is measured.
  setFlagsFromString("--no-flush-bytecode");
  const collect = runInNewContext("gc") as () => void;
  /** When it does not fall any more: what was let go of is counted until it is collected. */
  const used = async (): Promise<number> => {
    for (let [least, same] = [Infinity, 0]; ;) {
      collect();
      const { heapUsed, external } = process.memoryUsage();
      same = heapUsed + external < least - 65_536 ? 0 : same + 1;
      least = Math.min(least, heapUsed + external);
      if (same === 4) return least;
      await new Promise((resolve) => void setTimeout(resolve, 100));
    }
  };
  const write = async (count: number): Promise<void> => {
    for (let n = 0; n < count; n++) await append({ kind: "note", source: "x", data: { n, text: "ä".repeat(20_000) } });
  };
  const events: string[] = [];
  const ending = new AbortController();
  const reading = (async () => {
    for await (const { id = "" } of listen(`${http.url}/v1/stream`, {}, ending.signal)) events.push(id);
  })().catch(() => undefined);
  await until(() => http.streams === 1);
  // What it costs without them.
  await write(WRITTEN);
  await until(() => events.length === WRITTEN);
  const before = await used();
  const sockets = await Promise.all(Array.from({ length: STALLED }, (_, n) => stalled(http.port, `entries,${n % 3 === 0 ? "roster," : ""}member:m-${n}${n % 2 === 0 ? "" : "&after=0"}`)));
  t.after(() => sockets.forEach((socket) => socket.destroy()));
  await until(() => http.streams === STALLED + 1);
  // More than kernels keep for sockets.
  await write(WRITTEN);
  await until(() => events.length === WRITTEN * 2);
  assert.equal((await ask("GET", "/v1/status")).status, 200);
  assert.equal(http.streams, STALLED + 1);
  const each = (await used() - before) / STALLED;
  assert.ok(each <= MOB_LIMITS.readerBytesMax, `${Math.round(each)} bytes for each`);
  // They are really behind.
  assert.ok(each > 65_536, `${Math.round(each)} bytes for each`);
  t.diagnostic(`${Math.round(each / 1_024)} KiB for each of ${STALLED} readers that stall`);
  ending.abort();
  await reading;
});

test("who hears little catches up without reading what has nothing for him, and misses none of it", async (t) => {
  const [ENTRIES, EVERY] = [6_000, 1_500];
  let read = 0;
  const { http, ledger, append } = await served(t, { limits: { tailEntries: 64, sliceEntries: 64 }, wrap: (store) => ({
    ...withCommit(store, (...o) => store.commit(...o)), journal: async (...o) => {
      const rows = await store.journal(...o);
      if (o[0] === LEDGER_JOURNAL) read += rows.length;
      return rows;
    },
  }) });
  const first = ledger.head;
  for (let at = 0; at < ENTRIES; at += 500) {
    await append(...Array.from({ length: 500 }, (_, n): NewEntry => {
      const rare = (at + n) % EVERY === 0;
      return { kind: rare ? "action_allowed" : "note", source: "x", member: rare ? "rare" : "often", ...rare ? { run_id: "r_rare" } : {}, data: {} };
    }));
  }
  const wanted = (await ledger.query({ after: first, member: "rare" })).entries.map(({ seq }) => seq);
  assert.equal(wanted.length, ENTRIES / EVERY);
  for (const [query, most] of [
    ["topics=member:rare", 0.2], ["topics=run:r_rare", 0.2], ["topics=approvals", 0.2], ["topics=entries&member=rare", 0.2], ["topics=approvals,errors&member=rare", 0.2], ["topics=entries&kinds=action_allowed&member=rare", 0.2],
    ["topics=approvals,member:rare", 1], ["topics=member:rare,run:r_rare", 1],
  ] as const) {
    read = 0;
    const heard = await hear(`${http.url}/v1/stream?${query}&after=${ledger.cursor(first)}`, wanted.length);
    assert.deepEqual(heard.map(({ data }) => (JSON.parse(data) as Entry).seq), wanted, query);
    assert.ok(read <= ENTRIES * most + 128, `${query}: ${read} of ${ENTRIES}`);
  }
});

/** With topics of its own, so that it shares no bytes with others; some have all to catch up on. */
async function stalled(port: number, topics: string): Promise<Socket> {
  const socket = connect(port, "127.0.0.1");
  socket.on("error", () => undefined);
  socket.pause();
  await new Promise((resolve) => void socket.once("connect", resolve));
  socket.write(`GET /v1/stream?topics=${topics} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer token-of-admin\r\n\r\n`);
  return socket;
}
