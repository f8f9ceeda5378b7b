/**
 * Goal: every move of a member is an entry before it is made (spec: mob 3.3). Invariant: whoever asks sees where it is, not where it was; a start
 * that a process died in is no start. Method: real members whose code hangs, fails and dies; the row and the ledger are the witnesses.
 */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
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
