/**
 * Goal: a call that needs a decision runs only after a permitted one. Invariants: one approval for one call of a turn; an
 * open one is never lost; who waits is woken. Method: the guard as members call it, on real ledgers, with a clock that is moved.
 */
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import type { ApprovalRule, NewEntry, TreeInput } from "@atoll-run/mob";
import { defineMob } from "@atoll-run/mob";
import { openApprovals } from "@atoll-run/mob/internal";
import { ManualClock, until } from "@atoll-run/testkit";
import { house, spawned, STORES, type House, type HouseOptions, type StoreName } from "../support.ts";

const LIST: NonNullable<TreeInput["approvals"]> = [
  { id: "two", match: { tool: "pay" }, tier: "R3", quorum: 2, approvers: ["ann", "bob"], on_timeout: "deny", timeout: "1m" },
  { id: "own", match: { tool: "post" }, tier: "R3", self_approval: true },
  { id: "write", match: { grant: "fs.write" }, tier: "R3" },
  { id: "read", match: { grant: "fs.read" }, tier: "R0" }, { id: "no", match: { tool: "rm" }, tier: "deny" },
];
const { approvals: RULES } = defineMob({
  mob: { id: "m", members: [{ id: "editor", profile: "p" }] }, profiles: { p: { linked: "x" } }, approvals: LIST,
});

function openBook(base: House, rules: readonly ApprovalRule[] = RULES) {
  const woken: string[] = [];
  let sleeping = true;
  const { ledger, writer, roster: { view }, clock, newId, log, limits } = base;
  const book = openApprovals({ ledger, writer, view, rules: () => rules, clock, newId, log, limits, host: {
    wake: async (member, name) => {
      woken.push(`${member} ${name}`);
      if (sleeping) return;
      throw new Error("the store is away");
    },
    performer: async () => {
      throw new Error("nobody is there");
    },
    send: async () => {
      throw new Error("nobody is there");
    },
  } });
  return { ...base, book, view, woken, setAway: (away: boolean) => { sleeping = !away; } };
}

async function started(t: TestContext, store: StoreName = "memory", o: HouseOptions = {}) {
  const all = openBook(await house(t, store, o));
  t.after(() => all.book[Symbol.asyncDispose]());
  await all.append(spawned("editor"), turn("turn_queued"), turn("turn_started"));
  return all;
}

const turn = (kind: NewEntry["kind"], id = "t_1", data: NewEntry["data"] = {}): NewEntry =>
  ({ kind, source: "member", member: "editor", turn_id: id, principal: "ann", data });

const call = (more: Partial<Parameters<ReturnType<typeof openBook>["book"]["guard"]>[0]> = {}) => ({
  member: "editor", generation: 1, turn_id: "t_1", principal: "ann", grant: "fs.write", tool: "write_file",
  args: { path: "report.md", text: "x" }, signal: new AbortController().signal, ...more,
});

function idOf(answer: unknown): string {
  const { park } = answer as { park: string };
  return park.slice("approval:".length);
}

const approve = (id: string, principal = "bob", more: object = {}) => ({ id, decision: "approve" as const, principal, local: false, ...more });
const kindsOf = async ({ ledger }: House) => (await ledger.query({ after: 0, classes: ["approval", "audit"] })).entries.map(({ kind }) => kind);

for (const store of STORES) {
  test(`on ${store}: the call runs only after a permitted decision, which is stored first, and the turn is woken`, async (t) => {
    const all = await started(t, store);
    const { book, append, woken } = all;
    const id = idOf(await book.guard(call()));
    assert.equal(idOf(await book.guard(call({ args: { text: "x", path: "report.md" } }))), id, "the same call in another spelling");
    await append(turn("turn_waiting", "t_1", { until: `approval:${id}` }));
    assert.notEqual(idOf(await book.guard(call({ args: { path: "report.md", text: "y" } }))), id, "other arguments");
    assert.deepEqual(woken, []);
    await book.decide(approve(id));
    assert.equal(await book.guard(call()), "allow");
    await assert.rejects(book.decide(approve(id)), { code: "mob.approval_closed" });
    assert.deepEqual(await kindsOf(all), ["approval_requested", "approval_requested", "approval_decided"]);
  });

  test(`on ${store}: open ones survive a kill with their time; what was decided and not yet woken is woken`, async (t) => {
    const clock = new ManualClock();
    const first = await started(t, store, { clock });
    const [open, decided] = [idOf(await first.book.guard(call({ tool: "pay" }))), idOf(await first.book.guard(call({ turn_id: "t_2" })))];
    await first.append(turn("turn_queued", "t_2"), turn("turn_waiting"), turn("turn_waiting", "t_2"));
    first.setAway(true);
    await first.book.decide(approve(decided));
    const second = openBook(await first.again());
    t.after(() => second.book[Symbol.asyncDispose]());
    await until(() => second.woken.includes(`editor approval:${decided}`));
    assert.equal(await second.book.guard(call({ turn_id: "t_2" })), "allow");
    assert.equal(idOf(await second.book.guard(call({ tool: "pay" }))), open);
    await clock.pass(60_000);
    await until(() => second.view.approvals.get(open)?.state === "timed_out");
    await until(() => second.woken.includes(`editor approval:${open}`));
    assert.deepEqual(await second.book.guard(call({ tool: "pay" })), { deny: "nobody decided in time" });
  });
}

