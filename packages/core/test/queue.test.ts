import assert from "node:assert/strict";
import { test } from "node:test";
import { BoundedQueue, Bug } from "@atoll-run/core";
import fc from "fast-check";

test("a queue gives back what it took, in order, and says no when it is full", () => {
  const queue = new BoundedQueue<string>(2);
  assert.equal(queue.shift(), undefined);
  assert.ok(queue.push("a"));
  assert.ok(queue.push("b"));
  assert.equal(queue.push("c"), false);
  assert.ok(queue.full);
  assert.equal(queue.peek(), "a");
  assert.deepEqual(queue.drain(), ["a", "b"]);
  assert.equal(queue.size, 0);
});

for (const limit of [0, -1, 1.5, Infinity, Number.NaN]) {
  test(`a queue with the bound ${limit} cannot be made`, () => {
    assert.throws(() => new BoundedQueue(limit), Bug);
  });
}

test("a queue behaves as a list that stops at its limit, whatever is done to it", () => {
  const moves = fc.array(fc.oneof(fc.nat(1_000), fc.constantFrom("shift" as const, "drain" as const)),
    { maxLength: 200 });
  fc.assert(fc.property(fc.integer({ min: 1, max: 40 }), moves, (limit, all) => {
    const queue = new BoundedQueue<{ n: number }>(limit);
    let model: number[] = [];
    for (const move of all) {
      if (move === "shift") assert.equal(queue.shift()?.n, model.shift());
      else if (move === "drain") {
        assert.deepEqual(queue.drain().map(({ n }) => n), model);
        model = [];
      } else {
        const room = model.length < limit;
        assert.equal(queue.push({ n: move }), room);
        if (room) model.push(move);
      }
      assert.equal(queue.size, model.length);
      assert.equal(queue.peek()?.n, model[0]);
    }
  }));
});
