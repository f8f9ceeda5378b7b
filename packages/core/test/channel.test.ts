import assert from "node:assert/strict";
import { test } from "node:test";
import { Channel } from "@atoll-run/core";
import fc from "fast-check";

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test("takers are served in the order they came, before anything is queued", async () => {
  const channel = new Channel<number>(2);
  const takes = [channel.take(), channel.take()];
  assert.equal(channel.taking, 2);
  assert.ok(channel.offer(1));
  assert.ok(channel.offer(2));
  assert.equal(channel.size, 0);
  assert.deepEqual(await Promise.all(takes), [1, 2]);
});

test("a put waits for room, and puts are let in in the order they came", async () => {
  const channel = new Channel<number>(1);
  await channel.put(1);
  const done: number[] = [];
  const puts = [2, 3].map(async (n) => {
    await channel.put(n);
    done.push(n);
  });
  await turn();
  assert.equal(channel.putting, 2);
  assert.equal(channel.offer(9), false);
  assert.equal(await channel.take(), 1);
  await turn();
  assert.deepEqual(done, [2]);
  assert.equal(await channel.take(), 2);
  assert.equal(await channel.take(), 3);
  await Promise.all(puts);
});

test("an aborted put has put nothing, an aborted take has taken nothing", async () => {
  const channel = new Channel<number>(1);
  channel.offer(1);
  const controller = new AbortController();
  const put = channel.put(2, { signal: controller.signal });
  controller.abort(new Error("stop"));
  await assert.rejects(put, /stop/);
  assert.equal(channel.putting, 0);
  assert.deepEqual(channel.drain(), [1]);
  const other = new AbortController();
  const take = channel.take({ signal: other.signal });
  other.abort(new Error("halt"));
  await assert.rejects(take, /halt/);
  channel.offer(3);
  assert.equal(channel.size, 1);
  await assert.rejects(channel.put(4, { signal: other.signal }), /halt/);
  await assert.rejects(channel.take({ signal: other.signal }), /halt/);
  assert.equal(await channel.take(), 3);
});

test("a closed channel refuses puts, fails those that wait and gives what it holds", async () => {
  const channel = new Channel<number>(1, { what: "bus" });
  channel.offer(1);
  const waiting = assert.rejects(channel.put(2), { code: "core.closed", message: "bus is closed" });
  channel.close();
  channel.close();
  await waiting;
  assert.equal(channel.offer(3), false);
  await assert.rejects(channel.put(3), { code: "core.closed" });
  assert.equal(await channel.take(), 1);
  assert.equal(await channel.take(), undefined);
});

test("closing ends takers that wait, and the iteration", async () => {
  const channel = new Channel<number>(4);
  const take = channel.take();
  channel.close();
  assert.equal(await take, undefined);
  const other = new Channel<number>(4);
  for (const n of [1, 2, 3]) other.offer(n);
  other.close();
  assert.deepEqual(await Array.fromAsync(other), [1, 2, 3]);
});

test("no more may wait than the channel allows", async () => {
  const channel = new Channel<number>(1, { waitersMax: 1 });
  channel.offer(1);
  const first = channel.put(2);
  await assert.rejects(channel.put(3), { code: "core.overloaded", retry: "later", retry_after_ms: 100 });
  assert.equal(await channel.take(), 1);
  await first;
  assert.equal(await channel.take(), 2);
  const take = channel.take();
  await assert.rejects(channel.take(), { code: "core.overloaded" });
  channel.close();
  await take;
});

test("the rising edge is told once, the falling edge once the queue has really drained", () => {
  const edges: string[] = [];
  const channel = new Channel<number>(4, {
    lowMark: 1, onFull: (size) => edges.push(`full ${size}`), onRoom: (size) => edges.push(`room ${size}`),
  });
  const fill = (): void => {
    while (channel.offer(1));
  };
  fill();
  channel.poll();
  fill();
  assert.deepEqual(edges, ["full 4"]);
  for (let i = 0; i < 3; i++) channel.poll();
  assert.deepEqual(edges, ["full 4", "room 1"]);
  fill();
  channel.drain();
  assert.deepEqual(edges, ["full 4", "room 1", "full 4", "room 0"]);
});

test("nothing is lost, doubled or reordered, whoever waits and whoever gives up", async () => {
  const move = fc.oneof(
    fc.constant("put" as const), fc.constant("take" as const), fc.constant("offer" as const),
    fc.constant("abortPut" as const), fc.constant("abortTake" as const), fc.constant("turn" as const),
  );
  await fc.assert(fc.asyncProperty(fc.integer({ min: 1, max: 4 }), fc.array(move, { maxLength: 60 }),
    async (limit, moves) => {
    const channel = new Channel<number>(limit);
    const taken: number[] = [];
    const gone = new Set<number>();
    const all: Promise<unknown>[] = [];
    const puts: AbortController[] = [];
    const takes: AbortController[] = [];
    let n = 0;
    for (const step of moves) {
      const controller = new AbortController();
      const o = { signal: controller.signal };
      const item = n + 1;
      if (step === "put") {
        puts.push(controller);
        all.push(channel.put(++n, o).catch(() => gone.add(item)));
      } else if (step === "offer") {
        if (!channel.offer(++n)) gone.add(item);
      } else if (step === "take") {
        takes.push(controller);
        all.push(channel.take(o).then((got) => got !== undefined && taken.push(got), () => undefined));
      } else if (step === "abortPut") puts.shift()?.abort(new Error("stop"));
      else if (step === "abortTake") takes.shift()?.abort(new Error("stop"));
      else await turn();
      assert.ok(channel.size <= limit);
    }
    channel.close();
    for await (const item of channel) taken.push(item);
    await Promise.all(all);
    const expected = Array.from({ length: n }, (_, i) => i + 1).filter((item) => !gone.has(item));
    assert.deepEqual(taken, expected);
  }), { numRuns: 200 });
});
