/**
 * Goal: members as section 3 and 7 of the specification have them. Invariant: nobody waits for somebody else, and a failure gives no
 * fresh session. Method: the real store, real nodes, linked code that hangs, dies or does not hear; the ledger is the witness.
 */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { compareCursors, defineMob, Mob, type LinkedFactory, type MobRooms, type TurnAsk } from "@atoll-run/atoll/mob";
import type { Clock } from "@atoll-run/core";
import { readSession } from "@atoll-run/mob";
import { memberScope } from "@atoll-run/mob/internal";
import { until } from "@atoll-run/testkit";
import { openPlace } from "../../src/compose/place.ts";
import { startRooms } from "./rooms.ts";

type Tree = Parameters<typeof defineMob>[0];
const LOCAL = { principal: "local" };
const API = { ...LOCAL, origin: "api", lazy: true } as const;

function folder(t: TestContext): string {
  const dir = mkdtempSync(join(tmpdir(), "atoll-members-"));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

const open = (worker: LinkedFactory, tree: Partial<Tree["mob"]> & { readonly profiles?: Tree["profiles"] }, more: Partial<Parameters<typeof startRooms>[0]> = {}) => {
  const { profiles = { p: { linked: "worker" } }, ...mob } = tree;
  return startRooms({
    definition: defineMob({ mob: { id: "m", ...mob }, profiles }), linked: { worker }, root: join(import.meta.dirname, "scripts"),
    ...more.stateDir === undefined ? { ephemeral: true } : {}, ...more,
  });
};
const ask = (to: string, content: TurnAsk["content"], more: Partial<TurnAsk> = {}): TurnAsk => ({ to, from: "console", ...LOCAL, content, ...more });
const echo: LinkedFactory = () => ({ content }) => content;
const state = (mob: MobRooms, id: string) => mob.view.row(id)?.state;

async function done(mob: MobRooms, asked: TurnAsk) {
  const { turn_id } = await mob.send(asked);
  return await mob.members.wait(turn_id, {});
}

/** A real clock, but for those timers: they ring when they are told to. */
function hurriedClock(caught: (ms: number) => boolean) {
  let off = false;
  const long = new Set<{ readonly ms: number; readonly ring: () => void }>();
  const clock: Clock = {
    now: () => Date.now(), monotonic: () => performance.now(),
    after: (ms, then) => {
      if (off || !caught(ms)) {
        const timer = setTimeout(then, ms);
        return { [Symbol.dispose]: () => clearTimeout(timer) };
      }
      const waiting = { ms, ring: then };
      long.add(waiting);
      return { [Symbol.dispose]: () => void long.delete(waiting) };
    },
  };
  /** Rings those between the two, and gives how many there were. */
  const ring = (fromMs = 0, toMs = Infinity): number => {
    const due = [...long].filter(({ ms }) => ms >= fromMs && ms <= toMs);
    for (const one of due) {
      long.delete(one);
      one.ring();
    }
    return due.length;
  };
  return { clock, ring, real: () => { off = true; } };
}

/** Rings until that is over. */
async function ringing(over: Promise<unknown>, ring: () => number): Promise<void> {
  let isOver = false;
  void over.finally(() => { isOver = true; });
  await until(() => ring() >= 0 && isOver);
}

const RELOAD_MS = 45_000;
const CANCEL_MS = 5_000;

test("an autonomous member is started with the mob, gets one first turn for each session, hears of its peers and never sleeps (3.1)", async (t) => {
  const stateDir = folder(t);
  const seen: (readonly [id: string, content: unknown])[] = [];
  const worker: LinkedFactory = ({ id }) => ({ content }) => void seen.push([id, content]);
  const tree = {
    members: [{ id: "auto", profile: "auto" }, { id: "own", profile: "p", mode: "autonomous", initial_message: "mine" }, { id: "still", profile: "p" }, { id: "peer", profile: "p" }],
    profiles: { auto: { linked: "worker", mode: "autonomous", idle_after: 1 }, p: { linked: "worker", idle_after: 1, peer_description: "knows the way" } },
  } satisfies Parameters<typeof open>[1];
  for (const round of [1, 2]) {
    await using mob = await open(worker, tree, { stateDir });
    await until(() => state(mob, "auto") === "active" && state(mob, "own") === "active");
    if (round === 1) await until(() => seen.length === 2);
    assert.deepEqual([state(mob, "still"), mob.view.row("own")?.mode, mob.view.row("still")?.mode], ["dormant", "autonomous", "turn_driven"]);
    if (round === 2) {
      await mob.edges.wire("auto", "peer", "local");
      await until(() => seen.length === 3);
      await mob.edges.unwire("auto", "peer", LOCAL);
      await until(() => seen.length === 4);
      await mob.members.reset("auto", LOCAL);
      await until(() => seen.length === 5);
      assert.equal((await done(mob, ask("peer", "x"))).state, "done");
      await until(() => state(mob, "peer") === "dormant");
      assert.equal(state(mob, "auto"), "active", "its time to sleep has passed as well");
    }
  }
  const begin = "You have been started. Begin your work.";
  assert.deepEqual(seen.slice(0, 2).toSorted(), [["auto", begin], ["own", "mine"]]);
  assert.deepEqual(seen.slice(2), [
    ["auto", { event: "peer_added", peer: "peer", description: "knows the way" }], ["auto", { event: "peer_removed", peer: "peer", description: "knows the way" }],
    ["auto", begin], ["peer", "x"],
  ]);
});

test("of 600 members that are lazy one starts, the one that gets a message; eager and lazy_warm start all, and boot tells how far they are (A29, 7.5)", async () => {
  const started: string[] = [];
  const worker: LinkedFactory = (me) => {
    started.push(me.id);
    return echo(me);
  };
  {
    await using lazy = await open(worker, { members: [{ id: "m", profile: "p", count: 600 }] });
    assert.equal((await done(lazy, ask("m-300", "x"))).state, "done");
    assert.deepEqual(started, ["m-300"]);
    const { mode, complete, ready, counts } = lazy.members.boot();
    assert.deepEqual([mode, complete, ready, counts], ["lazy", true, true, { dormant: 599, warming: 0, active: 1, broken: 0 }]);
  }
  for (const mode of ["eager", "lazy_warm"] as const) {
    const hang = Promise.withResolvers<void>();
    await using mob = await open(async (me) => {
      if (me.id === "m-1") await hang.promise;
      return echo(me);
    }, { members: [{ id: "m", profile: "p", count: 20 }], bootstrap: mode });
    await until(() => mob.members.boot().counts.active === 19);
    const early = mob.members.boot();
    assert.deepEqual([early.complete, early.ready, early.counts.warming], [false, mode === "lazy_warm", 1], mode);
    assert.equal((await done(mob, ask("m-2", "x"))).state, "done", "who is up takes work");
    hang.resolve();
    await mob.members.warmed(AbortSignal.timeout(60_000));
    assert.deepEqual(mob.members.boot(), { mode, complete: true, ready: true, counts: { dormant: 0, warming: 0, active: 20, broken: 0 } });
    await mob.members.spawn({ id: "late", profile: "p" }, API);
    await until(() => state(mob, "late") === "active");
  }
});

test("no command, no read and no end waits for a member that hangs in its start, in its turn or on its way out (3.6)", async () => {
  const { clock, ring, real } = hurriedClock((ms) => ms === CANCEL_MS);
  let starting = false;
  const worker: LinkedFactory = async (me) => {
    if (me.id === "start") await new Promise(() => { starting = true; });
    return async ({ content }) => (me.id === "turn" ? await new Promise(() => undefined) : content);
  };
  const mob = await open(worker, { members: ["start", "turn", "well"].map((id) => ({ id, profile: "p" })) }, { env: { clock } });
  await mob.send(ask("start", "x"));
  const { turn_id } = await mob.send(ask("turn", "x"));
  await until(() => mob.view.row("turn")?.phase === "busy" && starting);
  const reloaded = await mob.members.reload("turn", LOCAL);
  assert.equal(reloaded.generation, 1, "a reload does not wait for the turn");
  const leaving = mob.members.retire("turn", { ...LOCAL, drainMs: 300_000 });
  await until(() => state(mob, "turn") === "retiring");
  assert.equal((await done(mob, ask("well", "y"))).output, "y");
  assert.equal((await mob.members.spawn({ id: "new", profile: "p" }, API)).state, "dormant");
  assert.equal((await mob.members.respawn("well", LOCAL)).generation, 2);
  assert.equal((await mob.members.respawn("start", LOCAL)).generation, 2, "not even its own next life waits");
  await mob.members.suspend("start", { ...LOCAL, why: "operator" });
  await mob.members.resume("start", LOCAL);
  assert.equal((await mob.reconciler.reconcile(LOCAL)).members.failures.length, 0);
  assert.equal(mob.status().members.length, 4);
  const cancelling = mob.members.cancel(turn_id, LOCAL);
  await ringing(cancelling, ring);
  assert.equal((await cancelling).state, "cancelled", "the one that runs is let go of");
  await leaving;
  real();
  const { drained_turns, aborted_turns, queued_left } = await mob.close({ deadlineMs: 1 });
  assert.deepEqual([drained_turns, aborted_turns, queued_left], [0, 0, 1]);
});

test("a turn that never ends is over by the deadline of the retirement, and what is left lies in dead letters with the reason (A10)", async () => {
  await using mob = await open(() => async () => await new Promise(() => undefined), { members: [{ id: "m", profile: "p" }] });
  const tickets = await Promise.all(["runs", "waits"].map((content) => mob.send(ask("m", content))));
  await until(() => mob.view.row("m")?.phase === "busy");
  await mob.members.retire("m", { ...LOCAL, drainMs: 20 });
  assert.deepEqual([state(mob, "m"), mob.view.row("m")?.queue], ["retired", { depth: 0, oldest_at_ms: null, dead: 2 }]);
  for (const { turn_id } of tickets) {
    const { state: ended, reason, error } = await mob.members.wait(turn_id, {});
    assert.deepEqual([ended, reason, error?.code], ["dead", "member_retired", "mob.member_gone"]);
  }
});

test("a reload lets the running turn end; those that come meanwhile wait, and run with the new code; one that takes too long is put back (A11, 3.3)", async () => {
  const { clock, ring } = hurriedClock((ms) => ms === RELOAD_MS);
  let made = 0;
  let go = Promise.withResolvers<void>();
  await using mob = await open(() => {
    const code = ++made;
    return async ({ content, attempt }) => {
      if (content === "long") await go.promise;
      return [content, code, attempt];
    };
  }, { members: [{ id: "m", profile: "p" }] }, { env: { clock } });
  const send = async (content: string) => (await mob.send(ask("m", content))).turn_id;
  const output = async (turn: string) => (await mob.members.wait(turn, {})).output;
  const first = await send("long");
  await until(() => mob.view.row("m")?.phase === "busy");
  const row = await mob.members.setModel("m", "small", LOCAL);
  assert.deepEqual([row.generation, mob.view.members.get("m")?.spec.model], [1, "small"]);
  const queued = await send("queued");
  go.resolve();
  assert.deepEqual([await output(first), await output(queued)], [["long", 1, 1], ["queued", 2, 1]]);

  go = Promise.withResolvers();
  const late = await send("long");
  await until(() => mob.view.row("m")?.phase === "busy");
  await mob.members.reload("m", LOCAL);
  await until(() => ring() === 1);
  await until(() => made === 3);
  go.resolve();
  assert.deepEqual(await output(late), ["long", 3, 2]);
  assert.equal(mob.view.row("m")?.generation, 1);
  const { entries } = await mob.ledger.query({ member: "m", after: 0, classes: ["structural"] });
  assert.deepEqual(entries.slice(2).map(({ kind, data }) => data["why"] ?? kind), ["wake", "member_started", "member_reloaded", "renew", "member_started", "member_reloaded", "renew", "member_started"]);
});

test("a cancelled turn whose code does not hear is let go of after 5 s; its code is made anew, and nothing counts as a crash (3.9)", async () => {
  const { clock, ring, real } = hurriedClock((ms) => ms === CANCEL_MS);
  let made = 0;
  await using mob = await open(() => {
    made += 1;
    return async ({ content }) => (content === "deaf" ? await new Promise(() => undefined) : content);
  }, { members: [{ id: "m", profile: "p" }], profiles: { p: { linked: "worker", restart: "never" } } }, { env: { clock } });
  const { turn_id } = await mob.send(ask("m", "deaf"));
  await until(() => mob.view.row("m")?.phase === "busy");
  const cancelling = mob.members.cancel(turn_id, LOCAL);
  await ringing(cancelling, ring);
  const cancelled = await cancelling;
  real();
  assert.deepEqual([cancelled.state, cancelled.error?.text], ["cancelled", "the turn was cancelled by local"]);
  assert.equal((await done(mob, ask("m", "next"))).output, "next");
  assert.equal(made, 2);
  assert.equal((await mob.members.cancel(turn_id, LOCAL)).state, "cancelled", "over is over");
});

test("restart says what becomes of a script that ends: well or badly, it is completed, and who waits gets a dead letter; always starts it again (3.3)", async () => {
  const profiles = Object.fromEntries((["on_failure", "always", "never"] as const).map((restart) => [restart, { script: "leaves.lua", restart }]));
  await using mob = await open(echo, { members: Object.keys(profiles).map((id) => ({ id, profile: id })), profiles });
  for (const id of ["on_failure", "never"]) {
    const tickets = await Promise.all(["leave", "behind"].map((content) => mob.send(ask(id, content))));
    await until(() => state(mob, id) === "completed");
    for (const { turn_id } of tickets) assert.equal((await mob.members.wait(turn_id, {})).reason, "member_completed", id);
    await assert.rejects(mob.send(ask(id, "x")), { code: "mob.member_gone" });
  }
  const { lease } = mob.view.row("always") ?? {};
  await mob.send(ask("always", "leave", { conversation: "a" }));
  await until(() => (mob.view.row("always")?.lease.fence ?? 0) > (lease?.fence ?? 0) + 1);
  assert.equal(state(mob, "always") === "completed", false);
});

test("a session to resume has to be one of its own; with it a member goes on where it was, fresh it begins anew (3.2, A9)", async () => {
  await using mob = await open(echo, { members: [{ id: "other", profile: "p" }] });
  const session = (id = "m") => mob.view.row(id)?.session.id ?? "";
  await done(mob, ask("other", "x"));
  for (const session_id of ["s_none", `s_${memberScope("m")}_1`, session("other")]) {
    await assert.rejects(mob.members.spawn({ id: "m", profile: "p", resume: { session_id } }, API), { code: "mob.session_not_found" });
    assert.equal(mob.view.row("m"), undefined, "no member exists");
  }
  await mob.members.spawn({ id: "m", profile: "p" }, API);
  await done(mob, ask("m", 1));
  const first = session();
  await mob.members.reset("m", LOCAL);
  await done(mob, ask("m", 2));
  const second = session();
  const again = async (resume?: "last" | "fresh" | { session_id: string }) => {
    await mob.members.retire("m", LOCAL);
    await mob.members.spawn({ id: "m", profile: "p", ...resume === undefined ? {} : { resume } }, API);
    assert.equal((await done(mob, ask("m", 3))).state, "done");
    return session();
  };
  assert.equal(await again(), second);
  assert.equal(await again({ session_id: first }), first);
  assert.equal(await again("last"), first);
  assert.ok(![first, second].includes(await again("fresh")));
});

test("a member whose session is damaged or gone is broken with that kind, is tried again by itself and then parked; the others run, and nothing is made anew (A28, 7.4, 7.5)", async (t) => {
  const stateDir = folder(t);
  const tree = { members: ["torn", "gone", "well"].map((id) => ({ id, profile: "p" })), bootstrap: "eager" } as const;
  {
    const mob = await open(echo, tree, { stateDir });
    for (const id of ["torn", "gone", "well"]) await done(mob, ask(id, "x"));
    await mob.close();
  }
  const place = await openPlace({ dir: stateDir });
  const commit = (id: string, op: object) => place.store.commit({ scope: memberScope(id), epoch: null, at_ms: Date.now(), ops: [op as never] });
  const idOf = (id: string) => `s_${memberScope(id)}_1`;
  await commit("torn", { op: "append", journal: `session:${idOf("torn")}`, body: "{\"role\":" });
  await commit("gone", { op: "put", space: "session", key: idOf("gone"), value: null, if_version: null });
  await place.close();

  // Those with jitter.
  const { clock, ring } = hurriedClock((ms) => ms > 20_000 && ms % 1_000 !== 0);
  await using mob = await open(echo, tree, { stateDir, env: { clock } });
  await mob.members.warmed(AbortSignal.timeout(60_000));
  const kinds = () => ["torn", "gone", "well"].map((id) => [state(mob, id), mob.view.row(id)?.last_error?.code]);
  await until(() => state(mob, "well") === "active");
  assert.deepEqual(kinds(), [["broken", "snapshot_corrupted"], ["broken", "snapshot_missing"], ["active", undefined]]);
  await mob.ledger.flush();
  const failures = (await mob.ledger.query({ after: 0, kinds: ["checkpoint_failure", "spawn_failure"] })).entries;
  assert.deepEqual(failures.map(({ kind, member, generation, data }) => [kind, member, generation, data["kind"]]).sort(), [
    ["checkpoint_failure", "gone", 1, "snapshot_missing"], ["checkpoint_failure", "torn", 1, "snapshot_corrupted"],
  ]);
  const boot = mob.members.boot();
  assert.deepEqual([boot.complete, boot.ready, boot.error?.member, boot.error?.code, boot.counts.broken], [true, false, "gone", "snapshot_missing", 2]);
  const refused = await mob.send(ask("torn", "y")).catch((error: { code: string; facts: object }) => error);
  assert.deepEqual([(refused as { code: string }).code, (refused as { facts: { kind?: string } }).facts.kind], ["mob.member_broken", "snapshot_corrupted"]);
  const breaks = async (id: string) => (await mob.ledger.query({ member: id, after: 0, kinds: ["member_broken"] })).entries.map(({ data }) => data["parked"]);
  for (const ms of [30_000, 60_000, 120_000]) {
    const before = (await breaks("torn")).length + (await breaks("gone")).length;
    assert.equal(ring(ms * 0.8, ms * 1.2), 2, `${ms}`);
    while ((await breaks("torn")).length + (await breaks("gone")).length < before + 2) await new Promise((resolve) => setImmediate(resolve));
  }
  assert.deepEqual(await breaks("torn"), [false, false, false, true]);
  assert.equal(ring(), 0, "nothing is tried any more");
  for (const id of ["torn", "gone"]) assert.deepEqual([mob.view.row(id)?.generation, mob.view.row(id)?.session.id], [1, idOf(id)], "no fresh session exists");
  const row = await mob.members.reset("torn", LOCAL);
  assert.notEqual(row.session.id, idOf("torn"), "a principal's reset begins one");
  assert.equal((await done(mob, ask("torn", "z"))).output, "z");
});

test("two ensures of one id make one member, and one of them says so; five spawns with a bad third give five answers in order (A7)", async () => {
  await using handle = await Mob.start({
    definition: defineMob({ mob: { id: "m", members: [] }, profiles: { p: { linked: "worker" } } }), linked: { worker: echo }, ephemeral: true,
  });
  const both = await Promise.all([1, 2].map(() => handle.members.ensure({ spec: { id: "one", profile: "p" } })));
  assert.deepEqual(both.map(({ created }) => created).toSorted(), [false, true]);
  const specs = ["a", "b", "one", "d", "e"].map((id) => ({ id, profile: "p" }));
  const kept = await handle.members.spawn_many({ specs });
  assert.deepEqual(kept.results.map(({ id, ok }) => [id, ok]), [["a", true], ["b", true], ["one", false], ["d", true], ["e", true]]);
  const rolled = await handle.members.spawn_many({ specs: ["f", "g", "one", "h", "i"].map((id) => ({ id, profile: "p" })), on_failure: "rollback" });
  assert.deepEqual(rolled.results.map(({ ok }) => ok), [false, false, false, false, false]);
  const { members } = await handle.members.list();
  assert.deepEqual(members.filter(({ final }) => !final).map(({ id }) => id), ["a", "b", "d", "e", "one"], "with rollback none of them remains");
  const deep = await handle.members.get("a", { deep: true });
  assert.ok("continuity" in deep);
  assert.deepEqual(deep.continuity, {
    member: "a", runtime_id: "a:1", session_id: deep.session.id, generation: 1, fence: deep.lease.fence, version: deep.seq, spec_hash: deep.continuity.spec_hash,
  });
  assert.equal((await handle.members.set_model("a", "small")).id, "a");
});

test("one subscriber sees both generations of a member that is respawned while it says a lot, in one order, and nothing is missing (A8)", async () => {
  await using mob = await open(echo, { members: [{ id: "m", profile: "p" }] });
  const ending = new AbortController();
  const heard: (readonly [seq: number, kind: string, generation: number | undefined, turn: string | undefined])[] = [];
  const reading = (async () => {
    for await (const one of mob.ledger.subscribe({ member: "m" }, { after: 0, signal: ending.signal })) {
      if ("seq" in one) heard.push([one.seq, one.kind, one.generation, one.turn_id]);
    }
  })().catch(() => undefined);
  const sent: string[] = [];
  for (let round = 0; round < 3; round++) {
    for (let n = 0; n < 30; n++) sent.push((await mob.send(ask("m", n))).turn_id);
    if (round < 2) await mob.members.respawn("m", LOCAL);
  }
  await Promise.all(sent.map((turn) => mob.members.wait(turn, {})));
  await mob.ledger.flush();
  const { entries } = await mob.ledger.query({ member: "m", after: 0, limit: 1_000 });
  await until(() => heard.length >= entries.length);
  ending.abort();
  await reading;
  assert.deepEqual(heard.map(([seq]) => seq), entries.map(({ seq }) => seq));
  assert.deepEqual(heard.filter(([, kind]) => kind === "member_respawned").map(([, , generation]) => generation), [2, 3]);
});

test("256 turns that have not ended are the most; one more is refused with a hint, and all 256 end; a cursor tells whether there is another answer (A18, A20, 3.9)", async () => {
  const go = Promise.withResolvers<void>();
  await using mob = await open(() => async () => {
    await go.promise;
    return "same";
  }, { members: [{ id: "m", profile: "p" }] });
  const tickets = await Promise.all(Array.from({ length: 256 }, (_, n) => mob.send(ask("m", n, { conversation: `c${n % 8}` }))));
  const refused = await mob.send(ask("m", "more")).catch((error: unknown) => error) as { readonly code: string; readonly retry_after_ms: number };
  assert.deepEqual([refused.code, refused.retry_after_ms > 0], ["mob.overloaded", true]);
  go.resolve();
  const turns = await Promise.all(tickets.map(({ turn_id }) => mob.members.wait(turn_id, {})));
  assert.ok(turns.every(({ state: ended, output }) => ended === "done" && output === "same"));
  const cursors = turns.map(({ cursor }) => cursor ?? assert.fail("it has ended"));
  assert.deepEqual(cursors.map(({ turns: ended }) => ended).toSorted((a, b) => a - b), Array.from({ length: 256 }, (_, n) => n + 1));
  const [first, second] = cursors.toSorted((a, b) => a.turns - b.turns) as [typeof cursors[0], typeof cursors[0]];
  assert.deepEqual([compareCursors(first, first), compareCursors(first, second)], ["pending", "completed"]);
  await mob.members.respawn("m", LOCAL);
  const { cursor } = await done(mob, ask("m", "again"));
  assert.equal(compareCursors(second, cursor ?? second), "incarnation_changed");
});

test("a restart keeps session, history, labels, edges and generation of every member (A27)", async (t) => {
  const stateDir = folder(t);
  const tree = { members: [{ id: "a", profile: "p", labels: { own: "1" } }, { id: "b", profile: "p" }], edges: [["a", "b"]], profiles: { p: { linked: "worker", labels: { of: "all" } } } } satisfies Parameters<typeof open>[1];
  const look = (mob: MobRooms) => mob.status().members.map(({ id, session, labels, wired_to, generation, usage, mode, origin }) => ({ id, session, labels, wired_to, generation, usage, mode, origin }));
  const first = await open(echo, tree, { stateDir });
  await done(first, ask("a", "x"));
  await first.members.respawn("a", LOCAL);
  await done(first, ask("a", "y"));
  const before = look(first);
  assert.deepEqual([before[0]?.labels, before[0]?.generation, before[0]?.wired_to], [{ of: "all", own: "1" }, 2, ["b"]]);
  await first.close();
  await using again = await open(echo, tree, { stateDir });
  assert.deepEqual(look(again), before);
});

test("a member that is deleted leaves its entries and nothing else; who comes under its id is somebody new, in the next generation (11.5)", async (t) => {
  const stateDir = folder(t);
  const tree = { members: [{ id: "other", profile: "p" }], profiles: { p: { linked: "worker" } } };
  const first = await open(() => async ({ content }, ctx) => {
    const before = await ctx.get("k") ?? null;
    if (content !== "hang") return ctx.set("k", content), before;
    return await new Promise(() => undefined);
  }, tree, { stateDir });
  const spawn = async (mob: MobRooms) => await mob.members.spawn({ id: "m", profile: "p", labels: { l: "1" } }, API);
  await spawn(first);
  await first.edges.wire("m", "other", "local");
  assert.equal((await done(first, ask("m", 1))).output, null);
  const old = first.view.row("m")?.session.id ?? "";
  const { turn_id } = await first.send(ask("m", "hang"));
  await until(() => first.view.row("m")?.phase === "busy");
  const row = await first.members.delete("m", LOCAL);
  assert.deepEqual([row.state, first.view.row("m"), (await first.members.wait(turn_id, {})).state, first.view.wiredTo("other")], ["retired", undefined, "dead", []]);
  await assert.rejects(readSession(first.ledger.store, { session_id: old }), { code: "mob.session_not_found" });
  assert.deepEqual(await first.ledger.store.letters(memberScope("m"), { after: 0, limit: 9 }), []);
  await assert.rejects(first.members.delete("m", LOCAL), { code: "mob.not_found" });
  await first.close();
  await using again = await open(() => async (_, ctx) => await ctx.get("k") ?? "nothing", tree, { stateDir });
  assert.equal((await spawn(again)).generation, 2);
  assert.equal((await done(again, ask("m", 2))).output, "nothing");
  assert.notEqual(again.view.row("m")?.session.id, old);
});
