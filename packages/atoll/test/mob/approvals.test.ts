/** Goal: a rule stands between a member and the world. Invariant: what needs a decision is done once, after it, or never. Method: real files. */
import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { defineMob, type LinkedFactory, type MobRooms } from "@atoll-run/atoll/mob";
import { until } from "@atoll-run/testkit";
import { startRooms } from "./rooms.ts";

const SCRIPTS = join(import.meta.dirname, "scripts");

function folder(t: TestContext): { readonly dir: string; readonly out: string } {
  const base = mkdtempSync(join(tmpdir(), "atoll-approvals-"));
  t.after(() => rmSync(base, { recursive: true, force: true }));
  mkdirSync(join(base, "out"));
  return { dir: join(base, "state"), out: join(base, "out") };
}

const definition = (out: string) => defineMob({
  mob: { id: "gate", members: [{ id: "lua", profile: "script" }, { id: "ts", profile: "linked" }, { id: "bare", profile: "bare" }] },
  profiles: {
    script: { script: "write.lua", grants: [`fs.write:${out}`] }, linked: { linked: "writer", grants: [`fs.write:${out}`], conversations: 2 }, bare: { script: "write.lua" },
  },
  approvals: [{ match: { grant: "fs.write" }, tier: "R3" }],
});

let acted = 0;
const writer: LinkedFactory = () => async ({ content, attempt }, ctx) => {
  await ctx.guarded({ grant: "fs.write", tool: "write_file", args: content }, () => ++acted);
  return { attempt };
};

const send = async (mob: MobRooms, to: string, content: { path: string; text: string }) =>
  (await mob.send({ to, from: "console", principal: "asker", content })).turn_id;

/** The approval that is open for that turn. */
const asked = (mob: MobRooms, turn: string) => until(() => mob.view.turns.get(turn)?.state === "waiting_approval"
  ? [...mob.view.approvals.values()].find(({ turn_id, state }) => turn_id === turn && state === "open")?.id : undefined);

test("a call that needs a decision waits for it; approved it is done, once; rejected it is not; a restart forgets neither", async (t) => {
  const { dir, out } = folder(t);
  const at = (name: string): string => join(out, name);
  const open = (): Promise<MobRooms> => startRooms({ stateDir: dir, root: SCRIPTS, linked: { writer }, definition: definition(out) });
  const first = await open();
  const [lua, no] = [await send(first, "lua", { path: at("yes"), text: "hello" }), await send(first, "ts", { path: at("no"), text: "x" })];
  const [luaAsked, noAsked] = [await asked(first, lua), await asked(first, no)];
  assert.equal(existsSync(at("yes")), false);
  assert.equal(first.view.row("lua")?.phase, "waiting_approval");
  await assert.rejects(first.approvals.decide({ id: luaAsked, decision: "approve", principal: "asker", local: false }), { code: "mob.self_approval_forbidden" });
  await first.close();

  await using mob = await open();
  await mob.approvals.decide({ id: luaAsked, decision: "approve", principal: "boss", local: false });
  const done = await mob.members.wait(lua, {});
  assert.deepEqual([done.state, done.error, readFileSync(at("yes"), "utf8")], ["done", null, "hello"]);
  const { entries } = await mob.ledger.query({ turn_id: lua, after: 0, classes: ["turn", "approval"] });
  assert.deepEqual(entries.map(({ kind }) => kind), [
    "turn_queued", "turn_started", "approval_requested", "turn_waiting", "turn_waiting", "approval_decided", "turn_resumed", "turn_done",
  ]);
  assert.deepEqual(entries.filter(({ kind }) => kind === "turn_waiting").map(({ data }) => data["in_place"] ?? false), [true, false], "the end of the first mob has parked it");
  await mob.approvals.decide({ id: noAsked, decision: "reject", principal: "boss", local: false });
  const refused = await mob.members.wait(no, {});
  assert.deepEqual([refused.state, refused.error?.code, acted], ["failed", "mob.denied", 0]);
  const again = await send(mob, "ts", { path: at("ok"), text: "x" });
  await mob.approvals.decide({ id: await asked(mob, again), decision: "approve", principal: "boss", local: false });
  assert.deepEqual([(await mob.members.wait(again, {})).state, acted], ["done", 1]);
});

