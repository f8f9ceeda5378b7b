import assert from "node:assert/strict";
import { test } from "node:test";
import {
  credentialActive, credentialWakeAt, NODE_LIMITS, stepCredential, type CredentialEvent, type CredentialState,
} from "@atoll-run/node/internal";
import fc from "fast-check";
import { readLogs } from "./logs.ts";

const limits = NODE_LIMITS.credential;
const HOUR = 3_600_000;

interface Recorded {
  readonly is: string;
  readonly standing: string;
  readonly wake_at_ms: number | null;
  readonly actions: readonly unknown[];
}

for (const log of readLogs<CredentialEvent, Recorded>("credential-")) {
  test(log.title, () => {
    const plan = { random: 0.5, limits };
    let state = credentialActive(log.start, 0, plan);
    for (const { at_ms, event, ...expected } of log.steps) {
      const step = stepCredential(state, event, at_ms, plan);
      state = step.state;
      const wake_at_ms = credentialWakeAt(state, limits) ?? null;
      assert.deepEqual({ is: state.is, standing: state.standing, wake_at_ms, actions: step.actions }, expected,
        `${at_ms}: ${JSON.stringify(event)}`);
    }
  });
}

const anyEvent: fc.Arbitrary<CredentialEvent> = fc.oneof(
  fc.constant({ is: "tick" as const }), fc.constant({ is: "refused" as const }), fc.constant({ is: "warned" as const }),
  fc.constant({ is: "failed" as const }), fc.constant({ is: "denied" as const }), fc.constant({ is: "rejected" as const }),
  fc.record({ is: fc.constant("paused" as const), retry_after_ms: fc.option(fc.integer({ min: -5, max: 10 * HOUR }), { nil: undefined }) }),
);

test("whatever happens: one renewal in flight, hooks in pairs, and always something that goes on or an end", () => {
  fc.assert(fc.property(
    fc.integer({ min: 1_000, max: 2 * HOUR }), fc.boolean(),
    fc.array(fc.record({ wait: fc.double({ min: 0, max: 1.5, noNaN: true }), event: anyEvent, random: fc.double({ min: 0, max: 0.999, noNaN: true }), same: fc.integer({ min: 0, max: 9 }) }), { maxLength: 80 }),
    (life, has_key, script) => {
      let now = 0;
      let inFlight = false;
      let standing = "good";
      let state: CredentialState = credentialActive({ expires_at_ms: life, has_key }, now, { random: 0, limits });
      for (const { wait, event: drawn, random, same } of script) {
        const wake = credentialWakeAt(state, limits);
        // Either to the next wake, a part of the way there, or past it.
        now += Math.max(0, (wake ?? now + 1_000) - now) * wait;
        const renewed = same < 2 && inFlight;
        const event: CredentialEvent = renewed
          ? { is: "renewed", same_id: same === 0, expires_at_ms: now + life, has_key } : drawn;
        const before = state;
        const step = stepCredential(state, event, now, { random, limits });
        state = step.state;
        const renewals = step.actions.filter((action) => action.do === "renew").length;
        const answered = !["tick", "refused", "warned"].includes(event.is);
        if (answered) inFlight = false;
        assert.ok(renewals <= (inFlight ? 0 : 1), "two renewals in flight");
        if (renewals === 1) inFlight = true;
        const next = credentialWakeAt(state, limits) ?? Infinity;
        if (event.is === "tick") assert.ok(next > now, "it would wake for ever");
        const held = state;
        if (held.is === "renewing" || held.is === "suspended") assert.equal(held.ask_at_ms === undefined, inFlight);
        if (held.is === "lost") inFlight = false;
        for (const action of step.actions) {
          if (action.do === "install") assert.ok(event.is === "renewed" && event.same_id);
          if (action.do === "expiring") assert.equal(before.is, "active");
          if (action.do === "standing") {
            assert.notEqual(action.standing, standing);
            standing = action.standing;
          }
        }
        assert.equal(state.standing, standing);
        if (before.is === "lost") assert.equal(state.is, "lost");
        if (state.is === "renewing" || state.is === "suspended") {
          if (now >= state.expires_at_ms) assert.notEqual(state.standing, "good");
          if (now >= state.expires_at_ms + limits.graceMs) assert.equal(state.standing, "expired");
        }
      }
    }), { numRuns: 300 });
});

test("renewal begins at the lead time less up to 30 s, so that a fleet does not renew at once", () => {
  const at = (random: number): number => {
    const state = credentialActive({ expires_at_ms: HOUR, has_key: true }, 0, { random, limits });
    return state.is === "active" ? HOUR - state.renew_at_ms : NaN;
  };
  assert.deepEqual([at(0), at(0.5)], [300_000, 315_000]);
});
