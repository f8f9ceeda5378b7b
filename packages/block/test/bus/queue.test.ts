/** The queue of the bus by itself, under any order of puts, takes and give-ups (spec: block 5.2, block 10). */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { EventQueue } from "../../src/bus/queue.ts";
import { clock } from "../ops.ts";

const LIMITS = { busEventsMax: 4, busBytesMax: 40, emitMsMax: 60_000 };

const step = fc.oneof(
  fc.record({ put: fc.integer({ min: 1, max: 45 }), gives: fc.constant(false) }),
  fc.record({ put: fc.integer({ min: 1, max: 12 }), gives: fc.boolean() }),
  fc.constant("take" as const), fc.constant("turn" as const),
);

test("events leave in the order in which they came, and what is held is never over the limits", async () => {
  await fc.assert(fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
    const held: number[] = [];
    const edges: (string | undefined)[] = [];
    const taken: number[] = [];
    const queue = new EventQueue({
      clock, came: () => undefined, isRead: () => true, full: (by) => void edges.push(by),
      received: ({ payload }) => {
        held.push(payload.length);
        assert.ok(held.length <= LIMITS.busEventsMax && held.reduce((a, b) => a + b) <= LIMITS.busBytesMax, String(held));
      },
    }, LIMITS);
    const take = (): boolean => {
      // it goes before those that wait for its room come
      const [bytes] = held.splice(0, 1);
      const queued = queue.take();
      assert.equal(queued?.event.payload.length, bytes);
      if (queued !== undefined) taken.push(queued.event.seq);
      return queued !== undefined;
    };
    const ends: Promise<"in" | "given up" | "too large">[] = [];
    for (const [seq, one] of steps.entries()) {
      if (one === "take") take();
      else if (one === "turn") await new Promise((resolve) => setImmediate(resolve));
      else {
        const signal = one.gives ? AbortSignal.timeout(0) : undefined;
        const event = { seq, kind: "k", id: "", payload: "x".repeat(one.put), meta: "" };
        const put = queue.put({ event, settle: () => undefined, fail: () => undefined }, { what: "emit", ...(signal === undefined ? {} : { signal }) });
        ends.push(put.then(() => "in", (error: { code: string }) => (error.code === "run.cancelled" ? "given up" : "too large")));
      }
    }
    const outcome: ("in" | "given up" | "too large")[] = [];
    for (const end of ends) void end.then((how) => outcome.push(how));
    while (outcome.length < ends.length || queue.depth > 0) {
      while (take());
      await new Promise((resolve) => setImmediate(resolve));
    }
    assert.deepEqual(taken, taken.toSorted((a, b) => a - b));
    assert.equal(taken.length, outcome.filter((end) => end === "in").length);
    for (const [i, edge] of edges.entries()) assert.equal(edge === undefined, i % 2 === 1, "edges take turns");
    assert.equal(queue.depth, 0);
  }), { numRuns: 60 });
});
