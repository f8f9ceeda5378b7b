/**
 * Goal: section 9 on a real ledger. Invariants: who has answered is not asked again, whenever the process dies; one target
 * and attempt is one turn; a run that began ends. Method: members whose mailboxes survive; kills at every entry.
 */
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import type { Json } from "@atoll-run/core";
import { defineMob, mobError, type NewEntry, type TreeInput } from "@atoll-run/mob";
import { openRunner, outputOfRun, type FlowRunner } from "@atoll-run/mob/internal";
import { ManualClock, until } from "@atoll-run/testkit";
import { house, spawned, STORES, type House, type HouseOptions, type StoreName } from "../support.ts";
import { TestMembers, type Handler } from "./test-members.ts";

type Steps = NonNullable<TreeInput["flows"]>[string]["steps"];

const AUDIT: Steps = {
  scan: { role: "s", message: "{{ params.root }}", dispatch: "one_to_one" },
  audit: { role: "w", depends_on: ["scan"], dispatch: "share", items: "steps.scan.output", retries: 2 },
  report: { role: "e", depends_on: ["audit"], dispatch: "one_to_one", message: "{{ steps.audit.output }}" },
};

const SUPERVISOR = { role: "s", threshold: 2 } as const;

function flowsOf(steps: Steps) {
  return defineMob({
    mob: { id: "m", members: [{ id: "s", profile: "s" }, { id: "w", profile: "w", count: 3 }, { id: "e", profile: "e" }] },
    profiles: { s: { linked: "x" }, w: { linked: "x" }, e: { linked: "x" } }, flows: { f: { steps } }, supervisor: SUPERVISOR,
  }).flows;
}

const running = new AbortController().signal;
const PEOPLE = [spawned("s", { profile: "s" }), spawned("e", { profile: "e" }), ...[1, 2, 3].map((n) => spawned(`w-${n}`, { profile: "w" }))];

function runnerOf(base: House, steps: Steps, members: TestMembers): { runner: FlowRunner; kill: () => void } {
  const { ledger, blobs, writer, roster: { view }, clock, newId, log, limits } = base;
  const host = members.host(base);
  return { runner: openRunner({ ledger, blobs, writer, view, host, clock, newId, log, limits, flows: () => flowsOf(steps) }), kill: () => host.kill() };
}

async function started(t: TestContext, steps: Steps, handler: Handler, o: HouseOptions & { store?: StoreName } = {}) {
  const base = await house(t, o.store ?? "memory", o);
  await base.append(...PEOPLE);
  const members = new TestMembers(handler);
  const { runner, kill } = runnerOf(base, steps, members);
  t.after(() => runner[Symbol.asyncDispose]());
  return { ...base, members, runner, kill, view: base.roster.view };
}

const audit: Handler = ({ to, content }) =>
  to === "s" ? [1, 2, 3, 4, 5, 6, 7].map((n) => `${String(content)}${n}`) : to === "e" ? { report: content } : `${String(content)}!`;
const REPORT = { report: [1, 2, 3, 4, 5, 6, 7].map((n) => `x${n}!`) };

