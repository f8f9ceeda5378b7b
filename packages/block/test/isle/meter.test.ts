/**
 * Goal: CPU time is counted exactly, whatever the code of an isle does and whoever else spends it (spec: block 4, "memory,
 * time"). Method: a real VM in this thread, whose CPU clock and account the test moves on itself.
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Alarms } from "../../src/isle/lua/alarms.ts";
import type { Terminate } from "../../src/isle/lua/vm-errors.ts";
import { type HostFunction, LuaVm, type VmHost, type VmLimits } from "../../src/isle/lua/vm.ts";
import { luaModule } from "./bare-state.ts";

const LIMITS: VmLimits = {
  bytesMax: 64 << 20, cpuMsMax: 1_000, wallMsMax: Infinity, sliceMsMax: Infinity, sliceSharedMsMax: 100, giveWayMs: 5,
  syncWaitMsMax: 1_000, softStopMs: 100, taskAbortMsMax: 500, liveTasksMax: 10,
};

/** What a script has, and what it costs: all of its time is wall time as well. */
interface Spent {
  /** Wall and CPU clock of the thread. */
  ms: number;
  /** The account of the run. */
  accountMs: number;
}

/** Runs `source`, which calls `tick`, on a thread that has spent `before`; gives how its isle ended and what was spent then. */
async function run(
  source: string, tick: (spent: Spent) => void, before = 0,
): Promise<Spent & { why: Terminate | undefined }> {
  const spent: Spent = { ms: before, accountMs: 0 };
  const done = Promise.withResolvers<Terminate | undefined>();
  const no = (): boolean => false;
  const nothing = (): void => undefined;
  const host: VmHost = {
    killRequested: no, abortRequested: () => 0, monotonic: () => spent.ms, now: () => 0, cpu: () => spent.ms,
    spent: (ms) => (spent.accountMs += ms), write: nothing, caughtUp: () => 0, pump: no, died: (why) => done.resolve(why),
    later: (work) => void setImmediate(work), soon: (work) => void setImmediate(work), warn: nothing, messageWaits: no,
    beat: nothing, rests: nothing, sized: nothing, polled: nothing,
  };
  const vm = new LuaVm(luaModule(), host, { limits: LIMITS, shared: false });
  const { state } = vm;
  const fn: HostFunction = () => {
    tick(spent);
    return 0;
  };
  vm.enter(() => {
    assert.equal(state.load(state.main, source, "@test.lua"), undefined);
    const task = vm.spawn(state.main, "script");
    state.pushFunction(task.thread, vm.define(fn));
    task.firstArgs = 1;
    task.onEnd.push(() => {
      if (vm.ending === null) done.resolve(undefined);
    });
  });
  const why = await done.promise;
  vm.drop();
  return { ...spent, why };
}

describe("the CPU limit of a run", () => {
  for (const [title, source] of [
    ["nothing but host calls", "local tick = ... while true do tick() end"],
    ["host calls in callbacks of gsub", `local tick = ... while true do ("x"):rep(99):gsub(".", tick) end`],
    ["host calls in a coroutine of its own", "local tick = ... coroutine.wrap(function() while true do tick() end end)()"],
    ["host calls that are caught", "local tick = ... while true do pcall(tick) end"],
  ] as const) {
    test(`is met within 200 calls by a loop of ${title}`, async () => {
      const { why, ms } = await run(source, (spent) => void (spent.ms += 1));
      assert.deepEqual([why?.cause_code, why?.limit], ["timeout", "cpuMsMax"]);
      assert.equal(why?.message, "limit error: CPU time over 1000 ms");
      // the soft time that follows is 80 ms
      assert.ok(ms > 1_000 && ms < 1_500, `over after ${ms} ms`);
    });
  }

  test("is met at the next poll when another isle has spent the rest meanwhile", async () => {
    const { why, ms } = await run("local tick = ... tick() while true do for i = 1, 1e5 do end tick() end", (spent) => {
      // this isle has had next to nothing when the other one's time comes to the account
      if (spent.ms === 0) spent.accountMs += 2_000;
      spent.ms += 1;
    });
    assert.equal(why?.limit, "cpuMsMax");
    assert.ok(ms < 300, `over after ${ms} ms`);
  });

  test("is met when a turn begins, before the script goes on, when others have spent it", async () => {
    let calls = 0;
    const { why, ms } = await run("local tick = ... tick() coroutine.yield() while true do tick() end", (spent) => {
      calls++;
      spent.accountMs += 2_000;
    });
    assert.equal(why?.limit, "cpuMsMax");
    assert.ok(ms < 300 && calls < 202, `over after ${calls} calls`);
  });

  test("has nothing of what the thread spent before the isle began", async () => {
    const { why, accountMs } = await run("local tick = ... tick() coroutine.yield() tick()", (spent) => void (spent.ms += 1), 5_000);
    assert.equal(why, undefined);
    assert.ok(accountMs <= 2, `${accountMs} ms in the account`);
  });

  test("counts what an isle spends while it runs, so that the others see it", async () => {
    const seen: number[] = [];
    await run("local tick = ... for i = 1, 100 do for j = 1, 1e5 do end tick() end", (spent) => {
      seen.push(spent.ms - spent.accountMs);
      spent.ms += 2;
    });
    assert.equal(seen.length, 100);
    assert.ok(Math.max(...seen) <= 10, `${Math.max(...seen)} ms were not in the account`);
  });
});

describe("an alarm in CPU time", () => {
  interface Clock { at: number; cpu: number; idle: boolean; rung: number; readonly alarms: Alarms }
  const clock = (): Clock => {
    const c: Clock = { at: 0, cpu: 0, idle: false, rung: 0, alarms: new Alarms(() => c.at) };
    c.alarms.setCpu(80, { cpuMs: () => c.cpu, lastMs: 200, idle: () => c.idle }, () => c.rung++);
    return c;
  };

  test("rings when so much CPU time went by, not when so much wall time did", () => {
    const c = clock();
    for (const [at, cpu, rung] of [[80, 10, 0], [150, 60, 0], [179, 80, 1], [300, 200, 1]] as const) {
      Object.assign(c, { at, cpu });
      c.alarms.look(at);
      assert.equal(c.rung, rung, `at ${at} ms`);
    }
  });

  test("rings at its last moment however little CPU time went by", () => {
    const c = clock();
    for (const [at, rung] of [[80, 0], [199, 1]] as const) {
      c.at = at;
      c.alarms.look(at);
      assert.equal(c.rung, rung, `at ${at} ms`);
    }
    c.alarms.clear();
  });

  test("rings after as much wall time where nothing runs", () => {
    const c = clock();
    c.idle = true;
    c.at = 80;
    c.alarms.look(80);
    assert.equal(c.rung, 1);
  });
});
