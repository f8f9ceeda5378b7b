/**
 * Goal: the mob becomes what it is to be. Invariants: a second pass changes nothing; what somebody else has wired is never
 * unwired; what fails is as it was. Method: the tables of 4.2 and 4.3 on real ledgers; random wishes with random failures.
 */
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { defineMob, type MemberSpec, type MobDefinition, type NewEntry } from "@atoll-run/mob";
import {
  createEdgeWorks, createReconciler, EDGE_BUCKETS, keyOf, MEMBER_BUCKETS, spawnMany, toEdge, Definitions, type ReconcileReport, type View,
} from "@atoll-run/mob/internal";
import { ManualClock, until } from "@atoll-run/testkit";
import fc from "fast-check";
import { house, spawned, STORES, type House, type HouseOptions, type StoreName } from "../support.ts";
import { EdgeTrouble, TestHost } from "./test-host.ts";

const spec = (id: string, more: Partial<MemberSpec> = {}): MemberSpec => ({ id, profile: "p", ...more });

function equip(base: House, trouble = new EdgeTrouble()) {
  const definition: { -readonly [K in keyof MobDefinition]: MobDefinition[K] } = { ...defineMob({ mob: { id: "m" }, profiles: { p: { linked: "x" }, q: { linked: "x" } } }) };
  // What it says can be changed in place.
  const definitions = new Definitions({ ledger: base.ledger, writer: base.writer }, definition);
  const host = new TestHost(base, (spec) => definitions.hashOf(spec));
  const { ledger, writer, roster: { view }, clock, limits, log } = base;
  const edges = createEdgeWorks({ ledger, writer, view, limits });
  const reconciler = createReconciler({ definitions, ledger, writer, view, host, edges, clock, log, limits, lazy: true });
  return { ...base, host, trouble, edges, definition, reconciler, view };
}

async function started(t: TestContext, store: StoreName = "memory", o: HouseOptions = {}) {
  const trouble = new EdgeTrouble();
  const all = equip(await house(t, store, { ...o, wrap: trouble.wrap }), trouble);
  t.after(() => all.reconciler[Symbol.asyncDispose]());
  return all;
}

const p = { principal: "local" };

function wired({ edges }: View): readonly string[] {
  return [...edges.values()].filter((edge) => edge.wired).map(keyOf).sort();
}

/** Buckets that have something, without those of nothing to do. */
function filled({ members, edges }: ReconcileReport): Record<string, unknown> {
  return Object.fromEntries([
    ...MEMBER_BUCKETS.map((bucket) => [bucket, members[bucket]] as const), ...EDGE_BUCKETS.map((bucket) => [bucket, edges[bucket].map((pair) => pair.join("/"))] as const),
    ["failures", [...members.failures, ...edges.failures].map(({ id, stage }) => `${stage} ${id}`)] as const,
  ].filter(([, list]) => list.length > 0));
}