for (const store of STORES) {
  test(`on ${store}: scan, share and report, and the output of the last step is that of the run`, async (t) => {
    const { runner, members, ledger } = await started(t, AUDIT, audit, { store });
    const { run_id, state } = await runner.run({ flow: "f", params: { root: "x" }, principal: "local" });
    assert.equal(state, "running");
    const run = await runner.wait(run_id, running);
    assert.deepEqual([run.state, outputOfRun(run)], ["completed", REPORT]);
    assert.equal(new Set(members.asked).size, 9);
    assert.equal(members.asked.length, 9);
    const { entries } = await ledger.query({ run_id, after: 0, limit: 1_000 });
    assert.deepEqual(entries.filter(({ kind }) => kind.startsWith("flow_") || kind === "step_completed").map(({ kind }) => kind),
      ["flow_started", "step_completed", "step_completed", "step_completed", "flow_completed"]);
  });

  test(`on ${store}: killed after any entry and started again, nobody who has answered is asked again and the end is the same`, async (t) => {
    for (let dies = 1; dies <= (store === "memory" ? 40 : 12); dies += store === "memory" ? 1 : 3) {
      const first = await started(t, AUDIT, audit, { store });
      const begun = first.ledger.head;
      let heard = 0;
      const dying = Promise.withResolvers<void>();
      first.ledger.hear(() => {
        if (++heard !== dies) return;
        first.kill();
        dying.resolve();
      });
      const { run_id } = await first.runner.run({ flow: "f", params: { root: "x" }, principal: "local" });
      await Promise.race([dying.promise, first.runner.wait(run_id, running)]);
      const second = await first.again();
      const done = new Set(targetsDone(second, run_id));
      const asked = first.members.asked.length;
      const { runner } = runnerOf(second, AUDIT, first.members);
      const run = await runner.wait(run_id, running);
      assert.deepEqual(outputOfRun(run), REPORT, `killed after ${dies} entries above ${begun}`);
      assert.equal(new Set(first.members.asked).size, first.members.asked.length, "no turn is there twice");
      for (const key of first.members.asked.slice(asked)) assert.ok(!done.has(key), `${key} had answered`);
      assert.equal(first.members.asked.length, 9);
      await runner[Symbol.asyncDispose]();
    }
  });
}

function targetsDone({ roster: { view } }: House, runId: string): readonly string[] {
  return Object.entries(view.runs.get(runId)?.steps ?? {}).flatMap(([step, { targets }]) => Object.values(targets)
    .filter(({ state }) => state === "done").map(({ name, attempt }) => `${runId}/${step}/${name}/${attempt}`));
}

test("used retries stay used over a kill; with all of them used a failed item is an error in the list", async (t) => {
  const calls = new Map<string, number>();
  const handler: Handler = (ask, attempt) => {
    if (ask.to === "s") return ["a", "bad", "c"];
    if (ask.to === "e") return ask.content;
    calls.set(String(ask.content), (calls.get(String(ask.content)) ?? 0) + 1);
    if (ask.content === "bad") throw new Error(`attempt ${attempt} failed`);
    return ask.content;
  };
  const first = await started(t, AUDIT, handler);
  const failed = Promise.withResolvers<void>();
  first.ledger.hear(({ kind, data }) => {
    if (kind === "step_target_failed" && data["attempt"] === 1) { first.kill(); failed.resolve(); }
  });
  const { run_id } = await first.runner.run({ flow: "f", params: { root: "x" }, principal: "local" });
  await failed.promise;
  const { runner } = runnerOf(await first.again(), AUDIT, first.members);
  t.after(() => runner[Symbol.asyncDispose]());
  const run = await runner.wait(run_id, running);
  assert.deepEqual(outputOfRun(run), ["a", { error: { code: "mob.tool_failed", text: "attempt 3 failed" } }, "c"]);
  assert.equal(calls.get("bad"), 3);
});

test("trouble that passes is no attempt: an overloaded member and a store that is away are waited for", async (t) => {
  const { runner, members } = await started(t, AUDIT, audit);
  members.refuse.push(mobError("mob.overloaded", "full"), mobError("mob.storage_degraded", "away"));
  const { run_id } = await runner.run({ flow: "f", params: { root: "x" }, principal: "local" });
  assert.equal((await runner.wait(run_id, running)).state, "completed");
  assert.ok(members.asked.every((key) => key.endsWith("/1")));
});