test("each tier has its answer and its entry", async (t) => {
  const all = await started(t);
  const { book, ledger } = all;
  assert.equal(await book.guard(call({ grant: "fs.read", tool: "read_file" })), "allow");
  assert.deepEqual(await kindsOf(all), [], "R0 leaves none");
  assert.equal(await book.guard(call({ grant: "net", tool: "fetch", args: { url: "https://x.org" } })), "allow");
  assert.equal(await book.guard(call({ grant: "run", tool: "ls" })), "allow");
  assert.deepEqual(await book.guard(call({ tool: "rm" })), { deny: "the rule no does not allow it" });
  await ledger.flush();
  const { entries } = await ledger.query({ after: 0, classes: ["approval", "audit"] });
  assert.deepEqual(new Set(entries.map(({ kind, data }) => `${kind} ${String(data["tier"] ?? data["rule_id"])} ${String(data["object"])}`)), new Set([
    "action_allowed R1 https://x.org", "action_allowed R2 report.md", "access_denied no report.md",
  ]));
  assert.deepEqual(book.judge({ member: "editor", grant: "fs.write", args: null }).rule?.id, "write");
});

test("the same call at the same time is one approval", async (t) => {
  const all = await started(t);
  const answers = await Promise.all(Array.from({ length: 8 }, () => all.book.guard(call())));
  assert.equal(new Set(answers.map(idOf)).size, 1);
  assert.deepEqual(await kindsOf(all), ["approval_requested"]);
});

test("who began the turn may not approve it, nor a member, nor whoever is not named; the item stays open", async (t) => {
  const { book, view } = await started(t);
  const id = idOf(await book.guard(call()));
  await assert.rejects(book.decide(approve(id, "ann")), { code: "mob.self_approval_forbidden" });
  await assert.rejects(book.decide(approve(id, "editor")), { code: "mob.denied" });
  const two = idOf(await book.guard(call({ tool: "pay", principal: "carol" })));
  await assert.rejects(book.decide(approve(two, "dave")), { code: "mob.approver_mismatch" });
  assert.deepEqual([id, two].map((one) => view.approvals.get(one)?.state), ["open", "open"]);
  assert.equal((await book.decide(approve(id, "ann", { local: true }))).state, "approved", "but for the local token");
  const own = idOf(await book.guard(call({ tool: "post" })));
  assert.equal((await book.decide(approve(own, "ann"))).state, "approved", "and a rule that says so");
  await assert.rejects(book.decide(approve("a_none")), { code: "mob.not_found" });
});

test("a quorum needs different principals; one rejection closes it, and the member reads who and why", async (t) => {
  const { book } = await started(t);
  const id = idOf(await book.guard(call({ tool: "pay", principal: "carol" })));
  assert.equal((await book.decide(approve(id, "ann"))).state, "open");
  await assert.rejects(book.decide(approve(id, "ann")), { code: "mob.conflict" });
  assert.deepEqual(idOf(await book.guard(call({ tool: "pay", principal: "carol" }))), id);
  assert.equal((await book.decide(approve(id, "bob"))).state, "approved");
  const other = idOf(await book.guard(call({ tool: "pay", principal: "carol", args: { sum: 2 } })));
  await book.decide(approve(other, "ann"));
  await book.decide({ ...approve(other, "bob"), decision: "reject", reason: "too much" });
  assert.deepEqual(await book.guard(call({ tool: "pay", principal: "carol", args: { sum: 2 } })), { deny: "bob has rejected it: too much" });
});

