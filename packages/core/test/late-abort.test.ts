import assert from "node:assert/strict";
import { test } from "node:test";
import { LateAbort } from "@atoll-run/core";

const why = new Error("enough");

function heardBy(stop: LateAbort, names: string): { readonly heard: string[]; readonly listening: Disposable[] } {
  const heard: string[] = [];
  const listening = [...names].map((name) => stop.hear((reason) => {
    assert.equal(reason, why);
    heard.push(name);
  }));
  return { heard, listening };
}

test("all who hear it are told once, in their order, and the first reason stays", () => {
  const stop = new LateAbort();
  assert.equal(stop.aborted, false);
  const { heard } = heardBy(stop, "abc");
  stop.abort(why);
  stop.abort(new Error("another"));
  assert.deepEqual(heard, ["a", "b", "c"]);
  assert.deepEqual([stop.aborted, stop.reason], [true, why]);
});

test("a reason of undefined aborts as well", () => {
  const stop = new LateAbort();
  const heard: unknown[] = [];
  stop.hear((reason) => heard.push(reason));
  stop.abort(undefined);
  stop.abort(why);
  assert.deepEqual([heard, stop.aborted, stop.reason], [[undefined], true, undefined]);
});

test("whoever comes after it is told at once", () => {
  const stop = new LateAbort();
  stop.abort(why);
  assert.deepEqual(heardBy(stop, "ab").heard, ["a", "b"]);
});

for (const [gone, left] of [["", "abcd"], ["a", "bcd"], ["bd", "ac"], ["abc", "d"], ["abcd", ""]] as const) {
  test(`of abcd, without ${gone || "nobody"}, hears it: ${left || "nobody"}`, () => {
    const stop = new LateAbort();
    const { heard, listening } = heardBy(stop, "abcd");
    for (const name of gone) listening["abcd".indexOf(name)]?.[Symbol.dispose]();
    const late = heardBy(stop, "e");
    stop.abort(why);
    assert.deepEqual([heard.join(""), late.heard.join("")], [left, "e"]);
  });
}

test("one who is disposed of while the others are told is not told any more, and may be so twice", () => {
  const stop = new LateAbort();
  stop.hear(() => listening[0]?.[Symbol.dispose]());
  const { heard, listening } = heardBy(stop, "ab");
  stop.abort(why);
  for (const each of listening) each[Symbol.dispose]();
  assert.deepEqual(heard, ["b"]);
});

test("its signal is one, asked for before or after", () => {
  const before = new LateAbort();
  const { signal } = before;
  assert.equal(signal.aborted, false);
  before.abort(why);
  const after = new LateAbort();
  after.abort(why);
  for (const stop of [before, after]) assert.deepEqual([stop.signal.aborted, stop.signal.reason], [true, why]);
  assert.equal(before.signal, signal);
});

test("a signal that is listened to aborts once", () => {
  const stop = new LateAbort();
  let times = 0;
  stop.signal.addEventListener("abort", () => times++);
  stop.abort(why);
  stop.abort(why);
  assert.equal(times, 1);
});
