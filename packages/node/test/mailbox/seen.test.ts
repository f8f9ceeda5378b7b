/** Which requests are surely new (spec: node 4.6, 4.9). */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Seen } from "../../src/mailbox/seen.ts";

test("what was answered is never called new while its window is open", () => {
  fc.assert(fc.property(fc.uniqueArray(fc.string(), { maxLength: 50 }), (names) => {
    const seen = new Seen({ namesMax: 1_000, blindUntilMs: 0 });
    for (const name of names) seen.add(name, 100);
    for (const name of names) assert.equal(seen.isNew(name, 99), false);
  }));
});

test("of names that were never answered nearly all are called new, also when a filter is full", () => {
  const seen = new Seen({ namesMax: 100_000, blindUntilMs: 0 });
  for (let i = 0; i < 65_536; i++) seen.add(`peer\nroute\n0199-${i}`, 100);
  let doubtful = 0;
  for (let i = 0; i < 10_000; i++) if (!seen.isNew(`peer\nroute\n0200-${i}`, 0)) doubtful += 1;
  assert.ok(doubtful < 100, `${doubtful} of 10,000`);
});

test("while there may be answers of an earlier process nothing is called new", () => {
  const seen = new Seen({ namesMax: 1_000, blindUntilMs: 50 });
  assert.equal(seen.isNew("a", 49), false);
  assert.equal(seen.isNew("a", 50), true);
});

test("when more is remembered than it can hold, nothing is called new until the forgotten windows are over", () => {
  const seen = new Seen({ namesMax: 1, blindUntilMs: 0 });
  for (let i = 0; i < 65_536 * 2 + 1; i++) seen.add(String(i), i < 65_536 ? 500 : 100);
  assert.equal(seen.isNew("other", 499), false);
  assert.equal(seen.isNew("other", 500), true);
});
