/**
 * Goal: links may break at any moment. Invariant: every ask is answered, its handler has run once, tells keep their
 * order, streams have neither gap nor repeat, nothing stays pending. Method: both directions at once, the link between
 * the nodes is cut again and again at seeded distances of events.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { InStream } from "@atoll-run/core";
import { seededRandom } from "@atoll-run/testkit";
import { bytes, testNet, text } from "./harness.ts";
import { wholeNode, workloadOf, type WholeNode } from "./whole.ts";

const ASKS = 100;
const ITEMS = 400;
const PAIRS = 3;

test("calls, tells and streams survive links that break again and again", async () => {
  const net = testNet();
  const random = seededRandom(7);
  const runs = new Map<string, number>();
  const told = new Map<string, number[]>();
  const read = new Map<string, string[]>();
  let untilCut = 40;
  /** Something has happened: cuts after a random number of such. */
  const tick = (): void => {
    if (--untilCut > 0) return;
    untilCut = 20 + random() % 120;
    net.cut();
  };
  const workload = workloadOf(async ({ id, kind, payload }) => {
    tick();
    runs.set(id, (runs.get(id) ?? 0) + 1);
    const [name = "", number = ""] = text(payload).split(":");
    if (kind === "tell") told.set(name, [...told.get(name) ?? [], Number(number)]);
    return { is: "done", reply: payload };
  });
  const readStream = async (stream: InStream): Promise<void> => {
    const items: string[] = [];
    read.set(stream.id, items);
    for await (const item of stream) {
      tick();
      items.push(text(item));
    }
  };
  await using a = await wholeNode(net, { serial: 1, workload, readStream });
  await using b = await wholeNode(net, { serial: 2, workload, readStream });
  const ways: readonly (readonly [WholeNode, WholeNode])[] = [[a, b], [b, a]];
  await Promise.all(ways.flatMap(([from, to], way) => Array.from({ length: PAIRS }, async (_, at) => {
    const name = `${way}-${at}`;
    const { root } = from.gate.outbound;
    for (let n = 0; n < ASKS; n++) {
      const ask = { to: to.text, route: "acme.Echo.Say", payload: bytes(`${name}:${n}`), requestId: `${name}:${n}` };
      if (at === 0) await root.tell(ask);
      else assert.equal(text((await root.call(ask)).payload), `${name}:${n}`);
    }
    const stream = await root.openStream(to.text, "items");
    for (let n = 0; n < ITEMS; n++) await stream.write(bytes(String(n)));
    await stream.end();
    assert.deepEqual(read.get(stream.id), Array.from({ length: ITEMS }, (_, n) => String(n)));
  })));
  assert.equal(runs.size, 2 * PAIRS * ASKS);
  assert.deepEqual([...runs].filter(([, times]) => times !== 1), []);
  for (const numbers of told.values()) assert.deepEqual(numbers, Array.from({ length: ASKS }, (_, n) => n));
  for (const { gate } of [a, b]) {
    assert.deepEqual([gate.stats()["pending_calls"], gate.stats()["streams_open"]], [0, 0]);
  }
});
