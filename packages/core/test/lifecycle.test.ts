import assert from "node:assert/strict";
import { test } from "node:test";
import { Bug, lifecycle } from "@atoll-run/core";
import fc from "fast-check";

const NEXT = {
  idle: ["starting"], starting: ["running", "stopped"], running: ["draining", "stopped"],
    draining: ["stopped"], stopped: [],
} as const satisfies Record<string, readonly string[]>;
type Phase = keyof typeof NEXT;
const PHASES = Object.keys(NEXT) as Phase[];

test("a lifecycle moves along its table and tells each move once", () => {
  const moves: string[] = [];
  const life = lifecycle<Phase>(NEXT, "idle", { onMove: (from, to) => moves.push(`${from}>${to}`) });
  life.move("starting");
  life.move("running");
  assert.equal(life.phase, "running");
  assert.ok(life.is("idle", "running"));
  assert.ok(life.can("draining"));
  life.move("stopped");
  assert.deepEqual(moves, ["idle>starting", "starting>running", "running>stopped"]);
});

test("a move that the table does not have is our own bug, names both phases and changes nothing", () => {
  const life = lifecycle<Phase>(NEXT, "idle", { what: "mailbox" });
  assert.throws(() => life.move("draining"), (error) => error instanceof Bug
    && error.message === "mailbox: no way from idle to draining");
  assert.equal(life.phase, "idle");
});

test("random moves never leave the table", () => {
  fc.assert(fc.property(fc.array(fc.constantFrom(...PHASES), { maxLength: 40 }), (moves) => {
    let told: Phase = "idle";
    const life = lifecycle<Phase>(NEXT, "idle", {
      onMove: (from, to) => {
        assert.equal(from, told);
        assert.ok((NEXT[from] as readonly string[]).includes(to));
        told = to;
      },
    });
    for (const to of moves) {
      const before = life.phase;
      const allowed = life.can(to);
      assert.equal(allowed, (NEXT[before] as readonly string[]).includes(to));
      if (allowed) life.move(to);
      else assert.throws(() => life.move(to), Bug);
      assert.equal(life.phase, allowed ? to : before);
      assert.equal(life.phase, told);
    }
  }));
});
