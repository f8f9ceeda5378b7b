import assert from "node:assert/strict";
import { test } from "node:test";
import { heartbeatInterval, heartbeatTimeout, toHeartbeat } from "@atoll-run/node/internal";

const load = { queued: 0, running: 0, hard_max: 100, idle_shares: [1], draining: false };

const LEVELS: readonly (readonly [idle: number, queued: number, expected: string])[] = [
  [1, 0, "full"], [0.81, 49, "full"], [0.8, 0, "degraded"], [1, 50, "degraded"], [0.51, 79, "degraded"],
  [0.5, 0, "overloaded"], [1, 80, "overloaded"], [0.21, 94, "overloaded"], [0.2, 0, "unavailable"], [1, 95, "unavailable"],
];
for (const [idle, queued, expected] of LEVELS) {
  test(`an idle share of ${idle} with ${queued} of 100 rows is ${expected}`, () => {
    assert.equal(toHeartbeat({ ...load, idle_shares: [1, idle], queued }).availability, expected);
  });
}

test("what cannot be measured is left out; with nothing measured the mailbox alone counts", () => {
  assert.equal(toHeartbeat({ ...load, idle_shares: [NaN, 0.9] }).power_reserve, 1 + 4 * 0.9);
  assert.equal(toHeartbeat({ ...load, idle_shares: [], queued: 10, running: 15 }).power_reserve, 4);
  assert.equal(toHeartbeat({ ...load, idle_shares: [NaN] }).power_reserve, 5);
});

test("a draining node is unavailable whatever its load", () => {
  assert.equal(toHeartbeat({ ...load, draining: true }).availability, "unavailable");
});

test("the interval is the realm's: registered, then suggested in 5 to 300 s, and 30 s without one", () => {
  assert.deepEqual([
    heartbeatInterval(0, undefined), heartbeatInterval(20, undefined), heartbeatInterval(20, 2), heartbeatInterval(20, 9_000),
    heartbeatInterval(0, 28), heartbeatInterval(20, 0),
  ], [30_000, 20_000, 5_000, 300_000, 28_000, 20_000]);
  assert.deepEqual([heartbeatTimeout(30_000), heartbeatTimeout(1_000)], [12_000, 1_000]);
});