test("a satisfied collect cancels the tickets that are left", async (t) => {
  const steps: Steps = { ask: { role: "w", message: "q", collect: "any" } };
  const { runner, members } = await started(t, steps, ({ to }) => (to === "w-2" ? "first" : new Promise<Json>(() => undefined)));
  const { run_id } = await runner.run({ flow: "f", principal: "local" });
  const run = await runner.wait(run_id, running);
  assert.deepEqual([run.state, outputOfRun(run)], ["completed", "first"]);
  await until(() => members.cancelled.length === 2);
});

test("what does not answer in the time of its step fails it, and the run with it; the turn is cancelled", async (t) => {
  const clock = new ManualClock();
  const steps: Steps = { ask: { role: "e", message: "q", timeout: "10s" }, later: { role: "s", depends_on: ["ask"], message: "q" } };
  const { runner, members } = await started(t, steps, () => new Promise<Json>(() => undefined), { clock });
  const { run_id } = await runner.run({ flow: "f", principal: "local" });
  await until(() => members.running === 1);
  await clock.pass(9_999);
  assert.equal(runner.get(run_id).state, "running");
  await clock.pass(1);
  const run = await runner.wait(run_id, running);
  assert.deepEqual([run.state, run.error?.code, run.steps["ask"]?.state], ["failed", "mob.deadline", "failed"]);
  await until(() => members.cancelled.length === 1);
  await until(() => clock.timers === 0);
});

/** The one turn of that run that is open. */
async function openTurn({ roster: { view } }: House, run_id: string): Promise<NewEntry> {
  const { turn_id, member } = await until(() => [...view.turns.values()].find((turn) => turn.run_id === run_id && turn.state === "queued"));
  return { kind: "turn_started", source: "member", member, turn_id, run_id, step_id: "ask", data: { attempt: 1 } };
}

test("time in which a turn waits for an approval counts neither for its step nor for its run, over a kill too", async (t) => {
  const clock = new ManualClock();
  const steps: Steps = { ask: { role: "w", message: "q", timeout: "10s", collect: { quorum: 1 } } };
  const limits = { runMs: 12_000 };
  const first = await started(t, steps, () => new Promise<Json>(() => undefined), { clock, limits });
  const { run_id } = await first.runner.run({ flow: "f", principal: "local" });
  const turn = await openTurn(first, run_id);
  const waits: NewEntry = { ...turn, kind: "turn_waiting", data: { until: "approval:a_1", left_ms: 6_000 } };
  await clock.pass(4_000);
  await first.append(turn, waits);
  await clock.pass(60_000);
  assert.deepEqual([first.runner.get(run_id).state, first.runner.get(run_id).waits?.turns], ["running", [turn.turn_id]]);
  first.kill();
  await first.runner[Symbol.asyncDispose]();
  const second = await first.again();
  const { runner } = runnerOf(second, steps, first.members);
  t.after(() => runner[Symbol.asyncDispose]());
  await clock.pass(60_000);
  assert.equal(runner.get(run_id).state, "running");
  await second.append({ ...turn, kind: "turn_resumed", data: { attempt: 1 } });
  assert.deepEqual([runner.get(run_id).steps["ask"]?.waits?.waited_ms, runner.get(run_id).waits?.waited_ms], [120_000, 120_000]);
  await clock.pass(3_000);
  // Another wait of the same turn, and one of another turn into which it reaches.
  const other = { ...await openTurn(second, run_id), kind: "turn_waiting", data: {} } as const;
  await second.append(waits);
  await clock.pass(1_000);
  await second.append(other);
  await clock.pass(1_000);
  await second.append({ ...turn, kind: "turn_resumed", data: { attempt: 1 } });
  await clock.pass(1_000);
  await second.append({ ...other, kind: "turn_resumed", data: { attempt: 1 } });
  assert.equal(runner.get(run_id).waits?.waited_ms, 123_000);
  await clock.pass(2_999);
  assert.equal(runner.get(run_id).state, "running");
  await clock.pass(1);
  const run = await runner.wait(run_id, running);
  assert.deepEqual([run.state, run.error?.code, run.error?.text], ["failed", "mob.deadline", "step ask failed: it took longer than 10000 ms"]);
});

