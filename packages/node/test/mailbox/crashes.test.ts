/**
 * Goal: what was accepted is handled, or is a dead letter, once, in order, whatever the handlers do and whenever the
 * process dies. Invariant: each effect is there once; nothing is left. Method: random arrivals, outcomes, waits and
 * crashes on one store; a crash is an inbox that is left alone, whose late writes the store must refuse.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { nodeError, type Batch, type Commit, type Outcome, type StateStore } from "@atoll-run/core";
import { ManualClock, memoryState } from "@atoll-run/testkit";
import { done, openInbox, peer, SCOPE, shut, type Handler, type Made } from "../dispatch/support.ts";

/** How the runs of a message end, the first first; then they are done. */
const OUTCOMES = ["done", "retry", "again", "reject", "hang", "slow", "moved"] as const;
type Planned = (typeof OUTCOMES)[number];

interface Step {
  readonly what: "tell" | "call" | "double" | "pass" | "crash";
  readonly sender: number;
  readonly plan: readonly Planned[];
  readonly ms: number;
}

const STEP: fc.Arbitrary<Step> = fc.record({
  what: fc.constantFrom("tell", "tell", "call", "double", "pass", "crash"), sender: fc.nat(2),
  plan: fc.array(fc.constantFrom(...OUTCOMES), { maxLength: 3 }), ms: fc.nat(3_000),
});

const LONG_MS = 40 * 60_000;

class World {
  readonly clock = new ManualClock();
  readonly inner = memoryState();
  /** Effects in the order of their commits. */
  readonly effects: string[] = [];
  readonly accepted = new Set<string>();
  readonly plans = new Map<string, readonly Planned[]>();
  readonly runs = new Map<string, number>();
  made: Made | undefined;
  #hanging: (() => void)[] = [];

  readonly store: StateStore = {
    ...this.inner, commit: async (batch: Batch): Promise<Commit> => {
      // Later than the call, so that a crash falls between the two.
      await new Promise((resolve) => setImmediate(resolve));
      const commit = await this.inner.commit(batch);
      if (commit.ok) for (const op of batch.ops) if (op.op === "put" && op.space === "kv:effects") this.effects.push(op.key);
      return commit;
    },
  };

  readonly handle: Handler = async ({ id }, context): Promise<Outcome> => {
    const run = this.runs.get(id) ?? 0;
    this.runs.set(id, run + 1);
    context.record([{ write: "set", space: "effects", key: id, value: "1" }]);
    switch (this.plans.get(id)?.[run] ?? "done") {
      case "retry": return { is: "failed", fault: nodeError("node.unavailable", "once more") };
      case "again": return { is: "again", after_ms: 50 };
      case "reject": return { is: "rejected", code: "no", body: new Uint8Array(0), keeps_writes: true };
      case "hang": return await new Promise((resolve) => this.#hanging.push(() => resolve(done())));
      case "moved": {
        context.record([{ write: "check", space: "other", key: id, version: 77 }]);
        return done();
      }
      case "slow": {
        await new Promise((resolve) => setImmediate(resolve));
        return done();
      }
      case "done": return done();
    }
  };

  async open(): Promise<void> {
    this.made = await openInbox({ note: { run: this.handle, policy: { handlerLimitMs: 1_000, attempts: 5 } } }, {
      store: this.store, clock: this.clock,
    });
  }

  async crash(): Promise<void> {
    // What its handlers still do must be of no effect.
    const late = this.#hanging.splice(0);
    await this.open();
    for (const go of late) go();
  }

  send(kind: "call" | "tell", id: string, sender: number): void {
    void this.made?.[kind](id, { from: peer(sender), timeoutMs: LONG_MS }).then((verdict) => {
      if (verdict.is !== "refused") this.accepted.add(id);
    });
  }

  async finish(): Promise<void> {
    await this.crash();
    // Time does not wait for the store here: it passes in steps, with turns between them.
    for (let i = 0; i < 500 && (this.made?.inbox.depth ?? 0) > 0; i++) {
      await this.clock.pass(i < 100 ? 0 : LONG_MS / 100);
      for (const go of this.#hanging.splice(0)) go();
    }
    // Timers of those that crashed are left.
    if (this.made !== undefined) await shut(this.made);
  }
}

test("each accepted message has its effect once or is a dead letter, in the order of its sender, through all crashes", async () => {
  await fc.assert(fc.asyncProperty(fc.array(STEP, { minLength: 5, maxLength: 40 }), async (steps) => {
    const world = new World();
    await world.open();
    let next = 0;
    let last: { id: string; sender: number; kind: "call" | "tell" } | undefined;
    for (const { what, sender, plan, ms } of steps) {
      if (what === "tell" || what === "call") {
        last = { id: `${what}-${sender}-${next++}`, sender, kind: what };
        world.plans.set(last.id, plan);
        world.send(what, last.id, sender);
      } else if (what === "double" && last !== undefined) world.send(last.kind, last.id, last.sender);
      else if (what === "pass") await world.clock.pass(ms);
      else if (what === "crash") await world.crash();
    }
    await world.clock.pass(1);
    await world.finish();
    await check(world);
  }), { numRuns: 150 });
});

async function check({ inner, effects, accepted }: World): Promise<void> {
  const usage = await inner.usage(SCOPE);
  assert.equal(usage.rows, 0, "rows are left");
  const letters = await inner.letters(SCOPE, { after: 0, limit: 1_000 });
  const buried = new Set(letters.map(({ about }) => (JSON.parse(about) as { request_id: string }).request_id));
  assert.equal(letters.length, buried.size, "a message has two letters");
  assert.equal(new Set(effects).size, effects.length, "an effect is there twice");
  for (const id of accepted) assert.ok(effects.includes(id) || buried.has(id), `${id} is lost`);
  for (const sender of [0, 1, 2]) {
    const order = effects.filter((id) => id.startsWith(`tell-${sender}-`)).map((id) => Number(id.split("-")[2]));
    assert.deepEqual(order, order.toSorted((a, b) => a - b), "the order of a sender is lost");
  }
}