for (const store of STORES) {
  test(`on ${store}: who is wanted is spawned, who is not is retired, edges follow, and a second pass changes nothing`, async (t) => {
    const { definition, reconciler, host, ledger } = await started(t, store);
    definition.members = [spec("b"), spec("c")];
    definition.edges = [["b", "@p"]];
    assert.deepEqual(filled(await reconciler.reconcile(p)), { spawned: ["b", "c"], wired_edges: ["b/c"] });
    definition.members = [spec("a"), spec("b")];
    const second = await reconciler.reconcile(p);
    assert.deepEqual(filled(second), {
      spawned: ["a"], retained: ["b"], retired: ["c"], wired_edges: ["a/b"], pruned_stale_managed_edges: ["b/c"],
    });
    assert.ok(second.complete);
    const head = ledger.head;
    assert.deepEqual(filled(await reconciler.reconcile(p)), { retained: ["a", "b"], retained_edges: ["a/b"] });
    assert.equal(ledger.head, head, "not even an entry");
    assert.deepEqual(host.asked, ["spawn b", "spawn c", "spawn a", "retire c"]);
  });

  test(`on ${store}: managed edges and the list of the wanted survive a start; a manual edge stays`, async (t) => {
    const first = await started(t, store);
    const long = Array.from({ length: 300 }, (_, n) => spec(`m-${n}`, { context: "x".repeat(500) }));
    await first.reconciler.reconcile({ ...p, desired: long });
    first.definition.edges = [["m-0", "m-1"]];
    await first.reconciler.reconcile(p);
    await first.edges.wire("m-2", "m-1", "local");
    const second = equip(await first.again());
    t.after(() => second.reconciler[Symbol.asyncDispose]());
    assert.deepEqual(second.view.desired, long);
    const report = await second.reconciler.reconcile(p);
    assert.equal(report.members.retained.length, 300);
    assert.deepEqual(report.edges.unwired_edges, [["m-0", "m-1"]]);
    assert.deepEqual([...second.view.edges.values()], [{ a: "m-1", b: "m-2", wired: true, owner: "manual" }]);
  });
}

const CASES: readonly { readonly was: MemberSpec; readonly wanted?: MemberSpec; readonly bucket: string; readonly before?: NewEntry }[] = [
  { was: spec("m"), wanted: spec("m"), bucket: "retained" },
  { was: spec("m"), wanted: spec("m", { labels: { a: "1" } }), bucket: "updated" },
  { was: spec("m"), wanted: spec("m", { model: "x" }), bucket: "reloaded" },
  { was: spec("m"), wanted: spec("m", { profile: "q" }), bucket: "respawned" },
  { was: spec("m"), wanted: spec("m"), bucket: "repaired", before: { kind: "member_broken", source: "mob", member: "m", data: { state: "broken", kind: "crashed" } } },
  { was: spec("m"), wanted: spec("m"), bucket: "held", before: { kind: "member_held", source: "mob", member: "m", data: {} } },
  { was: spec("m"), wanted: spec("m"), bucket: "deferred", before: { kind: "member_retiring", source: "mob", member: "m", data: { state: "retiring" } } },
  { was: spec("m"), bucket: "retired" },
];

for (const { was, wanted, bucket, before } of CASES) {
  test(`a member is ${bucket} when the roster has ${JSON.stringify(was)} and ${JSON.stringify(wanted ?? null)} is wanted`, async (t) => {
    const { reconciler, append, view } = await started(t);
    await reconciler.reconcile({ ...p, desired: [was] });
    if (before !== undefined) await append(before);
    const report = await reconciler.reconcile({ ...p, desired: wanted === undefined ? [] : [wanted] });
    assert.deepEqual(filled(report), { [bucket]: ["m"] });
    if (wanted !== undefined) assert.deepEqual(view.members.get("m")?.spec, wanted);
  });
}

test("a retiring member that is wanted comes back when it is retired, without being asked for again", async (t) => {
  const { reconciler, append, view } = await started(t);
  await reconciler.reconcile({ ...p, desired: [spec("m")] });
  await append({ kind: "member_retiring", source: "mob", member: "m", data: { state: "retiring" } });
  await reconciler.reconcile(p);
  await append({ kind: "member_retired", source: "mob", member: "m", data: { state: "retired" } });
  await until(() => view.members.get("m")?.life.state === "dormant");
  assert.equal(view.members.get("m")?.life.generation, 2);
});

test("members that nobody here has defined are left alone; with retire_stale off nobody is retired", async (t) => {
  const { reconciler, append } = await started(t);
  await append({ ...spawned("guest"), data: { ...spawned("guest").data, origin: "api" } });
  await reconciler.reconcile({ ...p, desired: [spec("m")] });
  assert.deepEqual(filled(await reconciler.reconcile({ ...p, desired: [], retireStale: false })), { retained: ["m"], unmanaged: ["guest"] });
  assert.deepEqual(filled(await reconciler.reconcile(p)), { retired: ["m"], unmanaged: ["guest"] });
});