test("an output that is not what the step expects is tried again, then fails", async (t) => {
  const steps: Steps = { ask: { role: "e", dispatch: "fan_out", message: "q", expect: { type: "object", required: ["n"], properties: { n: { type: "number" } } } } };
  const answers = [{ n: "x" }, { n: 1 }, '{"n": "x"}', '{"n": 2}'];
  const { runner } = await started(t, steps, () => answers.shift() ?? { m: 1 });
  for (const n of [1, 2]) {
    const good = await runner.wait((await runner.run({ flow: "f", principal: "local" })).run_id, running);
    assert.deepEqual([good.state, good.steps["ask"]?.targets["e"]?.attempt, outputOfRun(good)], ["completed", 2, { e: { n } }]);
  }
  const bad = await runner.wait((await runner.run({ flow: "f", principal: "local" })).run_id, running);
  assert.deepEqual([bad.state, bad.error?.code], ["failed", "mob.output_invalid"]);
});

test("cancel cancels the tickets and ends the run; resume goes on at what is missing and asks nobody else", async (t) => {
  let slow = true;
  const { runner, members } = await started(t, AUDIT, (ask, attempt) => (ask.to === "e" && slow ? new Promise<Json>(() => undefined) : audit(ask, attempt)));
  const { run_id } = await runner.run({ flow: "f", params: { root: "x" }, principal: "local" });
  await until(() => runner.get(run_id).steps["report"]?.state === "running" && members.running === 1);
  assert.equal((await runner.cancel(run_id, { principal: "local", signal: running })).state, "canceled");
  assert.equal(members.cancelled.length, 1);
  await assert.rejects(runner.cancel(run_id, { principal: "local", signal: running }), { code: "mob.conflict" });
  slow = false;
  await runner.resume(run_id, { principal: "local" });
  const run = await runner.wait(run_id, running);
  assert.deepEqual([run.state, run.round, outputOfRun(run)], ["completed", 1, REPORT]);
  assert.equal(members.asked.length, 10);
  await assert.rejects(runner.resume(run_id, { principal: "local" }), { code: "mob.conflict" });
});

test("one key is one run; other params are a conflict; above the bound a run is refused; a flow that is not there is not found", async (t) => {
  const steps: Steps = { ask: { role: "e", message: "q" } };
  const { runner, members } = await started(t, steps, () => new Promise<Json>(() => undefined), { limits: { runsMax: 2 } });
  const ask = { flow: "f", params: { a: 1 }, principal: "local", key: "k" };
  const [one, two] = await Promise.all([runner.run(ask), runner.run(ask)]);
  assert.equal(one.run_id, two.run_id);
  await assert.rejects(runner.run({ ...ask, params: { a: 2 } }), { code: "mob.conflict" });
  await runner.run({ ...ask, key: "other" });
  await assert.rejects(runner.run({ ...ask, key: "third" }), { code: "mob.overloaded" });
  await assert.rejects(runner.run({ ...ask, flow: "g" }), { code: "mob.not_found" });
  assert.throws(() => runner.get("r_none"), { code: "mob.not_found" });
  await until(() => members.running === 2);
});

test("stopped and started again a run goes on; a mob that was replaced writes nothing more", async (t) => {
  let open = false;
  const first = await started(t, AUDIT, async (ask, attempt) => {
    if (ask.to === "e") await until(() => open);
    return audit(ask, attempt);
  });
  const { run_id } = await first.runner.run({ flow: "f", params: { root: "x" }, principal: "local" });
  await until(() => first.view.runs.get(run_id)?.steps["report"]?.state === "running");
  await first.runner[Symbol.asyncDispose]();
  await assert.rejects(first.runner.run({ flow: "f", principal: "local" }), { code: "mob.shutting_down" });
  const { runner, kill } = runnerOf(await first.again(), AUDIT, first.members);
  const third = await first.again();
  const { runner: last } = runnerOf(third, AUDIT, first.members);
  t.after(() => last[Symbol.asyncDispose]());
  open = true;
  assert.deepEqual(outputOfRun(await last.wait(run_id, running)), REPORT);
  kill();
  void runner;
  const { entries } = await third.ledger.query({ run_id, after: 0, kinds: ["flow_completed", "step_completed"], limit: 1_000 });
  assert.equal(entries.length, 4, "each move is there once");
});

