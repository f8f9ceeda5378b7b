/** Goal: a turn ends when its time is over, whatever its code does. Method: the times alone, by a clock that is moved. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { ManualClock } from "@atoll-run/testkit";
import { mobError } from "@atoll-run/mob";
import { TurnTime } from "../../src/member/turn-time.ts";

function timed(o: { deadlineMs: number; leftMs: () => number | undefined }) {
  const clock = new ManualClock();
  const said: string[] = [];
  const time = new TurnTime(clock, {
    remainingMs: () => o.deadlineMs - clock.monotonic(),
    wallLeft: () => {
      const leftMs = o.leftMs();
      return leftMs === undefined ? undefined : { leftMs: leftMs - clock.monotonic(), error: mobError("mob.budget_exhausted", "no more", { retry: "never" }) };
    },
    stop: ({ kind, error }) => said.push(`${clock.monotonic()} ${kind} ${error.code}`), letGo: () => said.push(`${clock.monotonic()} let go`),
  });
  return { clock, said, time };
}

test("the deadline ends it as expired, a budget as failed, whichever comes first; code that goes on is let go of after 5 s", async () => {
  for (const [deadlineMs, wall, expected] of [
    [1_000, 2_000, "1000 turn_expired mob.deadline"], [2_000, 1_000, "1000 turn_failed mob.budget_exhausted"], [1_000, undefined, "1000 turn_expired mob.deadline"],
  ] as const) {
    const { clock, said, time } = timed({ deadlineMs, leftMs: () => wall });
    time.arm();
    time.bound();
    await clock.pass(999);
    assert.deepEqual(said, []);
    await clock.pass(5_000);
    assert.deepEqual(said, [expected]);
    await clock.pass(1);
    assert.deepEqual(said, [expected, "6000 let go"]);
    assert.equal(clock.timers, 0, "the other end is forgotten");
  }
});

test("what is left of a budget is looked at anew when it should be over, and stands still while the turn waits", async () => {
  let wall = 1_000;
  const { clock, said, time } = timed({ deadlineMs: 60_000, leftMs: () => wall });
  time.arm();
  time.bound();
  wall = 1_500;
  await clock.pass(1_200);
  assert.deepEqual(said, []);
  time[Symbol.dispose]();
  await clock.pass(10_000);
  assert.deepEqual([said, clock.timers], [[], 0]);
  wall = 11_500;
  time.arm();
  time.bound();
  await clock.pass(300);
  assert.deepEqual(said, ["11500 turn_failed mob.budget_exhausted"]);
  time[Symbol.dispose]();
  assert.equal(clock.timers, 0);
});
