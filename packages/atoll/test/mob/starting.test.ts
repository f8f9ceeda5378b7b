/**
 * Goal: every move of a member is an entry before it is made (spec: mob 3.3). Invariant: whoever asks sees where it is, not where it was; a start
 * that a process died in is no start. Method: real members whose code hangs, fails and dies; the row and the ledger are the witnesses.
 */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { defineMob, type LinkedFactory, type MobConfig, type MobRooms } from "@atoll-run/atoll/mob";
import { until } from "@atoll-run/testkit";
import { startRooms } from "./rooms.ts";

const definition = defineMob({ mob: { id: "m", members: [{ id: "m", profile: "p" }] }, profiles: { p: { linked: "worker" } } });
const open = (worker: LinkedFactory, more: Partial<MobConfig> = {}): Promise<MobRooms> =>
  startRooms({ definition, linked: { worker }, ...more.stateDir === undefined ? { ephemeral: true } : {}, ...more });
const send = async (mob: MobRooms, content: string): Promise<string> => (await mob.send({ to: "m", from: "console", principal: "local", content })).turn_id;
const state = (mob: MobRooms): string | undefined => mob.view.row("m")?.state;
/** Moves of its life: where it is then, and why. */
const moves = async (mob: MobRooms): Promise<readonly string[]> => {
  const { entries } = await mob.ledger.query({ member: "m", after: 0, limit: 1_000 });
  return entries.flatMap(({ kind, data }) => kind.startsWith("member_") ? [`${kind} ${String(data["why"] ?? "")}`.trim()] : kind === "turn_queued" ? [kind] : []);
};

test("a member that is woken is starting from its first entry on, which is before that of its mail; boot is no longer than those it starts itself", async () => {
  const up = Promise.withResolvers<void>();
  await using mob = await open(async () => {
    await up.promise;
    return ({ content }) => content;
  });
  const turn = await send(mob, "hi");
  assert.equal(state(mob), "starting");
  const { complete, counts } = mob.members.boot();
  assert.deepEqual([complete, counts.warming, counts.dormant], [true, 1, 0]);
  const { revision } = mob.view;
  up.resolve();
  assert.equal((await mob.members.wait(turn, {})).output, "hi");
  assert.deepEqual([state(mob), mob.view.revision], ["active", revision], "nobody has come or gone");
  assert.deepEqual(await moves(mob), ["member_spawning", "member_spawned", "member_starting wake", "turn_queued", "member_started"]);
});

test("a start that fails and one that follows it are told, with the time in between; what was failing is gone from its row when it is up", async () => {
  let starts = 0;
  // The start that a turn begins does not wait for it.
  const queued = Promise.withResolvers<void>();
  await using mob = await open(async () => {
    await queued.promise;
    if (++starts === 1) throw new Error("not yet");
    return ({ content }) => content;
  });
  const turn = await send(mob, "hi");
  queued.resolve();
  await until(() => state(mob) === "dormant");
  assert.deepEqual(mob.view.row("m")?.last_error, { code: "start_failed", text: "not yet" });
  assert.equal((await mob.members.wait(turn, {})).output, "hi");
  assert.deepEqual((await moves(mob)).slice(2), ["member_starting wake", "turn_queued", "member_dormant start_failed", "member_starting retry", "member_started"]);
  assert.equal(mob.view.row("m")?.last_error, undefined);
});

test("who is on his way when his process dies sleeps at the next start, and is woken by the mail that he has", async (t) => {
  const stateDir = mkdtempSync(join(tmpdir(), "atoll-starting-"));
  t.after(() => rmSync(stateDir, { recursive: true, force: true }));
  const hang = Promise.withResolvers<void>();
  t.after(() => hang.resolve());
  const first = await open(async () => {
    await hang.promise;
    return () => null;
  }, { stateDir, drainTimeoutMs: 50 });
  const turn = await send(first, "hi");
  assert.equal(state(first), "starting");
  await first.close();
  await using again = await open(() => ({ content }) => content, { stateDir });
  assert.equal((await again.members.wait(turn, {})).output, "hi");
  const said = await moves(again);
  assert.deepEqual(said.slice(-3), ["member_dormant restart", "member_starting wake", "member_started"]);
});

test("code that never takes turns is ended when its time to start is over, a script that runs for ever among it, and is tried again", async (t) => {
  const root = mkdtempSync(join(tmpdir(), "atoll-hanging-"));
  t.after(() => rmSync(root, { recursive: true, force: true }));
  writeFileSync(join(root, "loop.lua"), "while true do end");
  let starts = 0;
  const hanging = defineMob({
    mob: { id: "m", members: [{ id: "lua", profile: "lua" }, { id: "linked", profile: "p" }] }, limits: { startMs: 300 },
    profiles: { lua: { script: "loop.lua" }, p: { linked: "worker" } },
  });
  await using mob = await startRooms({ definition: hanging, ephemeral: true, root, linked: { worker: async () => {
    if (++starts === 1) await new Promise<never>(() => undefined);
    return ({ content }) => content;
  } } });
  const [lua, linked] = await Promise.all(["lua", "linked"].map((to) => mob.send({ to, from: "console", principal: "local", content: "hi" })));
  assert.equal((await mob.members.wait(linked?.turn_id ?? "", {})).output, "hi");
  await until(() => mob.view.row("lua")?.state === "dormant");
  await mob.ledger.flush();
  const { entries } = await mob.ledger.query({ kinds: ["spawn_failure"], after: 0 });
  for (const member of ["lua", "linked"]) assert.match(String(entries.find((entry) => entry.member === member)?.data["detail"]), /the start of (lua|linked).*300 ms/);
  assert.equal((await mob.members.cancel(lua?.turn_id ?? "", { principal: "local" })).state, "cancelled");
});

test("a process that dies behind the entry of a first spawn that has failed leaves nothing: the next start buries what was sent to it and takes its edges away", async (t) => {
  const stateDir = mkdtempSync(join(tmpdir(), "atoll-spawn-failed-"));
  t.after(() => rmSync(stateDir, { recursive: true, force: true }));
  const worker: LinkedFactory = async ({ id }) => {
    if (id === "new") await new Promise<never>(() => undefined);
    return ({ content }) => content;
  };
  const first = await open(worker, { stateDir, drainTimeoutMs: 50 });
  await first.members.spawn({ id: "new", profile: "p" }, { principal: "local", origin: "api", lazy: false });
  const { turn_id } = await first.send({ to: "new", from: "console", principal: "local", content: "hi" });
  await first.edges.wire("m", "new", "local");
  await first.ledger.append(first.writer, [{ kind: "member_spawn_failed", source: "mob", member: "new", generation: 0, data: { state: "none", from: "starting", generation: 0, kind: "start_failed", detail: "no", tries: 5 } }]);
  await first.close();
  await using again = await open(worker, { stateDir });
  const { state: ended, reason } = await again.members.wait(turn_id, {});
  assert.deepEqual([ended, reason], ["dead", "member_spawn_failed"]);
  assert.deepEqual([again.view.row("new"), again.status().edges, again.view.isWired("m", "new")], [undefined, [], false]);
});
