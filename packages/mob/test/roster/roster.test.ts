/**
 * Goal: the view is what the ledger says. Invariant: live, refolded, or taken from a snapshot and its tail, it is the same.
 * Method: random histories on real stores; starts after every kind of stop; a store that dies in the middle of a snapshot.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { StateStore } from "@atoll-run/core";
import type { NewEntry } from "@atoll-run/mob";
import { listApprovals, listEdges, listMembers, listTurns, openRoster, View } from "@atoll-run/mob/internal";
import { until } from "@atoll-run/testkit";
import fc from "fast-check";
import { house, spawned, STORES, type House } from "../support.ts";

const turn = (kind: NewEntry["kind"], n: number, data: NewEntry["data"] = {}): NewEntry =>
  ({ kind, source: "member", member: `m-${n % 3}`, turn_id: `t_${n}`, run_id: `r_${n % 2}`, data });

const wire = (kind: NewEntry["kind"], a: string, b: string): NewEntry => ({ kind, source: "mob", data: { a, b } });

const asked = (n: number): NewEntry => ({
  kind: "approval_requested", source: "mob", member: "m-0", turn_id: `t_${n}`,
  data: { id: `a_${n}`, member: "m-0", turn_id: `t_${n}`, hash: `h${n}`, approvers: [], quorum: 1, args: null },
});
const decided = (n: number): NewEntry =>
  ({ kind: "approval_decided", source: "api", principal: "p", data: { id: `a_${n}`, decision: "approve", state: "approved" } });

const histories = fc.array(fc.tuple(fc.nat(8), fc.nat(5)).map(([what, n]): NewEntry => {
  switch (what) {
    case 0: return spawned(`m-${n}`, { labels: { n: String(n) } });
    case 1: return wire("members_wired", "m-0", `m-${n + 1}`);
    case 2: return wire("members_unwired", "m-0", `m-${n + 1}`);
    case 3: return wire("edge_suppressed", "m-0", `m-${n + 1}`);
    case 4: return turn("turn_queued", n);
    case 5: return turn("turn_done", n, { output: n });
    case 6: return asked(n);
    case 7: return decided(n);
    default: return { kind: "member_retired", source: "mob", member: `m-${n}`, data: { state: "retired" } };
  }
}), { maxLength: 60 });

async function refolded({ ledger }: House): Promise<View> {
  const view = new View();
  await ledger.replay(0, view.fold);
  return view;
}

for (const store of STORES) {
  test(`on ${store}: live, after a start and refolded the view is the same, with a snapshot anywhere`, async (t) => {
    await fc.assert(fc.asyncProperty(histories, fc.nat(60), async (entries, at) => {
      const first = await house(t, store);
      for (const [n, entry] of entries.entries()) {
        if (n === at) await first.roster.snapshot();
        await first.append(entry);
      }
      assert.deepEqual(first.roster.view.keep(), (await refolded(first)).keep(), "live");
      const second = await first.again();
      assert.deepEqual(second.roster.view.keep(), first.roster.view.keep(), "after a start");
      for (const id of second.roster.view.ids()) assert.deepEqual(second.roster.view.row(id), first.roster.view.row(id));
      await second.append(spawned("later"));
      assert.ok(second.roster.view.members.has("later"), "and it goes on");
    }), { numRuns: store === "memory" ? 60 : 6 });
  });

  test(`on ${store}: a snapshot is due after so many entries, and one is taken at the end`, async (t) => {
    const first = await house(t, store, { limits: { snapshotEvery: 10 } });
    for (let n = 0; n < 25; n++) await first.append(spawned(`m-${n}`));
    await first.roster.snapshot();
    assert.ok(first.roster.snapshotSeq > 0);
    await first.append(spawned("last"));
    await first.roster[Symbol.asyncDispose]();
    assert.equal(first.roster.snapshotSeq, first.ledger.head);
    const second = await first.again();
    assert.equal(second.roster.snapshotSeq, first.ledger.head, "nothing is folded again");
    assert.deepEqual(second.roster.view.keep(), first.roster.view.keep());
  });

  test(`on ${store}: a writer that dies in the middle of a snapshot leaves the one before`, async (t) => {
    let left = Infinity;
    const wrap = (given: StateStore): StateStore => ({
      ...given, commit: (...args) => left-- > 0 ? given.commit(...args) : Promise.reject(new Error("dead")),
    });
    const first = await house(t, store, { wrap });
    for (let n = 0; n < 20; n++) await first.append(spawned(`m-${n}`), wire("members_wired", "m-0", `m-${n + 1}`));
    await first.roster.snapshot();
    const kept = first.roster.snapshotSeq;
    await first.append(spawned("new"), turn("turn_queued", 1), asked(1));
    let present = first;
    for (let dies = 0; dies < 4; dies++) {
      left = dies;
      await assert.rejects(present.roster.snapshot(), /dead/);
      left = Infinity;
      present = await first.again();
      assert.equal(present.roster.snapshotSeq, kept);
      assert.deepEqual(present.roster.view.keep(), first.roster.view.keep());
    }
    await present.roster.snapshot();
    assert.deepEqual((await present.again()).roster.view.keep(), first.roster.view.keep());
  });
}

test("a snapshot that is not written is told in the ledger, and another one is taken", async (t) => {
  let fails = 1;
  const dead = new Error("dead");
  const wrap = (given: StateStore): StateStore => ({
    ...given, commit: (batch, call) => batch.ops.some((op) => op.op === "put" && op.space === "fold") && fails-- > 0 ? Promise.reject(dead) : given.commit(batch, call),
  });
  const first = await house(t, "memory", { wrap, limits: { snapshotEvery: 10 } });
  for (let n = 0; n < 12; n++) await first.append(spawned(`m-${n}`));
  const told = async () => (await first.ledger.query({ after: 0, classes: ["error"] })).entries.map(({ kind, data }) => [kind, data["what"], (data["error"] as { text: string }).text]);
  await until(async () => (await told()).length > 0);
  assert.deepEqual(await told(), [["checkpoint_failure", "roster", "dead"]]);
  await first.roster[Symbol.asyncDispose]();
  assert.ok(first.roster.snapshotSeq > 0);
  assert.equal((await told()).length, 1);
});

test("nothing that is committed while older entries are read is missing or folded twice", async (t) => {
  const first = await house(t, "sqlite");
  await first.append(...Array.from({ length: 400 }, (_, n) => spawned(`m-${n}`)));
  const writing = (async () => {
    for (let n = 0; n < 40; n++) await first.append(turn("turn_queued", n), turn("turn_done", n));
  })();
  const rosters = await Promise.all(Array.from({ length: 4 }, () => openRoster(first)));
  await writing;
  for (const { view } of rosters) assert.deepEqual(view.keep(), first.roster.view.keep());
  assert.equal(first.roster.view.row("m-0")?.usage.turns, 14);
});

test("an older mob writes no snapshot over that of a newer one", async (t) => {
  const first = await house(t, "memory");
  await first.append(spawned("a"));
  const second = await first.again();
  await second.append(spawned("b"));
  await second.roster.snapshot();
  await assert.rejects(first.roster.snapshot(), { code: "mob.stale_fence" });
  const third = await second.again();
  assert.deepEqual(third.roster.view.ids(), ["a", "b"]);
});

test("members are found by state, profile, label, edge and name, page by page", async (t) => {
  const { append, roster: { view } } = await house(t, "memory");
  for (let n = 0; n < 30; n++) await append(spawned(`m-${String(n).padStart(2, "0")}`, { profile: n % 2 === 0 ? "even" : "odd", labels: { team: `t${n % 3}` } }));
  for (const n of ["03", "01", "02"]) await append(wire("members_wired", "m-00", `m-${n}`));
  await append(wire("members_unwired", "m-00", "m-02"), { kind: "member_broken", source: "mob", member: "m-05", data: { state: "broken", kind: "crashed" } });
  const ids = (query: Parameters<typeof listMembers>[1]) => listMembers(view, query).members.map(({ id }) => id);
  assert.deepEqual(ids({ state: "broken" }), ["m-05"]);
  assert.deepEqual(ids({ profile: "even", label: "team=t1" }), ["m-04", "m-10", "m-16", "m-22", "m-28"]);
  assert.equal(ids({ label: "team" }).length, 30);
  assert.deepEqual(ids({ label: "absent" }), []);
  assert.deepEqual(ids({ edge: "m-00" }), ["m-01", "m-03"]);
  assert.deepEqual(ids({ edge: "m-03" }), ["m-00"]);
  assert.deepEqual(ids({ q: "M-2" }), Array.from({ length: 10 }, (_, n) => `m-2${n}`));
  assert.deepEqual(ids({ limit: 0 }), []);
  const walked: string[] = [];
  for (let after: string | undefined; ;) {
    const page = listMembers(view, { profile: "odd", limit: 4, after });
    walked.push(...page.members.map(({ id }) => id));
    if (page.next === undefined) break;
    after = page.next;
  }
  assert.deepEqual(walked, ids({ profile: "odd" }));
  assert.equal(listEdges(view).edges.length, 2);
  assert.deepEqual(listEdges(view, { member: "m-03" }).edges, [{ a: "m-00", b: "m-03", wired: true }]);
});

test("turns and approvals are found by member, state and run; what was decided is found by what was asked", async (t) => {
  const { append, roster: { view } } = await house(t, "memory");
  await append(spawned("m-0"), turn("turn_queued", 0), turn("turn_queued", 3), turn("turn_done", 3, { output: "x" }), asked(0), asked(3), decided(3));
  assert.deepEqual(listTurns(view, { member: "m-0", state: "done" }).turns.map(({ turn_id, run_id }) => [turn_id, run_id]), [["t_3", "r_1"]]);
  assert.deepEqual(listTurns(view, { run_id: "r_0" }).turns.map(({ turn_id }) => turn_id), ["t_0"]);
  assert.deepEqual(listApprovals(view, { state: "open" }).approvals.map(({ id }) => id), ["a_0"]);
  assert.equal(view.asked("h3")?.state, "approved");
  assert.equal(view.asked("h9"), undefined);
});

test("the view of an earlier seq is as it was then", async (t) => {
  const { append, roster } = await house(t, "memory");
  const [first] = await append(spawned("a"));
  await append(spawned("b"));
  const then = await roster.viewAt(first?.seq ?? 0);
  assert.deepEqual(then.ids(), ["a"]);
});

test("what a member is owed of its peers is the newest of each peer, as it is wired now, until a turn tells it; nobody is owed who has not begun, or is gone", () => {
  const ids = ["a", "b", "c"];
  const id = fc.constantFrom(...ids);
  const pair = fc.constantFrom(["a", "b"] as const, ["a", "c"] as const, ["b", "c"] as const);
  const began = (member: string): NewEntry => ({ kind: "turn_queued", source: "mob", member, turn_id: `t_${member}`, principal: "mob", data: { conversation: "initial", from: "mob" } });
  const step = fc.oneof(
    fc.tuple(fc.constantFrom("members_wired", "members_unwired", "edge_suppressed", "edge_released", "edge_disowned") as fc.Arbitrary<NewEntry["kind"]>, pair)
      .map(([kind, [a, b]]) => ({ what: "entry" as const, entry: wire(kind, a, b) })),
    id.map((member) => ({ what: "entry" as const, entry: began(member) })), id.map((member) => ({ what: "tell" as const, member })),
    fc.tuple(id, fc.constantFrom("retired", "starting", "broken", "active")).map(([member, state]) => ({ what: "entry" as const, entry: { kind: "member_dormant", source: "mob", member, data: { state } } satisfies NewEntry })),
    id.map((member) => ({ what: "entry" as const, entry: { kind: "member_reset", source: "mob", member, data: { state: "starting", generation: 2 } } satisfies NewEntry })),
  );
  fc.assert(fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
    const view = new View();
    let seq = 0;
    const fold = (entry: Omit<NewEntry, "session">): void => view.fold({ ...entry, seq: ++seq, epoch: "e", id: `e_${seq}`, ts_ms: seq, v: 1, class: "structural", mob: "m" });
    for (const one of ids) fold({ ...spawned(one), data: { ...spawned(one).data, spec: { id: one, profile: "p", mode: "autonomous" } } });
    for (const one of steps) {
      if (one.what === "entry") {
        const before = new Map(ids.map((member) => [member, view.members.get(member)]));
        const wired = new Map(ids.map((member) => [member, view.wiredTo(member)]));
        fold(one.entry);
        if (!/^(members|edge)_/.test(one.entry.kind)) continue;
        for (const member of ids) {
          const changed = JSON.stringify(wired.get(member)) !== JSON.stringify(view.wiredTo(member));
          const hears = before.get(member)?.greeted === true && before.get(member)?.life.state !== "retired";
          assert.equal(view.members.get(member)?.untold?.some((notice) => notice.seq === seq) ?? false, changed && hears);
        }
      } else {
        const [notice] = view.members.get(one.member)?.untold ?? [];
        if (notice === undefined) continue;
        fold({ kind: "turn_queued", source: "mob", member: one.member, turn_id: `t_${seq}`, principal: "mob", cause_seq: notice.seq, data: { conversation: "peers" } });
        assert.ok(!view.members.get(one.member)?.untold?.includes(notice), "it is told");
      }
    }
    for (const member of ids) {
      const { untold = [], greeted, life } = view.members.get(member) ?? {};
      assert.equal(new Set(untold.map(({ peer }) => peer)).size, untold.length);
      for (const { peer, event } of untold) assert.equal(event === "peer_added", view.isWired(member, peer));
      if (greeted !== true || life?.state === "retired") assert.equal(untold.length, 0);
    }
    assert.deepEqual(new View(structuredClone(view.keep())).keep(), view.keep());
  }), { numRuns: 300 });
});
