/**
 * Goal: a draft is done after all, once. Invariant: only after a permitted release, with the arguments of the call that was put off; its member
 * hears what came of it. Method: a script and linked code, real files, restarts between the release and its call.
 */
import assert from "node:assert/strict";
import { appendFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import type { LinkedFactory, MobRooms } from "@atoll-run/atoll/mob";
import type { Json, Log } from "@atoll-run/core";
import { until } from "@atoll-run/testkit";
import { openWorld, sendTo as send, waiting, type WorldOptions } from "./in-place-world.ts";

function world(t: TestContext): { readonly out: string; open(o?: WorldOptions): Promise<MobRooms> } {
  const base = mkdtempSync(join(tmpdir(), "atoll-release-"));
  t.after(() => rmSync(base, { recursive: true, force: true }));
  mkdirSync(join(base, "out"));
  return { out: join(base, "out"), open: (o) => openWorld(base, { limits: { approvalInPlaceMs: 20 }, ...o }) };
}

const decide = (mob: MobRooms, id: string, decision: "approve" | "reject" | "release", principal = "boss") => mob.approvals.decide({ id, decision, principal, local: false });

/** The draft that the turn has got in place of its call. */
async function draft(mob: MobRooms, turn: string): Promise<string> {
  const { output } = await mob.members.wait(turn, {});
  return String((output as { given?: Json }).given ?? output).slice("draft ".length);
}

/** What the member was told of it, and what it gave. */
async function told(mob: MobRooms, id: string) {
  const turn = await until(() => [...mob.view.turns.values()].find(({ conversation, from }) => from === "approvals" && conversation === id));
  return await mob.members.wait(turn.turn_id, {});
}

test("the call of a draft is made once it is released, with its own arguments, and the member gets what came of it as a turn", async (t) => {
  const { open, out } = world(t);
  await using mob = await open();
  const path = join(out, "asked");
  const id = await draft(mob, await send(mob, "keeper", { path, text: "ä".repeat(20_000) }));
  assert.equal(mob.view.approvals.get(id)?.state, "drafted");
  assert.equal(existsSync(path), false);
  await assert.rejects(decide(mob, id, "approve"), { code: "mob.approval_closed" });
  await assert.rejects(decide(mob, id, "release", "asker"), { code: "mob.self_approval_forbidden" });
  await assert.rejects(decide(mob, id, "release", "ts"), { code: "mob.denied" });
  assert.equal(existsSync(path), false);
  assert.equal((await decide(mob, id, "release")).state, "released");
  const { state, output, principal } = await told(mob, id);
  assert.deepEqual([state, principal, readFileSync(path, "utf8")], ["done", "asker", "ä".repeat(20_000)]);
  const { told: heard } = output as { told: { approval: string; result?: Json; error?: Json } };
  assert.deepEqual([heard.approval, heard.error], [id, undefined]);
  await assert.rejects(decide(mob, id, "release"), { code: "mob.approval_closed" });
  await until(() => mob.view.approvals.get(id)?.call === "told");
  const { entries } = await mob.ledger.query({ after: 0, kinds: ["approval_drafted", "approval_decided", "tool_execution_started", "tool_execution_completed"] });
  assert.deepEqual(entries.filter(({ data }) => (data["id"] ?? data["approval"]) === id).map(({ kind }) => kind),
    ["approval_drafted", "approval_decided", "tool_execution_started", "tool_execution_completed"]);
});

test("a draft that is rejected stays undone; what fails, or is not granted any more, is told as it failed", async (t) => {
  const { open, out } = world(t);
  await using mob = await open({ writer: () => async ({ content }, ctx) => (content as { approval?: string }).approval === undefined
    ? ctx.guarded({ grant: "fs.write", tool: "write_file", args: content }, () => "done") : content });
  const no = await draft(mob, await send(mob, "keeper", { path: join(out, "asked-no"), text: "x" }));
  assert.equal((await decide(mob, no, "reject")).state, "rejected");
  await assert.rejects(decide(mob, no, "release"), { code: "mob.approval_closed" });
  const gone = await draft(mob, await send(mob, "keeper", { path: join(out, "sub/asked-gone"), text: "x" }));
  await decide(mob, gone, "release");
  const { output } = await told(mob, gone);
  assert.match((output as { told: { error: { text: string } } }).told.error.text, /asked-gone/);
  const bare = await draft(mob, await send(mob, "ts", { path: join(out, "asked-ts") }));
  await decide(mob, bare, "release");
  assert.match(JSON.stringify((await told(mob, bare)).output), /no tool write_file/);
  assert.equal(existsSync(join(out, "asked-no")), false);
});

test("released and not yet made when the process ends, a call is made at the next start, once; one that was begun is not made again", async (t) => {
  const { open, out } = world(t);
  const path = join(out, "asked");
  let stuck = true;
  const made: string[] = [];
  const writer: LinkedFactory = () => ({
    turn: async ({ content }, ctx) => {
      const { approval } = content as { approval?: string };
      return approval === undefined ? ctx.guarded({ grant: "fs.write", tool: "append", args: content }, () => "done") : content;
    },
    tools: { append: async (args, { signal }) => {
      const { path: at } = args as { path: string };
      made.push(at);
      appendFileSync(at, "x");
      if (stuck) await new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason as Error)));
      return { at };
    } },
  });
  const first = await open({ writer });
  const [begun, waits] = [await draft(first, await send(first, "ts", { path })), await draft(first, await send(first, "other", { path: `${path}-2` }))];
  await decide(first, begun, "release");
  await until(() => made.length === 1);
  // Its member cannot be started now.
  await first.members.suspend("other", { principal: "boss", why: "operator" });
  await decide(first, waits, "release");
  await first.close();
  stuck = false;
  await using mob = await open({ writer });
  const heard = await told(mob, begun);
  assert.match(JSON.stringify(heard.output), /outcome unknown/);
  if (mob.view.row("other")?.state === "suspended") await mob.members.resume("other", { principal: "boss" });
  const { output } = await told(mob, waits);
  assert.deepEqual((output as { result: Json }).result, { at: `${path}-2` });
  assert.deepEqual([made, readFileSync(path, "utf8"), readFileSync(`${path}-2`, "utf8")], [[path, `${path}-2`], "x", "x"]);
});

