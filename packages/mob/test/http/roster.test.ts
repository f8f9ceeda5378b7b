/**
 * Goal: whoever hears the roster has the rows that there are. Invariants: whatever changes a row is told; rows begin with all of them, and
 * go on from any cursor; nothing of a member that is not his is ever told; one that stalls costs no more than others. Method: rows put
 * together from what was heard are those of the view, after random entries, cuts and changes of rules; real sockets.
 */
import assert from "node:assert/strict";
import { connect } from "node:net";
import { test } from "node:test";
import { SseDecoder, type SseEvent } from "@atoll-run/core";
import { MOB_LIMITS, type Entry, type MemberRow, type NewEntry } from "@atoll-run/mob";
import { View } from "@atoll-run/mob/internal";
import { until } from "@atoll-run/testkit";
import fc from "fast-check";
import { changesAllRows, touchedBy } from "../../src/roster/touched.ts";
import { spawned } from "../support.ts";
import { hear, listen, served, token } from "./served.ts";

interface Told {
  readonly cursor: string;
  readonly member: string;
  readonly row: MemberRow | null;
}

/** What a reader makes of it. */
class Reader {
  rows = new Map<string, MemberRow>();
  cursor: string | undefined;
  snapshots = 0;
  readonly entries: number[] = [];
  #staged: Map<string, MemberRow> | undefined;

