import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { PassingMap } from "../src/passing-map.ts";

test("a map through which entries pass knows the same as a plain map, in the same order", () => {
  const passing = new PassingMap<number, string>();
  const plain = new Map<number, string>();
  for (let i = 0; i < 10_000; i++) {
    passing.set(i, `v${i}`);
    plain.set(i, `v${i}`);
    const gone = (i * 7_919) % (i + 1);
    assert.equal(passing.delete(gone), plain.delete(gone));
    assert.equal(passing.has(gone), false);
  }
  assert.equal(passing.size, plain.size);
  assert.deepEqual([...passing], [...plain]);
  assert.deepEqual([...passing.keys()], [...plain.keys()]);
  assert.deepEqual([...passing.values()], [...plain.values()]);
});

test("each entry of a map is met once by a walk that takes them all out", () => {
  const passing = new PassingMap<number, number>();
  for (let i = 0; i < 5_000; i++) passing.set(i, i);
  let met = 0;
  for (const key of passing.keys()) {
    passing.delete(key);
    met += 1;
  }
  assert.equal(met, 5_000);
  assert.equal(passing.size, 0);
});

test("whatever is set and deleted, few entries or many, it knows the same as a plain map", () => {
  const step = fc.record({ deletes: fc.boolean(), key: fc.integer({ min: 0, max: 24 }), value: fc.integer() });
  fc.assert(fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
    const passing = new PassingMap<number, number>();
    const plain = new Map<number, number>();
    for (const { deletes, key, value } of steps) {
      if (deletes) assert.equal(passing.delete(key), plain.delete(key));
      else {
        passing.set(key, value);
        plain.set(key, value);
      }
      assert.equal(passing.size, plain.size);
      assert.equal(passing.get(key), plain.get(key));
      assert.equal(passing.has(key), plain.has(key));
    }
    assert.deepEqual([...passing], [...plain]);
    assert.deepEqual([...passing.keys()], [...plain.keys()]);
    assert.deepEqual([...passing.values()], [...plain.values()]);
  }));
});