test("a failing spawn stops nothing; its edges wait for it; the mob says so; the next pass mends it", async (t) => {
  const { definition, reconciler, host, ledger, view } = await started(t);
  definition.members = [spec("a"), spec("b"), spec("c")];
  definition.edges = [["a", "b"], ["b", "c"], ["a", "c"]];
  host.fails.set("spawn b", "fails");
  const report = await reconciler.reconcile(p);
  assert.deepEqual(filled(report), { spawned: ["a", "c"], wired_edges: ["a/c"], skipped_missing_members: ["a/b", "b/c"], failures: ["spawn b"] });
  assert.equal(report.members.failures[0]?.error.code, "mob.unavailable");
  assert.ok(!report.complete);
  const { entries } = await ledger.query({ kinds: ["reconcile_incomplete"], after: 0 });
  assert.deepEqual(entries[0]?.data["skipped"], [["a", "b"], ["b", "c"]]);
  host.fails.clear();
  assert.deepEqual(filled(await reconciler.reconcile(p)), { spawned: ["b"], retained: ["a", "c"], retained_edges: ["a/c"], wired_edges: ["a/b", "b/c"] });
  assert.deepEqual(wired(view), ["a/b", "a/c", "b/c"]);
});

test("an edge that cannot be written is as it was, whole or not there; the next pass wires, heals or unwires it", async (t) => {
  const { definition, reconciler, trouble, view, append } = await started(t);
  definition.members = [spec("a"), spec("b")];
  definition.edges = [["a", "b"]];
  trouble.fails.add("members_wired a/b");
  assert.deepEqual(filled(await reconciler.reconcile(p)), { spawned: ["a", "b"], failures: ["wire a/b"] });
  assert.deepEqual([...view.edges.values()], [], "nothing is left of it");
  trouble.fails.clear();
  await reconciler.reconcile(p);
  await append({ kind: "members_unwired", source: "mob", data: { a: "a", b: "b", owner: "managed" } });
  trouble.fails.add("members_wired a/b");
  assert.deepEqual(filled(await reconciler.reconcile(p)), { retained: ["a", "b"], failures: ["wire (heal) a/b"] });
  assert.deepEqual(view.edges.get("a/b"), { a: "a", b: "b", wired: false, owner: "managed" });
  trouble.fails.clear();
  assert.deepEqual(filled(await reconciler.reconcile(p)), { retained: ["a", "b"], wired_edges: ["a/b"] });
  definition.edges = [];
  trouble.fails.add("members_unwired a/b");
  assert.deepEqual(filled(await reconciler.reconcile(p)), { retained: ["a", "b"], failures: ["unwire a/b"] });
  assert.deepEqual(view.edges.get("a/b"), { a: "a", b: "b", wired: true, owner: "managed" });
  trouble.fails.clear();
  await append({ kind: "members_unwired", source: "mob", data: { a: "a", b: "b", owner: "managed" } });
  trouble.fails.add("edge_disowned a/b");
  assert.deepEqual(filled(await reconciler.reconcile(p)), { retained: ["a", "b"], failures: ["disown a/b"] });
  trouble.fails.clear();
  await append({ kind: "members_wired", source: "mob", data: { a: "a", b: "b", owner: "managed" } });
  assert.deepEqual(filled(await reconciler.reconcile(p)), { retained: ["a", "b"], unwired_edges: ["a/b"] });
});

test("an edge beyond those that a member may have is a failure of its own, and wires neither side", async (t) => {
  const { definition, reconciler, edges, view } = await started(t, "memory", { limits: { edgesPerMember: 1 } });
  definition.members = [spec("a"), spec("b"), spec("c")];
  await reconciler.reconcile(p);
  await edges.wire("a", "b", "local");
  await assert.rejects(edges.wire("c", "a", "local"), { code: "mob.overloaded" });
  definition.edges = [["a", "c"]];
  const report = await reconciler.reconcile(p);
  assert.deepEqual([filled(report), report.edges.failures[0]?.error.code], [{ retained: ["a", "b", "c"], failures: ["wire a/c"] }, "mob.overloaded"]);
  assert.deepEqual(wired(view), ["a/b"]);
});

