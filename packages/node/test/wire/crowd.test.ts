/** What keeps a crowd from those who are there: a time to come again for each, and one signature in each turn (spec: node 6.3). */
import assert from "node:assert/strict";
import { test } from "node:test";
import { ManualClock } from "@atoll-run/testkit";
import { NODE_LIMITS } from "../../src/limits.ts";
import { OnePerTurn } from "../../src/wire/one-per-turn.ts";
import { Standing } from "../../src/wire/websocket/standing.ts";

const turn = (): Promise<void> => new Promise((go) => void setImmediate(go));

test("whoever finds no room is told when it would be its turn, each a later time, within bounds", () => {
  const clock = new ManualClock();
  const standing = new Standing(clock, {
    ...NODE_LIMITS.wire, connectionsPerSecond: 10, connectionsBurst: 2, retryAfterMs: 1_000, retryAfterMsMax: 1_300,
  });
  const come = (count: number): number[] => Array.from({ length: count }, () => standing.arrive());
  assert.deepEqual(come(7), [0, 0, 1_000, 1_100, 1_200, 1_300, 1_300]);
  clock.advance(200);
  assert.deepEqual(come(4), [0, 0, 1_200, 1_300], "those who were told a time stand before the next");
  clock.advance(60_000);
  assert.deepEqual(come(3), [0, 0, 1_000], "and nobody after a rest");
});

test("of handshakes that are ready at once one goes in each turn of the event loop, in their order, and a lone one at once", async () => {
  const turns = new OnePerTurn();
  assert.equal(turns.take(), undefined);
  const gone: string[] = [];
  const all = ["b", "c", "d"].map(async (name) => {
    await turns.take();
    gone.push(name);
  });
  assert.deepEqual(gone, []);
  const seen: string[] = [];
  for (let at = 0; at < 5; at++) {
    await turn();
    seen.push(gone.join(""));
  }
  await Promise.all(all);
  assert.ok(seen.every((names, at) => names.length - (seen[at - 1] ?? "").length <= 1), seen.join());
  assert.deepEqual(gone, ["b", "c", "d"]);
  await turn();
  assert.equal(turns.take(), undefined, "nobody has this one");
  await turn();
});
