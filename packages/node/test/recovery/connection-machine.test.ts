// Goal: nobody waits for a connection for ever. Invariant: whoever waits is released or failed, whoever was sent is
// answered, failed or still on a live connection. Method: recorded logs, and a fuzzer that owns waiters and calls.
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  CONNECTION_IDLE, connectionWakeAt, NODE_LIMITS, stepConnection, type ConnectionEvent, type ConnectionState,
} from "@atoll-run/node/internal";
import fc from "fast-check";
import { readLogs } from "./logs.ts";

const limits = NODE_LIMITS.recovery;

interface Recorded {
  readonly is: string;
  readonly session: number;
  readonly wake_at_ms: number | null;
  readonly actions: readonly unknown[];
}

for (const log of readLogs<ConnectionEvent, Recorded>("connection-")) {
  test(log.title, () => {
    let state: ConnectionState = CONNECTION_IDLE;
    for (const { at_ms, event, ...expected } of log.steps) {
      const step = stepConnection(state, event, at_ms, { random: 0.5, limits });
      state = step.state;
      const wake_at_ms = connectionWakeAt(state, limits) ?? null;
      assert.deepEqual({ is: state.is, session: state.session, wake_at_ms, actions: step.actions }, expected,
        `${at_ms}: ${JSON.stringify(event)}`);
    }
  });
}

type Draw = { readonly kind: number; readonly back: number; readonly wait: number; readonly random: number };

/** Mostly of the present session, sometimes of an older or unknown one. */
function toEvent({ kind, back }: Draw, session: number): ConnectionEvent {
  const named = { session: back < 8 ? session : session - back + 8 };
  const events: readonly ConnectionEvent[] = [
    { is: "tick" }, { is: "wanted" }, { is: "offered" }, { is: "offline" }, { is: "online" }, { is: "close" }, { is: "cleanup" },
    { is: "verified", ...named }, { is: "verified", ...named }, { is: "failed", ...named, why: "broken" },
    { is: "failed", ...named, why: "identity" }, { is: "wire_down", ...named }, { is: "wire_up", ...named },
    { is: "lost", ...named, why: "channel_closed" }, { is: "crossed", ...named, ours_counts: back % 2 === 0 },
  ];
  return events[kind % events.length] ?? { is: "tick" };
}

const draws = fc.array(fc.record({
  kind: fc.nat(14), back: fc.nat(10), wait: fc.double({ min: 0, max: 1.2, noNaN: true }),
  random: fc.double({ min: 0, max: 0.999, noNaN: true }),
}), { maxLength: 120 });

test("each path ends all that wait and all that were sent, and no state is stuck", () => {
  fc.assert(fc.property(draws, (script) => {
    const world = { state: CONNECTION_IDLE, now: 0, waiting: false, sent: false, lastOffer: -Infinity, tries: 0 };
    const step = (event: ConnectionEvent, random: number): void => {
      const { state: next, actions } = stepConnection(world.state, event, world.now, { random, limits });
      if (event.is === "wanted" && world.state.is !== "connected") world.waiting = true;
      if (event.is === "wanted" && world.state.is === "connected") world.sent = true;
      for (const action of actions) {
        if (action.do === "release") [world.waiting, world.sent] = [false, world.sent || world.waiting];
        if (action.do === "fail" && action.which === "waiting") world.waiting = false;
        if (action.do === "fail" && action.which === "pending") world.sent = false;
        if (action.do !== "try") continue;
        assert.ok(action.session > world.state.session, "a try without a session of its own");
        assert.ok(action.within_ms > 0);
        if (world.state.is === "recovering" && event.is === "tick") {
          assert.ok(world.now - world.lastOffer >= limits.offerMsMin - 0.001, "offers less than 2 s apart");
        }
        world.lastOffer = world.now;
      }
      assert.ok(next.session >= world.state.session);
      world.state = next;
      if (next.is === "idle") assert.ok(!world.waiting && !world.sent, "somebody waits for an idle connection");
      if (next.is === "connected") assert.ok(!world.waiting, "somebody waits for an open connection");
      const wake = connectionWakeAt(next, limits);
      const trying = next.is === "connecting" || next.is === "recovering";
      assert.equal(trying ? wake !== undefined : true, true, "a try without an end");
    };
    for (const draw of script) {
      const wake = connectionWakeAt(world.state, limits);
      world.now += wake === undefined ? draw.wait * 1_000 : Math.max(0, wake - world.now) * draw.wait;
      step(toEvent(draw, world.state.session), draw.random);
    }
    // Left alone, it comes to rest.
    const began = world.now;
    for (let i = 0; connectionWakeAt(world.state, limits) !== undefined; i++) {
      assert.ok(i < 60, "it never rests");
      world.now = Math.max(world.now, connectionWakeAt(world.state, limits) ?? 0);
      step({ is: "tick" }, 0.5);
    }
    assert.ok(world.now - began <= limits.recoverMsMax + limits.downMs);
    assert.ok(world.state.is === "idle" || world.state.is === "connected");
  }), { numRuns: 500 });
});
