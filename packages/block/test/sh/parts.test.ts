/** The small parts under children: the ring of output, the places, the environment. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { CHILD_MARK, childEnvironment } from "../../src/children/environment.ts";
import { OutputRing } from "../../src/children/ring.ts";
import { Slots } from "../../src/slots.ts";

test("a ring keeps the last bytes however the output is cut", () => {
  const chunks = fc.array(fc.uint8Array({ maxLength: 20 }), { maxLength: 300 });
  fc.assert(fc.property(chunks, fc.integer({ min: 0, max: 500 }), (pieces, max) => {
    const ring = new OutputRing(max);
    for (const piece of pieces) ring.push(piece);
    const all = Buffer.concat(pieces);
    assert.deepEqual([...ring.bytes()], [...all.subarray(Math.max(0, all.length - max))]);
    assert.equal(ring.truncated, all.length > max);
  }));
});

test("places are handed out in order of arrival and never more than there are", async () => {
  const slots = new Slots({ what: "places", limit: 2 });
  const held = [await slots.take(), await slots.take()];
  const order: number[] = [];
  const waiting = [1, 2, 3].map(async (n) => {
    const place = await slots.take();
    order.push(n);
    return place;
  });
  held[0]?.[Symbol.dispose]();
  held[0]?.[Symbol.dispose]();
  await waiting[0];
  assert.deepEqual(order, [1]);
  assert.equal(slots.used, 2);
  held[1]?.[Symbol.dispose]();
  (await waiting[0])?.[Symbol.dispose]();
  for (const place of await Promise.all(waiting)) place[Symbol.dispose]();
  assert.deepEqual(order, [1, 2, 3]);
  assert.equal(slots.used, 0);
});

test("a wait for a place ends with its signal and leaves the place to the next", async () => {
  const slots = new Slots({ what: "places", limit: 1, waitersMax: 2 });
  const held = await slots.take();
  const stop = new AbortController();
  const given = slots.take({ signal: stop.signal });
  const next = slots.take();
  await assert.rejects(slots.take(), { code: "core.overloaded", message: "places is full (1)" });
  stop.abort(new Error("enough"));
  await assert.rejects(given, /enough/);
  held[Symbol.dispose]();
  (await next)[Symbol.dispose]();
  assert.equal(slots.used, 0);
  await assert.rejects(slots.take({ signal: stop.signal }), /enough/);
});

const NAMES: readonly (readonly [string, boolean])[] = [
  ["OPENAI_API_KEY", false], ["GITHUB_TOKEN", false], ["TOKEN", false], ["MAX_TOKENS", true], ["my_secret", false],
  ["DB_PASSWORD", false], ["PASSWD", false], ["SSH_PRIVATE_KEY", false], ["AWS_ACCESS_KEY_ID", false],
  ["GOOGLE_CREDENTIALS", false], ["PATH", true], ["KEYBOARD", true],
];
for (const [name, inherited] of NAMES) {
  test(`a child ${inherited ? "inherits" : "does not inherit"} ${name}`, () => {
    const env = childEnvironment({ base: { [name]: "value" }, secret: () => false });
    assert.equal(name in env, inherited);
    const granted = childEnvironment({ base: { [name]: "value" }, secret: (asked) => asked === name });
    assert.equal(granted[name], "value");
  });
}

test("a run inside a run keeps both marks, and no call can take them off", () => {
  const base = { [CHILD_MARK]: "outer.1" };
  const env = childEnvironment({ base, extra: { [CHILD_MARK]: "none" }, mark: "inner.7", secret: () => false });
  assert.equal(env[CHILD_MARK], "outer.1/inner.7");
});
