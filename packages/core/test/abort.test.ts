import assert from "node:assert/strict";
import { test } from "node:test";
import { getHeapSpaceStatistics, setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { onAbort } from "@atoll-run/core";

const LISTENERS = 1_000;
const BYTES = 8 * 1_024;

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as (o?: { readonly type: "minor" }) => void;

function oldBytes(): number {
  return getHeapSpaceStatistics().filter(({ space_name }) => /old|large/.test(space_name)).reduce((sum, { space_used_size }) => sum + space_used_size, 0);
}

test("a listener of a signal that was disposed of goes with the next minor collection, and all that it refers to", () => {
  const listen = (): void => {
    const { signal } = new AbortController();
    const held = new Array<number>(BYTES / 8).fill(1);
    onAbort(signal, () => held)[Symbol.dispose]();
  };
  listen();
  collect();
  const before = oldBytes();
  for (let i = 0; i < LISTENERS; i++) {
    listen();
    // What outlives two of them is old.
    if (i % 100 === 99) for (let round = 0; round < 2; round++) collect({ type: "minor" });
  }
  const kept = oldBytes() - before;
  assert.ok(kept < LISTENERS * BYTES / 4, `${kept} of ${LISTENERS * BYTES} bytes were kept`);
});
