/** Goal: a turn has the time that it was given, whatever is done to the wall clock meanwhile (spec: mob 12, clock step). */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { DispatchContext } from "@atoll-run/core";
import { ManualClock } from "@atoll-run/testkit";
import { TurnContext } from "../../src/member/turn-context.ts";

const DAY_MS = 86_400_000;

/** Its wall clock can be set. */
class SetClock extends ManualClock {
  stepMs = 0;

  override now(): number {
    return super.now() + this.stepMs;
  }
}

test("a clock that is set while a turn runs, or waits for a decision, neither ends the turn nor gives it more time", () => {
  const clock = new SetClock();
  const outer = { signal: new AbortController().signal, deadlineAtMs: Infinity, remainingMs: () => Infinity } as unknown as DispatchContext;
  const context = new TurnContext(outer, { clock, refused: () => undefined });
  context.deadlineAtMs = clock.now() + 60_000;
  clock.advance(10_000);
  for (const stepMs of [DAY_MS, -DAY_MS]) {
    clock.stepMs = stepMs;
    assert.equal(context.remainingMs(), 50_000);
  }
  assert.equal(context.hold(), 50_000);
  clock.stepMs = 0;
  clock.advance(30_000);
  assert.equal(context.remainingMs(), 50_000, "it stands still");
  context.goOn(clock.now() + 50_000);
  clock.stepMs = DAY_MS;
  clock.advance(20_000);
  assert.equal(context.remainingMs(), 30_000);
});