  hear({ event, id, data }: SseEvent): void {
    if (id !== undefined) this.cursor = id;
    const given = JSON.parse(data) as Told & Entry;
    if (event === "snapshot_started") this.#staged = new Map();
    else if (event === "snapshot_complete") {
      assert.ok(this.#staged !== undefined);
      [this.rows, this.#staged] = [this.#staged, undefined];
      this.snapshots += 1;
    } else if (event === "entry") this.entries.push(given.seq);
    else if (event === "row") {
      const rows = this.#staged ?? this.rows;
      if (given.row === null) rows.delete(given.member);
      else rows.set(given.member, given.row);
    }
  }

  /** Cut off: what was not complete counts for nothing. */
  cut(): void {
    this.#staged = undefined;
  }

  get ids(): readonly string[] {
    return [...this.rows.keys()].sort();
  }
}

const MEMBERS = ["m-0", "m-1", "m-2"] as const;
const member = fc.constantFrom(...MEMBERS);
const spawn = (id: string): NewEntry => ({ ...spawned(id, { profile: "o" }) });
/** What really touches rows, as rooms write it. */
const change = fc.oneof<fc.Arbitrary<NewEntry>[]>(
  member.map(spawn),
  fc.record({ id: member, state: fc.constantFrom("active", "dormant", "suspended") }).map(({ id, state }): NewEntry =>
    ({ kind: state === "active" ? "member_started" : "member_dormant", source: "x", member: id, fence: 3, data: { state } })),
  fc.record({ id: member, team: fc.constantFrom("a", "b") }).map(({ id, team }): NewEntry => ({ kind: "member_updated", source: "x", member: id, data: { spec: { id, profile: "o", labels: { team } } } })),
  member.map((id): NewEntry => ({ kind: "member_deleted", source: "x", member: id, data: {} })),
  fc.record({ a: member, b: member, wired: fc.boolean() }).map(({ a, b, wired }): NewEntry => {
    const [x, y] = a < b ? [a, b] : [b, a];
    return { kind: wired ? "members_wired" : "members_unwired", source: "x", data: { a: x, b: y } };
  }),
  fc.record({ id: member, turn: fc.constantFrom("t_1", "t_2", "t_3"), kind: fc.constantFrom("turn_queued", "turn_started", "turn_waiting", "turn_resumed", "turn_done", "turn_dead") })
    .map(({ id, turn, kind }): NewEntry => ({ kind: kind as "turn_queued", source: "x", member: id, turn_id: `${turn}-${id}`, session: { id: "s" }, data: { conversation: "" } })),
  fc.record({ id: member, kind: fc.constantFrom("turn_completed", "tool_execution_started", "note", "text_complete", "dead_letter_discarded") })
    .map(({ id, kind }): NewEntry => ({ kind: kind as "note", source: "x", member: id, turn_id: `t_1-${id}`, session: { id: "s" }, data: { usage: { tokens_in: 1, tokens_out: 1, cost_usd: 0 } } })),
  fc.constantFrom<NewEntry>({ kind: "mob_started", source: "x", data: {} }, { kind: "flow_completed", source: "x", run_id: "r_1", data: {} }, { kind: "labels_set", source: "x", data: { labels: { a: "b" } } }),
);

test("whatever entry changes the row of a member says so, and says of whom", async () => {
  let seq = 0;
  await fc.assert(fc.asyncProperty(fc.array(change, { maxLength: 60 }), async (entries) => {
    const view = new View(undefined, () => ({ mode: "turn_driven", external: true, labels: { of: "profile" } }));
    const rows = () => new Map(MEMBERS.map((id) => [id, JSON.stringify(view.row(id) ?? null)]));
    let before = rows();
    for (const one of entries) {
      seq += 1;
      const entry = { class: one.kind.startsWith("turn_") && one.kind !== "turn_completed" || one.kind.startsWith("dead_") ? "turn" : "structural", v: 1, mob: "m", epoch: "e", id: String(seq), ts_ms: seq, ...one, session: one.session === undefined ? undefined : { id: "s", seq }, seq } as unknown as Entry;
      view.fold(entry);
      const after = rows();
      const changed = MEMBERS.filter((id) => before.get(id) !== after.get(id));
      const told = touchedBy(entry);
      assert.deepEqual(changed.filter((id) => !told.includes(id) && !changesAllRows(entry)), [], entry.kind);
      before = after;
    }
  }), { numRuns: 200 });
});

const cutting = fc.record({ waves: fc.array(fc.array(change, { minLength: 1, maxLength: 8 }), { minLength: 1, maxLength: 6 }), cuts: fc.array(fc.integer({ min: 0, max: 20 }), { maxLength: 5 }), mixed: fc.boolean() });

test("rows begin with all there are and go on from any cursor: cut anywhere, they end as those of the mob, and entries beside them come once", async (t) => {
  const { http, append, view, ledger } = await served(t);
  let round = 0;
  await fc.assert(fc.asyncProperty(cutting, async ({ waves, cuts, mixed }) => {
    const reader = new Reader();
    const topics = mixed ? "entries,roster" : "roster";
    const first = ledger.head;
    const mark = `end-${round += 1}`;
    const reading = (async () => {
      for (const cut of [...cuts, Infinity]) {
        const ending = new AbortController();
        let count = 0;
        try {
          const headers: Record<string, string> = reader.cursor === undefined ? {} : { "last-event-id": reader.cursor };
          for await (const event of listen(`${http.url}/v1/stream?topics=${topics}&after=${ledger.cursor(first)}&snapshot=true`, headers, ending.signal)) {
            if (count++ >= cut) break;
            reader.hear(event);
            if (reader.rows.has(mark) && (!mixed || reader.entries.at(-1) === reader.rows.get(mark)?.seq)) return;
          }
        } finally {
          ending.abort();
          reader.cut();
        }
      }
    })();
    for (const wave of waves) {
      await append(...wave);
      await new Promise((resolve) => void setImmediate(resolve));
    }
    await append(spawn(mark));
    await reading;
    const { seq: end } = view.row(mark) as MemberRow;
    await append({ kind: "member_deleted", source: "x", member: mark, data: {} });
    const wanted = new Map(view.ids().map((id) => [id, view.row(id)]));
    reader.rows.delete(mark);
    assert.deepEqual(new Map([...reader.rows].sort()), new Map([...wanted].sort()));
    const { entries } = await ledger.query({ after: first, limit: 1_000 });
    if (mixed) assert.deepEqual(reader.entries, entries.map(({ seq }) => seq).filter((seq) => seq <= end));
  }), { numRuns: 25 });
});

test("a snapshot stands between its marks, each row after it has the cursor of its entry, and a burst of one member is one row", async (t) => {
  const { http, append, ledger, view } = await served(t);
  const before = ledger.cursor(ledger.head);
  const ending = new AbortController();
  const heard: SseEvent[] = [];
  const reading = (async () => {
    for await (const event of listen(`${http.url}/v1/stream?topics=roster`, {}, ending.signal)) heard.push(event);
  })().catch(() => undefined);
  await until(() => heard.length === 4);
  const of = ({ event, id, data }: SseEvent) => {
    const { cursor, member: name, row, rows } = JSON.parse(data) as Told & { rows?: number };
    return [event, id, cursor, name ?? rows, row?.phase];
  };
  assert.deepEqual(heard.map(of), [
    ["snapshot_started", undefined, before, undefined, undefined], ["row", undefined, before, "open", "idle"], ["row", undefined, before, "shut", "idle"], ["snapshot_complete", before, before, 2, undefined],
  ]);
  // In one piece: what was between is not there any more.
  const turn = (kind: "turn_queued" | "turn_started") => ({ kind, source: "x", member: "open", turn_id: "t_1", data: {} }) as const;
  await append(turn("turn_queued"), turn("turn_started"));
  await until(() => heard.length === 5);
  const at = ledger.cursor(ledger.head);
  assert.deepEqual(of(heard[4] as SseEvent), ["row", at, at, "open", "busy"]);
  // Two rows of one entry: only with the last of them it is told.
  await append({ kind: "members_unwired", source: "x", data: { a: "open", b: "shut" } });
  await until(() => heard.length === 7);
  assert.deepEqual(heard.slice(5).map((one) => [one.id, (JSON.parse(one.data) as Told).row?.wired_to]), [[at, []], [ledger.cursor(ledger.head), []]]);
  assert.deepEqual((JSON.parse(heard[5]?.data ?? "") as Told).row, view.row("open"));
  // With a cursor one has the rows up to there.
  const since = await hear(`${http.url}/v1/stream?topics=roster`, 2, { "last-event-id": at });
  assert.deepEqual(since.map(({ data }) => (JSON.parse(data) as Told).member), ["open", "shut"]);
  const one = await hear(`${http.url}/v1/stream?topics=roster&member=shut`, 3);
  assert.deepEqual(one.map(({ event, data }) => [event, (JSON.parse(data) as Partial<Told>).member]), [["snapshot_started", undefined], ["row", "shut"], ["snapshot_complete", undefined]]);
  ending.abort();
  await reading;
});

test("whoever is too far behind, below what is kept, or there when profiles change is told all rows anew", async (t) => {
  const { http, append, ledger, writer, roster } = await served(t, { limits: { tailEntries: 16 } });
  const start = ledger.cursor(ledger.head);
  await append(...Array.from({ length: 40 }, (_, n): NewEntry => ({ kind: "note", source: "x", data: { n } })));
  const kinds = (events: readonly SseEvent[]) => events.map(({ event }) => event);
  const whole = ["snapshot_started", "row", "row", "snapshot_complete"];
  const far = await hear(`${http.url}/v1/stream?topics=roster&after=${start}`, 4);
  assert.deepEqual([kinds(far), far[3]?.id], [whole, ledger.cursor(ledger.head)]);
  // With entries beside it all are read, and rows need not be told anew.
  assert.deepEqual(kinds(await hear(`${http.url}/v1/stream?topics=entries,roster&after=${start}`, 3)), ["entry", "entry", "entry"]);
  const reader = new Reader();
  const ending = new AbortController();
  const reading = (async () => {
    for await (const event of listen(`${http.url}/v1/stream?topics=roster,structural`, {}, ending.signal)) reader.hear(event);
  })().catch(() => undefined);
  await until(() => reader.snapshots === 1);
  await append({ kind: "definition_applied", source: "x", data: { hash: "x", part: 0, parts: 1 } });
  await until(() => reader.entries.length === 1);
  assert.equal(reader.snapshots, 2);
  ending.abort();
  await reading;
  await roster.snapshot();
  await ledger.prune(writer, ledger.head - 4);
  const pruned = await hear(`${http.url}/v1/stream?topics=roster,structural&after=${start}`, 6);
  assert.deepEqual(kinds(pruned), [...whole, "gap", "entry"]);
  assert.deepEqual(kinds(await hear(`${http.url}/v1/stream?topics=roster&after=${start}`, 4)), whole);
});

const rule = (effect: "allow" | "deny", actions: string, of: object = {}) =>
  ({ effect, actions: actions.split(" "), principals: ["ann"], groups: [], members: null, profiles: null, labels: null, ...of });

test("a member that is not his is never told: not its row, not that it came or went, not as a neighbour; one that stops being his is gone", async (t) => {
  const access = { admins: ["root"], rules: [rule("allow", "member.view", { labels: { team: "a" } }), rule("allow", "member.view", { members: ["open"] })] };
  const { http, append, rules, ask } = await served(t, { access, tokens: [{ ...token("none"), principal: "ann" }] });
  const reader = new Reader();
  let text = "";
  const ending = new AbortController();
  const reading = (async () => {
    for await (const event of listen(`${http.url}/v1/stream?topics=roster`, { authorization: "Bearer token-of-none" }, ending.signal)) {
      text += event.data;
      reader.hear(event);
    }
  })().catch(() => undefined);
  const update = (id: string, team: string): NewEntry => ({ kind: "member_updated", source: "x", member: id, data: { spec: { id, profile: "o", labels: { team } } } });
  await until(() => reader.snapshots === 1);
  assert.deepEqual([reader.ids, reader.rows.get("open")?.wired_to], [["open"], []]);
  // Neither whose it is in the end, nor whose it is not.
  await append(spawned("secret", { labels: { team: "b" } }), spawned("mine", { labels: { team: "a" } }), { kind: "members_wired", source: "x", data: { a: "mine", b: "secret" } });
  await until(() => reader.rows.has("mine"));
  await append({ kind: "member_deleted", source: "x", member: "secret", data: {} }, { kind: "turn_queued", source: "x", member: "shut", turn_id: "t_9", data: {} }, update("mine", "b"));
  await until(() => !reader.rows.has("mine"));
  await append(update("mine", "a"), { kind: "members_wired", source: "x", data: { a: "mine", b: "open" } });
  await until(() => reader.rows.get("mine")?.wired_to[0] === "open");
  await append({ kind: "member_deleted", source: "x", member: "mine", data: {} });
  await until(() => !reader.rows.has("mine"));
  assert.deepEqual(reader.ids, ["open"]);
  assert.ok(!text.includes("secret") && !text.includes("shut"), text);
  // Other rules: all of it anew by them.
  rules.access = { ...access, rules: [rule("allow", "member.view", { members: ["shut"] })] };
  await append({ kind: "access_changed", source: "x", data: {} });
  await until(() => reader.ids.join() === "shut");
  // Rows want member.view and no more; entries want more.
  assert.equal((await ask("GET", "/v1/stream?topics=roster,turns", { role: "none" })).body.error.data.code, "mob.denied");
  const { topics } = (await ask("GET", "/v1/capabilities", { role: "none" })).body;
  assert.deepEqual(topics, ["roster"]);
  assert.equal((await ask("GET", "/v1/stream?topics=metrics", { role: "none" })).body.error.data.facts.action, "mob.view");
  rules.access = { ...access, rules: [] };
  await append({ kind: "note", source: "x", data: {} });
  await until(() => http.streams === 0);
  ending.abort();
  await reading;
  assert.match(text, /\{"reason":"denied"\}$/);
});

test("a page of ledger/subscribe with the roster goes on as a stream that begins with all rows", async (t) => {
  const { http, rpc, append, ledger } = await served(t);
  const { stream_url, next } = (await rpc("mob/ledger/subscribe", { topics: "roster,structural", limit: 2 })).result;
  await append(spawned("new"));
  const events = await hear(`${http.url}${stream_url}`, 6);
  // What comes next is not told yet when the rows are complete, though they have it.
  assert.deepEqual(events.map(({ event, id }) => [event, id]), [
    ...["snapshot_started", "row", "row", "row"].map((event) => [event, undefined]), ["snapshot_complete", next], ["entry", ledger.cursor(ledger.head)],
  ]);
});

test("a reader of rows that stalls, in the middle of them or after, costs no more than others and has them all in the end", async (t) => {
  const COUNT = 2_000;
  const { http, append, view } = await served(t, { limits: { stalledMs: 600_000 } });
  for (let n = 0; n < COUNT; n += 500) await append(...Array.from({ length: 500 }, (_, of) => spawned(`m-${n + of}`, { labels: { text: "ä".repeat(400) } })));
  const readers = await Promise.all(["roster", "roster", "roster,structural"].map(async (topics) => {
    const socket = connect(http.port, "127.0.0.1");
    t.after(() => socket.destroy());
    socket.pause();
    await new Promise((resolve) => void socket.once("connect", resolve));
    socket.write(`GET /v1/stream?topics=${topics} HTTP/1.0\r\nHost: localhost\r\nAuthorization: Bearer token-of-admin\r\nConnection: close\r\n\r\n`);
    return socket;
  }));
  await until(() => http.streams === readers.length);
  for (let n = 0; n < COUNT; n += 500) {
    await append(...Array.from({ length: 500 }, (_, of): NewEntry => ({ kind: "turn_queued", source: "x", member: `m-${n + of}`, turn_id: `t_${n + of}`, data: { text: "ä".repeat(2_000) } })));
  }
  const done = readers.map(async (socket) => {
    const reader = new Reader();
    const decoder = new SseDecoder(MOB_LIMITS.readerBytesMax);
    socket.on("data", (piece) => decoder.push(piece).filter(({ event }) => event !== undefined).forEach((event) => reader.hear(event)));
    socket.resume();
    await until(() => reader.snapshots > 0 && [...reader.rows.values()].filter(({ queue }) => queue.depth === 1).length === COUNT, { withinMs: 30_000 });
    assert.equal(reader.rows.size, view.ids().length);
  });
  await Promise.all(done);
});