test("a step that would ask more members than its bound fails and says so", async (t) => {
  const steps: Steps = { ask: { role: "w", message: "q" } };
  const { runner, append } = await started(t, steps, () => "x");
  await append(...Array.from({ length: 500 }, (_, n) => spawned(`more-${n}`, { profile: "w" })).slice(0, 400));
  await append(...Array.from({ length: 100 }, (_, n) => spawned(`more-${n + 400}`, { profile: "w" })));
  const run = await runner.wait((await runner.run({ flow: "f", principal: "local" })).run_id, running);
  assert.deepEqual([run.state, run.error?.code], ["failed", "mob.too_large"]);
});

test("what a member was asked that then breaks has failed, and goes to another; who has answered before is not asked again", async (t) => {
  const stuck = Promise.withResolvers<Json>();
  const { runner, members, append } = await started(t, AUDIT, (ask, attempt) =>
    ask.to === "w-2" && ask.content === "x2" ? stuck.promise : audit(ask, attempt));
  const { run_id } = await runner.run({ flow: "f", params: { root: "x" }, principal: "local" });
  await until(() => Object.values(runner.get(run_id).steps["audit"]?.targets ?? {}).filter(({ state }) => state === "done").length === 6);
  await append({ kind: "member_broken", source: "mob", member: "w-2", data: { kind: "start_failed", detail: "no", state: "broken", from: "starting", generation: 1 } });
  const run = await runner.wait(run_id, running);
  assert.deepEqual([run.state, outputOfRun(run)], ["completed", REPORT]);
  assert.deepEqual([members.cancelled.length, members.asked.length], [1, 10]);
  stuck.resolve({ late: true });
});

test("a supervisor gets a turn, once, of the run that fails: what failed, and why", async (t) => {
  const told: Json[] = [];
  const steps: Steps = { work: { role: "e", retries: 1, message: "do" } };
  const { runner, ledger } = await started(t, steps, ({ to, content }) => {
    if (to === "s") told.push(content);
    else throw new Error("no");
    return "seen";
  });
  const { run_id } = await runner.run({ flow: "f", principal: "local" });
  const run = await runner.wait(run_id, running);
  await until(() => told.length > 0);
  assert.deepEqual([run.state, run.escalated, told], ["failed", "work", [{ run_id, flow: "f", step: "work", error: { code: "mob.tool_failed", text: "no" } }]]);
  const { entries } = await ledger.query({ run_id, kinds: ["supervisor_escalation"], after: 0 });
  assert.deepEqual(entries.map(({ data }) => [data["role"], data["failures"]]), [["s", 2]]);
});

test("turns that are not needed any more are cancelled, unless they may finish", async (t) => {
  for (const let_finish of [false, true]) {
    const slow = Promise.withResolvers<Json>();
    const { runner, members } = await started(t, { vote: { role: "w", collect: "any", let_finish } }, ({ to }) => (to === "w-2" ? to : slow.promise));
    const { run_id } = await runner.run({ flow: "f", principal: "local" });
    const run = await runner.wait(run_id, running);
    assert.deepEqual([run.state, outputOfRun(run)], ["completed", "w-2"]);
    if (!let_finish) await until(() => members.cancelled.length === 2);
    slow.resolve(0);
    await until(() => members.running === 0);
    assert.equal(members.cancelled.length, let_finish ? 0 : 2);
  }
});