test("an operator wires, unwires and holds an edge; reconcile claims nothing of it until it is released", async (t) => {
  const { definition, reconciler, edges, view, ledger } = await started(t);
  definition.members = [spec("a"), spec("b"), spec("c")];
  await reconciler.reconcile(p);
  await Promise.all([edges.wire("b", "a", "local"), edges.wire("a", "b", "ann")]);
  assert.deepEqual((await ledger.query({ kinds: ["members_wired"], after: 0 })).entries.map(({ principal }) => principal), ["local"], "those of one edge come one after the other");
  definition.edges = [["a", "b"], ["a", "c"]];
  assert.deepEqual(filled(await reconciler.reconcile(p)), { retained: ["a", "b", "c"], preexisting_edges: ["a/b"], wired_edges: ["a/c"] });
  const { head } = ledger;
  assert.equal((await edges.wire("c", "a", "local")).owner, "managed", "what is wired stays whose it was");
  assert.equal(ledger.head, head, "not even an entry");
  await edges.unwire("c", "a", { principal: "local", hold: true });
  assert.deepEqual(filled(await reconciler.reconcile(p)), { retained: ["a", "b", "c"], preexisting_edges: ["a/b"], suppressed_edges: ["a/c"] });
  assert.deepEqual(wired(view), ["a/b"]);
  await edges.release("a", "c", "local");
  assert.deepEqual((await reconciler.reconcile(p)).edges.wired_edges, [["a", "c"]]);
  await assert.rejects(edges.wire("a", "nobody", "local"), { code: "mob.not_found" });
  await assert.rejects(edges.wire("a", "a", "local"), { code: "mob.invalid_params" });
  await assert.rejects(edges.unwire("b", "c", { principal: "local" }), { code: "mob.not_found" });
  await assert.rejects(edges.release("b", "c", "local"), { code: "mob.not_found" });
});

test("a dry run changes nothing; with its revision the pass equals it; an older revision is a conflict that names both", async (t) => {
  const { definition, reconciler, ledger, view } = await started(t);
  definition.members = [spec("a"), spec("b")];
  definition.edges = [["a", "b"]];
  await reconciler.reconcile(p);
  definition.members = [spec("a", { labels: { x: "1" } }), spec("c")];
  definition.edges = [["a", "c"]];
  const head = ledger.head;
  const plan = await reconciler.reconcile({ ...p, dryRun: true });
  assert.equal(ledger.head, head);
  assert.ok(plan.dry_run);
  const done = await reconciler.reconcile({ ...p, expectedRevision: plan.revision });
  assert.deepEqual(filled(done), filled(plan));
  await assert.rejects(reconciler.reconcile({ ...p, expectedRevision: plan.revision }), (error: { code: string; facts: unknown }) => {
    assert.equal(error.code, "mob.conflict");
    assert.deepEqual(error.facts, { what: "revision", expected: plan.revision, actual: view.revision });
    return true;
  });
});

test("a pass over edges alone leaves members as they are; what is done between two passes sees the revision that it expects, or is not done", async (t) => {
  const { definition, reconciler, edges, host, view } = await started(t);
  definition.members = [spec("a"), spec("b")];
  await reconciler.reconcile(p);
  definition.members = [spec("a", { model: "x" }), spec("b"), spec("c")];
  definition.edges = [["a", "b"], ["a", "c"]];
  const asked = [...host.asked];
  assert.deepEqual(filled(await reconciler.reconcile({ ...p, edgesAlone: true })), { wired_edges: ["a/b"], skipped_missing_members: ["a/c"] });
  assert.deepEqual(host.asked, asked);
  const { revision } = view;
  const both = await Promise.allSettled(["c", "d"].map((id) => reconciler.alone(revision, async () => {
    await host.spawn(spec(id), { ...p, origin: "api", lazy: true });
    return edges.wire("b", id, "local");
  })));
  assert.deepEqual(both.map(({ status }) => status), ["fulfilled", "rejected"], "two of one revision: one of them is late");
  assert.deepEqual((both[1] as { reason?: { facts?: unknown } }).reason?.facts, { what: "revision", expected: revision, actual: view.revision });
  assert.equal(view.members.has("d"), false);
});