test("what is decided while the mob is stopped waits for its resume, and nobody is asked in vain meanwhile", async (t) => {
  const { open, out } = world(t);
  const warned: string[] = [];
  const log: Log = { write: ({ level, target, msg }) => void (level === "warn" && warned.push(`${target}: ${msg}`)) };
  await using mob = await open({ limits: {}, env: { log } });
  const [put, now] = [join(out, "asked-put"), join(out, "asked-now")];
  const turns = [await send(mob, "keeper", { path: put, text: "put" }), await send(mob, "ts", { path: now })] as const;
  const [late, asked] = [await waiting(mob, turns[0]), await waiting(mob, turns[1])];
  const by = { principal: "boss" };
  await mob.life.command("stop", by);
  await until(() => mob.view.mob.state === "stopped");
  await decide(mob, asked, "approve");
  await decide(mob, late, "approve");
  await mob.ledger.flush();
  assert.deepEqual([mob.view.turns.get(turns[1])?.state, existsSync(put)], ["waiting_approval", false]);
  await mob.life.command("resume", by);
  for (const turn of turns) assert.equal((await mob.members.wait(turn, {})).state, "done");
  assert.deepEqual([readFileSync(put, "utf8"), warned.filter((line) => line.startsWith("approvals"))], ["put", []]);
});

test("a draft that is released while the mob is stopped is done after its resume", async (t) => {
  const { open, out } = world(t);
  const warned: string[] = [];
  const log: Log = { write: ({ level, target, msg }) => void (level === "warn" && warned.push(`${target}: ${msg}`)) };
  await using mob = await open({ env: { log } });
  const path = join(out, "asked-later");
  const id = await draft(mob, await send(mob, "keeper", { path, text: "later" }));
  const by = { principal: "boss" };
  await mob.life.command("stop", by);
  await until(() => mob.view.mob.state === "stopped");
  await decide(mob, id, "release");
  await mob.ledger.flush();
  assert.equal(existsSync(path), false);
  await mob.life.command("resume", by);
  assert.equal((await told(mob, id)).state, "done");
  assert.deepEqual([readFileSync(path, "utf8"), warned.filter((line) => line.startsWith("approvals"))], ["later", []]);
});