test("the time a turn waits for a decision does not count: it goes on with what was left, also after a restart, and ends then", async (t) => {
  const { dir, out } = folder(t);
  let held = true;
  const slow: LinkedFactory = () => async ({ content }, ctx) => {
    await ctx.guarded({ grant: "fs.write", tool: "write_file", args: content }, () => ++acted);
    if (held) await new Promise((_, reject) => ctx.signal.addEventListener("abort", () => reject(ctx.signal.reason as Error)));
    return ctx.remainingMs() > 0;
  };
  const open = (): Promise<MobRooms> => startRooms({ stateDir: dir, root: SCRIPTS, linked: { writer: slow }, definition: definition(out) });
  const first = await open();
  const ask = async (text: string) => (await first.send({
    to: "ts", from: "console", principal: "asker", content: { path: join(out, text), text }, deadlineMs: 2_500, conversation: text,
  })).turn_id;
  const [goes, late] = [await ask("goes"), await ask("late")];
  const approvals = [await asked(first, goes), await asked(first, late)];
  const left = first.view.turns.get(goes)?.left_ms ?? 0;
  assert.ok(left > 0 && left <= 2_500);
  await until(() => (first.view.turns.get(late)?.queued_at_ms ?? Infinity) + 2_600 < Date.now(), { withinMs: 30_000 });
  await first.close();
  await using mob = await open();
  held = false;
  await mob.approvals.decide({ id: approvals[0] as string, decision: "approve", principal: "boss", local: false });
  const done = await mob.members.wait(goes, {});
  assert.deepEqual([done.state, done.output], ["done", true]);
  held = true;
  await mob.approvals.decide({ id: approvals[1] as string, decision: "approve", principal: "boss", local: false });
  const over = await mob.members.wait(late, {});
  assert.deepEqual([over.state, over.error?.code], ["expired", "mob.deadline"]);
  assert.ok(over.deadline_at_ms > over.queued_at_ms + 2_500, "its end was moved");
});

test("turns of a script that run at once are asked for one by one, each in its own name", async (t) => {
  const { dir, out } = folder(t);
  const two = defineMob({
    mob: { id: "two", members: [{ id: "lua", profile: "script" }] },
    profiles: { script: { script: "write.lua", grants: [`fs.write:${out}`], conversations: 2 } },
    approvals: [{ match: { grant: "fs.write" }, tier: "R3" }],
  });
  await using mob = await startRooms({ stateDir: dir, root: SCRIPTS, definition: two });
  const turns = await Promise.all(["a", "b"].map(async (name) => (await mob.send({
    to: "lua", from: "console", principal: "asker", content: { path: join(out, name), text: name }, conversation: name,
  })).turn_id));
  for (const [n, turn] of turns.entries()) {
    const id = await asked(mob, turn);
    assert.deepEqual(mob.view.approvals.get(id)?.object, join(out, ["a", "b"][n] as string));
    await mob.approvals.decide({ id, decision: "approve", principal: "boss", local: false });
  }
  assert.deepEqual(await Promise.all(turns.map(async (turn) => (await mob.members.wait(turn, {})).state)), ["done", "done"]);
  assert.deepEqual(["a", "b"].map((name) => readFileSync(join(out, name), "utf8")), ["a", "b"]);
});

test("a grant that a member has not is refused with one fault in Lua and in TypeScript, and the ledger says so", async (t) => {
  const { dir, out } = folder(t);
  await using mob = await startRooms({ stateDir: dir, root: SCRIPTS, linked: { writer }, definition: definition(out) });
  const before = acted;
  const path = join(dir, "elsewhere");
  for (const member of ["ts", "lua", "bare"]) {
    const turn = await mob.members.wait(await send(mob, member, { path, text: "x" }), {});
    assert.deepEqual([member, turn.state, turn.error?.code], [member, "failed", "grant.denied"]);
    assert.match(turn.error?.text ?? "", /fs\.write .*elsewhere/);
  }
  assert.deepEqual([existsSync(path), acted], [false, before]);
  await mob.ledger.flush();
  const { entries } = await mob.ledger.query({ kinds: ["grant_denied"], after: 0 });
  assert.deepEqual(entries.map(({ member }) => member), ["ts", "lua", "bare"]);
  assert.equal(entries.every(({ turn_id }) => turn_id !== undefined), true);
});
