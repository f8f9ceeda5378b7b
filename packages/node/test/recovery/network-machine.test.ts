import assert from "node:assert/strict";
import { test } from "node:test";
import {
  NETWORK_QUIET, NODE_LIMITS, stepNetwork, type NetworkEvent, type NetworkState,
} from "@atoll-run/node/internal";
import fc from "fast-check";
import { readLogs } from "./logs.ts";

const limits = NODE_LIMITS.recovery;

interface Recorded {
  readonly barrier: boolean;
  readonly action: string | null;
  readonly until_ms: number | null;
}

for (const log of readLogs<NetworkEvent | { readonly is: "tick" }, Recorded>("network-")) {
  test(log.title, () => {
    let state: NetworkState = NETWORK_QUIET;
    for (const { at_ms, event, ...expected } of log.steps) {
      const step = stepNetwork(state, event, at_ms, limits);
      state = step.state;
      const found = { barrier: step.barrier, action: step.action ?? null, until_ms: state.until_ms ?? null };
      assert.deepEqual(found, expected, `${at_ms}: ${JSON.stringify(event)}`);
    }
  });
}

const anyEvent: fc.Arbitrary<NetworkEvent> = fc.oneof(
  fc.record({ is: fc.constant("cleanup" as const), why: fc.constantFrom("app_terminating" as const, "stale" as const) }),
  fc.record({ is: fc.constant("path" as const), sequence: fc.integer({ min: 0, max: 9 }), status: fc.constantFrom("available" as const, "unavailable" as const, "unknown" as const) }),
  fc.record({ is: fc.constant("force_reconnect" as const), why: fc.constantFrom("path" as const, "manual" as const) }),
  fc.record({ is: fc.constant("foreground" as const), after_ms: fc.integer({ min: 0, max: 60_000 }) }),
  fc.constant({ is: "background" as const }),
);

test("a window ends 400 ms after its first event whatever follows, and folds to the strongest of the rules", () => {
  fc.assert(fc.property(fc.array(fc.tuple(fc.integer({ min: 0, max: 20 }), anyEvent), { minLength: 1, maxLength: 20 }), (script) => {
    let state: NetworkState = NETWORK_QUIET;
    let now = 5;
    let barriers = 0;
    for (const [wait, event] of script) {
      const step = stepNetwork(state, event, now, limits);
      assert.equal(step.action, undefined);
      assert.equal(step.state.until_ms, 5 + limits.settleMs);
      if (step.barrier) barriers++;
      state = step.state;
      now += wait;
    }
    const { action, state: after } = stepNetwork(state, { is: "tick" }, 5 + limits.settleMs, limits);
    assert.equal(action, byTheTable(script.map(([, event]) => event)));
    assert.ok(barriers <= 1);
    assert.equal(after.until_ms, undefined);
    assert.equal(stepNetwork(after, { is: "tick" }, 5_000, limits).action, undefined);
  }), { numRuns: 300 });
});

/** The table of 5.9, read from top to bottom. */
function byTheTable(events: readonly NetworkEvent[]): string {
  let newest: (NetworkEvent & { readonly is: "path" }) | undefined;
  for (const event of events) {
    if (event.is === "path" && (newest === undefined || event.sequence > newest.sequence)) newest = event;
  }
  const away = events.filter((event) => event.is === "foreground").map(({ after_ms = 0 }) => after_ms);
  if (events.some(({ is }) => is === "cleanup")) return "cleanup_only";
  if (newest?.status === "unavailable") return "offline";
  if (events.some(({ is }) => is === "force_reconnect") || away.some((ms) => ms >= 30_000)) return "force_reconnect";
  if (newest?.status === "available") return "restore";
  if (newest?.status === "unknown" || away.length > 0) return "probe";
  return "noop";
}
