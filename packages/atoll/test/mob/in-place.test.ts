/**
 * Goal: code that needs a decision stays where it is until it is there. Invariant: what it has done before is not done again, its time
 * stands still, nobody else waits for it. Method: linked code and a script, real files, a process that is killed.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import type { LinkedFactory, MobRooms } from "@atoll-run/atoll/mob";
import { until } from "@atoll-run/testkit";
import { openWorld, sendTo as send, waiting, type WorldOptions } from "./in-place-world.ts";

const CHILD = join(import.meta.dirname, "in-place-world.ts");

function world(t: TestContext): { readonly base: string; readonly out: string; open(o?: WorldOptions): Promise<MobRooms> } {
  const base = mkdtempSync(join(tmpdir(), "atoll-in-place-"));
  t.after(() => rmSync(base, { recursive: true, force: true }));
  mkdirSync(join(base, "out"));
  return { base, out: join(base, "out"), open: (o) => openWorld(base, o) };
}

const approve = (mob: MobRooms, id: string) => mob.approvals.decide({ id, decision: "approve", principal: "boss", local: false });
const kindsOf = async (mob: MobRooms, turn_id: string) =>
  (await mob.ledger.query({ turn_id, after: 0, classes: ["turn", "approval"] })).entries.map(({ kind }) => kind).filter((kind) => kind !== "action_allowed");

test("a script and linked code wait where they are: what was done before is not done again, its time stands still, others go on", async (t) => {
  const { open, out } = world(t);
  let runs = 0;
  const leftMs: number[] = [];
  await using mob = await open({ writer: () => async ({ content }, ctx) => {
    runs += 1;
    const answer = await ctx.guarded({ grant: "fs.write", tool: "write_file", args: content }, () => "done");
    leftMs.push(ctx.remainingMs());
    return answer;
  } });
  const at = (name: string): string => join(out, name);
  const script = await send(mob, "lua", { path: at("asked"), text: "x" }, { deadlineMs: 20_000 });
  const linked = await send(mob, "ts", { path: at("asked-ts") }, { deadlineMs: 1_500 });
  const [scriptAsked, linkedAsked] = [await waiting(mob, script), await waiting(mob, linked)];
  assert.equal(readFileSync(at("before"), "utf8"), "1");
  assert.deepEqual(["lua", "ts"].map((id) => [mob.view.row(id)?.state, mob.view.row(id)?.phase]), [["active", "waiting_approval"], ["active", "waiting_approval"]]);
  const others = [await send(mob, "ts", { path: at("free") }, { conversation: "b" }), await send(mob, "other", { path: at("free") }), await send(mob, "lua", { path: at("free") }, { conversation: "b" })];
  for (const turn of others) assert.equal((await mob.members.wait(turn, {})).state, "done");
  const { left_ms = 0 } = mob.view.turns.get(linked) ?? {};
  await until(() => Date.now() > (mob.view.turns.get(linked)?.queued_at_ms ?? Infinity) + 1_600);
  await approve(mob, scriptAsked);
  await approve(mob, linkedAsked);
  const [done, over] = [await mob.members.wait(script, {}), await mob.members.wait(linked, {})];
  assert.deepEqual([done.state, done.output, done.attempt], ["done", { runs: 1, wrote: "x" }, 1]);
  assert.deepEqual([over.state, over.output, over.attempt, runs], ["done", "done", 1, 3]);
  assert.ok(leftMs.at(-1) as number <= left_ms && leftMs.at(-1) as number > 0);
  assert.deepEqual(await kindsOf(mob, script), ["turn_queued", "turn_started", "approval_requested", "turn_waiting", "approval_decided", "turn_resumed", "turn_done"]);
});

test("whoever waits where it is gets a draft when its time is over, or is refused; the rule's own time counts where it is shorter", async (t) => {
  const { open, out } = world(t);
  for (const [rule, limits, expected] of [
    [{}, { approvalInPlaceMs: 50 }, /^draft a_/], [{ timeout: 50 }, {}, /^draft a_/], [{ on_timeout: "deny" }, { approvalInPlaceMs: 50 }, /nobody decided in time/],
  ] as const) {
    await using mob = await open({ rule, limits });
    const turn = await mob.members.wait(await send(mob, "ts", { path: join(out, "asked") }), {});
    assert.match(String(turn.output ?? turn.error?.text), expected);
    const script = await mob.members.wait(await send(mob, "lua", { path: join(out, "asked-lua"), text: "x" }), {});
    assert.match(JSON.stringify(script.output ?? script.error?.text), /draft a_|nobody decided/);
    assert.equal(existsSync(join(out, "asked-lua")), false);
  }
});

test("a turn that waits where it is can be cancelled, ends at its own deadline afterwards, and is parked when the mob ends", async (t) => {
  const { open, out } = world(t);
  let stays = false;
  const mob = await open({ writer: () => async ({ content }, ctx) => {
    await ctx.guarded({ grant: "fs.write", tool: "write_file", args: content }, () => "done");
    if (stays) await new Promise((_, reject) => ctx.signal.addEventListener("abort", () => reject(ctx.signal.reason as Error)));
    return "done";
  } });
  const gone = await send(mob, "ts", { path: join(out, "asked-1") });
  const goneAsked = await waiting(mob, gone);
  assert.equal((await mob.members.cancel(gone, { principal: "boss" })).state, "cancelled");
  await until(() => mob.view.approvals.get(goneAsked)?.state === "timed_out");
  stays = true;
  const late = await send(mob, "ts", { path: join(out, "asked-2") }, { deadlineMs: 300 });
  await approve(mob, await waiting(mob, late));
  assert.equal((await mob.members.wait(late, {})).state, "expired");
  const parked = await send(mob, "lua", { path: join(out, "asked-3"), text: "y" });
  const parkedAsked = await waiting(mob, parked);
  const began = performance.now();
  await mob.close();
  assert.ok(performance.now() - began < 25_000, "nobody waits for the decision");
  await using next = await open();
  assert.equal(next.view.turns.get(parked)?.in_place, undefined);
  await approve(next, parkedAsked);
  assert.equal((await next.members.wait(parked, {})).state, "done");
});

test("a turn that runs again finds what its approved calls have given, and does not make them again; the same call twice in one run is made twice", async (t) => {
  const { open, out } = world(t);
  let acted = 0;
  const writer: LinkedFactory = () => async (turn, ctx) => {
    const given = [];
    for (const path of ["asked-1", "asked-1", "free"]) given.push(await ctx.guarded({ grant: "fs.write", tool: "write_file", args: { path: join(out, path) } }, () => ++acted));
    if (turn.attempt === 1) throw new Error("not yet");
    return { given, attempt: turn.attempt };
  };
  const approveAll = async (mob: MobRooms, turn: string): Promise<void> => {
    const id = await until(() => [...mob.view.approvals.values()].find((one) => one.turn_id === turn && one.state === "open")?.id);
    await approve(mob, id);
  };
  let [script, linked] = ["", ""];
  {
    await using mob = await open({ writer });
    [script, linked] = [await send(mob, "appends", { out }), await send(mob, "ts", { path: "" })];
    for (const turn of [script, linked]) await approveAll(mob, turn);
    assert.deepEqual((await mob.members.wait(linked, {})).output, { given: [1, 2, 4], attempt: 2 });
    assert.equal(acted, 4, "what was approved is made once, what was not each time");
    await until(() => [...mob.view.approvals.values()].filter((one) => one.turn_id === script).length === 2);
    assert.equal(readFileSync(join(out, "asked-1"), "utf8"), "xx");
    const { entries } = await mob.ledger.query({ turn_id: script, after: 0, kinds: ["tool_execution_completed"] });
    assert.deepEqual(entries.map(({ data }) => data["ok"]), [true, true]);
  }
  await using mob = await open({ writer });
  await approveAll(mob, script);
  const { state, output } = await mob.members.wait(script, {});
  const { first, again, other } = output as { first: string; again: string; other: string };
  assert.deepEqual([state, again, other], ["done", first, first]);
  assert.deepEqual(["asked-1", "asked-2", "free"].map((name) => readFileSync(join(out, name), "utf8")), ["xx", "x", "xx"]);
});

test("killed while it waits where it is, the turn runs again, finds its approval by what it asks, and waits on with the time it had", async (t) => {
  const { base, out, open } = world(t);
  const child = spawn(process.execPath, [CHILD, base], { stdio: ["ignore", "pipe", "inherit"] });
  const [said] = await once(child.stdout, "data") as [Buffer];
  child.kill("SIGKILL");
  await once(child, "close");
  const { turn, asked, left } = JSON.parse(said.toString()) as { turn: string; asked: string; left: number };
  await using mob = await open();
  await until(() => mob.view.turns.get(turn)?.attempt === 2 && mob.view.turns.get(turn)?.in_place === true);
  assert.equal(await waiting(mob, turn), asked);
  assert.equal(mob.view.approvals.size, 1);
  assert.ok((mob.view.turns.get(turn)?.left_ms ?? Infinity) <= left);
  await approve(mob, asked);
  const done = await mob.members.wait(turn, {});
  assert.deepEqual([done.state, done.attempt, readFileSync(join(out, "asked"), "utf8")], ["done", 2, "x"]);
  assert.deepEqual(await kindsOf(mob, turn), [
    "turn_queued", "turn_started", "approval_requested", "turn_waiting", "turn_started", "turn_waiting", "approval_decided", "turn_resumed", "turn_done",
  ]);
});