test("a list that is given again changes nothing; a broken member is repaired as what it is to be now, and the next pass has nothing to do", async (t) => {
  const { reconciler, ledger, append, view } = await started(t);
  const desired = [spec("a"), spec("b")];
  await reconciler.reconcile({ ...p, desired });
  const { head } = ledger;
  await reconciler.reconcile({ ...p, desired: structuredClone(desired) });
  assert.equal(ledger.head, head, "not even an entry");
  await append({ kind: "member_broken", source: "mob", member: "a", data: { state: "broken", kind: "model_missing" } });
  const better = [spec("a", { model: "m" }), spec("b")];
  assert.deepEqual(filled(await reconciler.reconcile({ ...p, desired: better })), { repaired: ["a"], retained: ["b"] });
  assert.deepEqual([filled(await reconciler.reconcile(p)), view.members.get("a")?.spec.model], [{ retained: ["a", "b"] }, "m"]);
});

test("unequal duplicates and the retirement of too many are refused, and nothing is changed", async (t) => {
  const { definition, reconciler, ledger } = await started(t);
  definition.members = Array.from({ length: 20 }, (_, n) => spec(`m-${n}`));
  await reconciler.reconcile(p);
  const head = ledger.head;
  await assert.rejects(reconciler.reconcile({ ...p, desired: [spec("m-1", { model: "x" })] }), { code: "mob.desired_conflict" });
  definition.members = definition.members.slice(0, 8);
  await assert.rejects(reconciler.reconcile(p), { code: "mob.retire_guard" });
  assert.equal(ledger.head, head);
  assert.equal((await reconciler.reconcile({ ...p, force: true })).members.retired.length, 12);
});

test("an act that does not end fails by its deadline and the others are done; at most so many run at once", async (t) => {
  const clock = new ManualClock();
  const { definition, reconciler, host, limits } = await started(t, "memory", { clock });
  definition.members = Array.from({ length: 50 }, (_, n) => spec(`m-${n}`));
  host.fails.set("spawn m-7", "hangs");
  const passing = reconciler.reconcile(p);
  await until(() => host.asked.length === 50 && host.atOnce === 1);
  await clock.pass(limits.reconcileActMs);
  const report = await passing;
  assert.equal(report.members.spawned.length, 49);
  assert.deepEqual(report.members.failures.map(({ id, error }) => [id, error.code]), [["m-7", "core.timed_out"]]);
  assert.equal(host.mostAtOnce, limits.reconcileAtOnce);
});

test("passes run one after the other; many wishes are one pass; after the end there is none", async (t) => {
  const { definition, reconciler, host } = await started(t);
  definition.members = [spec("a")];
  const [x, y] = await Promise.all([reconciler.reconcile(p), reconciler.reconcile(p)]);
  assert.deepEqual([x.members.spawned, y.members.spawned, y.members.retained], [["a"], [], ["a"]]);
  definition.members = [spec("a"), spec("b")];
  for (let n = 0; n < 10; n++) reconciler.want();
  await until(() => host.asked.includes("spawn b"));
  await reconciler.reconcile(p);
  assert.deepEqual(host.asked, ["spawn a", "spawn b"]);
  const many = await Promise.allSettled(Array.from({ length: 40 }, () => reconciler.reconcile(p)));
  assert.equal(many.filter((one) => one.status === "rejected" && (one.reason as { code: string }).code === "mob.overloaded").length, 23);
  await reconciler[Symbol.asyncDispose]();
  await assert.rejects(reconciler.reconcile(p), { code: "mob.shutting_down" });
});