test("of two that decide at the same time one is told that it is closed", async (t) => {
  const all = await started(t);
  const id = idOf(await all.book.guard(call()));
  const both = await Promise.allSettled([all.book.decide(approve(id, "bob")), all.book.decide({ ...approve(id, "eve"), decision: "reject" })]);
  assert.deepEqual(both.map(({ status }) => status), ["fulfilled", "rejected"]);
  assert.equal(all.view.approvals.get(id)?.state, "approved");
});

test("an approval whose time is over is a draft, to the instant, and nobody can approve it any more", async (t) => {
  const clock = new ManualClock();
  const { book, view } = await started(t, "memory", { clock });
  const id = idOf(await book.guard(call()));
  const waiting = book.wait(id, new AbortController().signal);
  await clock.pass(599_999);
  assert.equal(view.approvals.get(id)?.state, "open");
  await clock.pass(1);
  assert.equal((await waiting).state, "drafted");
  assert.deepEqual(await book.guard(call()), { answer: `draft ${id}` });
  await assert.rejects(book.decide(approve(id)), { code: "mob.approval_closed" });
});

test("a turn that was resumed just before its process died is woken once: its mailbox may have it parked still", async (t) => {
  const clock = new ManualClock();
  const all = await started(t, "memory", { clock });
  const { book, append } = all;
  const id = idOf(await book.guard(call()));
  await append(turn("turn_waiting", "t_1", { until: `approval:${id}` }));
  await book.decide(approve(id));
  await append(turn("turn_resumed"));
  await book[Symbol.asyncDispose]();
  const next = openBook(all);
  t.after(() => next.book[Symbol.asyncDispose]());
  await until(() => next.woken.length > 0);
  await clock.pass(60_000);
  assert.deepEqual(next.woken, [`editor approval:${id}`]);
});

test("a wake-up that nobody hears yet comes again until the turn goes on", async (t) => {
  const clock = new ManualClock();
  const { book, append, woken, setAway } = await started(t, "memory", { clock });
  const id = idOf(await book.guard(call()));
  await book.decide(approve(id));
  await clock.pass(60_000);
  assert.deepEqual(woken, [], "it still runs: it will find the decision itself, or wait");
  setAway(true);
  await append(turn("turn_waiting"));
  await until(() => woken.length === 1);
  setAway(false);
  for (let n = 2; n < 5; n++) {
    await until(() => clock.timers > 0);
    await clock.pass(10_000);
    await until(() => woken.length >= n);
  }
  await append(turn("turn_resumed"), turn("turn_done"));
  const seen = woken.length;
  await clock.pass(600_000);
  assert.equal(woken.length, seen);
  assert.equal(clock.timers, 0, "and no timer is left");
});

test("when its turn is over, an open approval is too", async (t) => {
  const { book, append, view } = await started(t);
  const id = idOf(await book.guard(call()));
  await append(turn("turn_cancelled"));
  await until(() => view.approvals.get(id)?.state === "timed_out");
});

test("above the bound a new one is refused and none is dropped; outside of a turn nothing can wait", async (t) => {
  const { book, view } = await started(t, "memory", { limits: { approvalsOpenMax: 3 } });
  const ids = await Promise.all([1, 2, 3].map(async (n) => idOf(await book.guard(call({ args: { n } })))));
  await assert.rejects(book.guard(call({ args: { n: 4 } })), { code: "mob.overloaded" });
  assert.deepEqual([...view.approvals.keys()].sort(), ids.sort());
  await book.decide(approve(ids[0] as string));
  assert.ok(idOf(await book.guard(call({ args: { n: 4 } }))));
  const { turn_id: _, ...outside } = call();
  assert.match((await book.guard(outside) as { deny: string }).deny, /only a turn can wait/);
});

test("arguments that are too long for an entry are shown whole while it is open", async (t) => {
  const { book, store, view } = await started(t, "sqlite");
  const args = { path: "report.md", text: "ä".repeat(200_000) };
  const id = idOf(await book.guard(call({ args })));
  assert.deepEqual((await book.get(id)).args, args);
  assert.ok(JSON.stringify(view.approvals.get(id)?.args).length < 20_000);
  await book.decide(approve(id));
  assert.equal(await store.get("mob", "approvals", id), undefined);
  assert.equal(await book.guard(call({ args })), "allow");
});