test("several members are spawned with one answer for each, in order; with rollback none stays", async (t) => {
  const { host, view } = await started(t);
  host.fails.set("spawn m-2", "fails");
  const specs = Array.from({ length: 5 }, (_, n) => spec(`m-${n}`));
  const o = { ...p, origin: "api", lazy: true, atOnce: 16 } as const;
  const results = await spawnMany(host, specs, { ...o, onFailure: "continue" });
  assert.deepEqual(results.map(({ id, ok }) => [id, ok]), specs.map(({ id }) => [id, id !== "m-2"]));
  const others = await spawnMany(host, specs.map(({ id }) => spec(`x-${id}`)).concat(spec("m-2")), { ...o, onFailure: "rollback" });
  assert.deepEqual(others.map(({ ok }) => ok), [false, false, false, false, false, false]);
  for (const id of view.ids()) if (id.startsWith("x-")) assert.equal(view.members.get(id)?.life.state, "retired");
});

const ids = fc.constantFrom("a", "b", "c", "d");
const pairs = fc.tuple(ids, ids).filter(([x, y]) => x !== y);
const steps = fc.array(fc.oneof(
  fc.record({ do: fc.constant("want" as const), members: fc.uniqueArray(ids), how: fc.constantFrom<Partial<MemberSpec>>({}, { model: "m" }, { profile: "q" }, { labels: { a: "1" } }), edges: fc.array(pairs, { maxLength: 4 }) }),
  fc.record({ do: fc.constantFrom("wire" as const, "unwire" as const, "hold" as const), pair: pairs }),
  fc.record({ do: fc.constant("trouble" as const), acts: fc.array(fc.tuple(fc.constantFrom("members_wired", "members_unwired"), pairs.map(([x, y]) => keyOf(toEdge(x, y)))), { maxLength: 3 }), spawn: fc.option(ids) }),
), { maxLength: 8 });

test("whatever fails on the way: a pass without trouble is complete but for the missing, the next changes nothing, and manual edges stay", async (t) => {
  await fc.assert(fc.asyncProperty(steps, async (all) => {
    const { definition, reconciler, trouble, host, edges, view, ledger } = await started(t);
    for (const step of all) {
      const manual = [...view.edges.values()].filter(({ owner, wired }) => owner === "manual" && wired);
      switch (step.do) {
        case "want":
          definition.members = step.members.map((id) => spec(id, step.how));
          definition.edges = step.edges;
          break;
        case "wire": await edges.wire(...step.pair, "local").catch(() => undefined); break;
        case "unwire": case "hold": await edges.unwire(...step.pair, { principal: "local", hold: step.do === "hold" }).catch(() => undefined); break;
        case "trouble":
          for (const act of step.acts) trouble.fails.add(act.join(" "));
          if (step.spawn !== null) host.fails.set(`spawn ${step.spawn}`, "fails");
      }
      await reconciler.reconcile({ ...p, force: true });
      const gone = new Set([...view.members].filter(([, { life }]) => life.state === "retired").map(([id]) => id));
      if (step.do !== "unwire" && step.do !== "hold") {
        for (const { a, b } of manual) assert.ok(gone.has(a) || gone.has(b) || view.isWired(a, b), "a manual edge was taken away");
      }
      trouble.fails.clear();
      host.fails.clear();
    }
    const mended = await reconciler.reconcile({ ...p, force: true });
    assert.deepEqual([...mended.members.failures, ...mended.edges.failures], []);
    const head = ledger.head;
    const again = await reconciler.reconcile({ ...p, force: true });
    assert.equal(ledger.head - head, again.complete ? 0 : 1, "only the word that somebody is missing");
  }), { numRuns: 150 });
});
