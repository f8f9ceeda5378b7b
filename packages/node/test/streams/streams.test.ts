import assert from "node:assert/strict";
import { test } from "node:test";
import { isFault, nodeError, type InStream, type Link } from "@atoll-run/core";
import { writeChunk, type Rule } from "@atoll-run/core/internal";
import { ManualClock, until } from "@atoll-run/testkit";
import { Figures } from "../../src/observe/figures.ts";
import { bytes, testNet, testNode, text, type TestNodeOptions } from "../gate/harness.ts";

/** A node that collects the items of every stream. */
interface Read {
  readonly items: string[];
  readonly streams: InStream[];
  readonly ends: string[];
  /** The next item is not asked for before this resolves. */
  gate: Promise<void>;
}

function reader(o: Partial<TestNodeOptions> = {}): { read: Read; options: Partial<TestNodeOptions> } {
  const read: Read = { items: [], streams: [], ends: [], gate: Promise.resolve() };
  return { read, options: { ...o, readStream: (stream) => {
    if (stream.name === "none") return undefined;
    read.streams.push(stream);
    return (async () => {
      try {
        for await (const item of stream) {
          read.items.push(text(item));
          await read.gate;
        }
        read.ends.push("end");
      } catch (error) {
        read.ends.push(isFault(error) ? error.code : String(error));
        throw error;
      }
    })();
  } } };
}

test("items arrive in order, and end resolves when the reader has handled all of them", async () => {
  const net = testNet();
  const { read, options } = reader();
  await using a = testNode(net, { serial: 1 });
  await using b = testNode(net, { serial: 2, ...options });
  const stream = await a.gate.outbound.root.openStream(b.text, "audit", { headers: [{ key: "k", value: "v" }] });
  for (let n = 0; n < 1_000; n++) await stream.write(bytes(String(n)));
  await stream.end();
  assert.deepEqual(read.items, Array.from({ length: 1_000 }, (_, n) => String(n)));
  assert.deepEqual(read.ends, ["end"]);
  assert.deepEqual(read.streams[0]?.headers, [{ key: "k", value: "v" }]);
  assert.equal(read.streams[0]?.peer.kind, "peer");
  assert.deepEqual([a, b].map((node) => node.gate.stats()["streams_open"]), [0, 0]);
});

test("a stream to self is read as local", async () => {
  const net = testNet();
  const { read, options } = reader();
  await using a = testNode(net, { serial: 1, ...options });
  await using stream = await a.gate.outbound.root.openStream("self", "audit");
  await stream.write(bytes("one"));
  await stream.end();
  assert.deepEqual(read.items, ["one"]);
  assert.equal(read.streams[0]?.peer.kind, "local");
});

test("a slow reader stops the writer at the window, and memory stays bounded", async () => {
  const net = testNet();
  const { read, options } = reader();
  const go = Promise.withResolvers<void>();
  read.gate = go.promise;
  await using a = testNode(net, { serial: 1 });
  await using b = testNode(net, { serial: 2, ...options });
  const stream = await a.gate.outbound.root.openStream(b.text, "audit");
  let written = 0;
  const writes = Array.from({ length: 600 }, (_, n) => stream.write(bytes(String(n))).then(() => written++));
  await until(() => written === 256);
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(written, 256);
  go.resolve();
  await Promise.all(writes);
  await stream.end();
  assert.equal(read.items.length, 600);
});

test("stream_credit_wait_seconds tells how long each write waited that had to", async () => {
  const clock = new ManualClock();
  const net = testNet(clock);
  const figures = new Figures();
  const { read, options } = reader({ clock });
  const go = Promise.withResolvers<void>();
  read.gate = go.promise;
  await using a = testNode(net, { serial: 1, clock, figures });
  await using b = testNode(net, { serial: 2, ...options });
  const stream = await a.gate.outbound.root.openStream(b.text, "audit");
  let written = 0;
  const writes = Array.from({ length: 266 }, (_, n) => stream.write(bytes(String(n))).then(() => written++));
  await until(() => written === 256);
  await clock.pass(3_000);
  go.resolve();
  await Promise.all(writes);
  await stream.end();
  const lines = figures.creditWait.lines("s", "");
  assert.deepEqual(lines.filter((line) => /sum|count|"2\.5"|"5"/.test(line)), ['s_bucket{,le="2.5"} 0', 's_bucket{,le="5"} 10', "s_sum{} 30", "s_count{} 10"]);
});

test("big items are bounded by bytes, and one that fits no window is refused", async () => {
  const net = testNet();
  const { read, options } = reader();
  const go = Promise.withResolvers<void>();
  read.gate = go.promise;
  await using a = testNode(net, { serial: 1 });
  await using b = testNode(net, { serial: 2, ...options });
  const stream = await a.gate.outbound.root.openStream(b.text, "audit");
  const item = new Uint8Array(400 * 1_024);
  let written = 0;
  const writes = [1, 2, 3, 4, 5].map(() => stream.write(item).then(() => written++));
  await until(() => written === 2);
  await assert.rejects(stream.write(new Uint8Array(2 ** 20)), { code: "node.too_large" });
  go.resolve();
  await Promise.all(writes);
  await stream.end();
  assert.equal(read.items.length, 5);
});

test("10,000 items arrive without gap or repeat although the link is lost again and again", async () => {
  const net = testNet();
  const { read, options } = reader();
  await using a = testNode(net, { serial: 1 });
  await using b = testNode(net, { serial: 2, ...options });
  const stream = await a.gate.outbound.root.openStream(b.text, "audit");
  const all = Array.from({ length: 10_000 }, (_, n) => String(n));
  for (const item of all) {
    await stream.write(bytes(item));
    if (Number(item) % 1_500 === 750) net.cut();
  }
  await stream.end();
  assert.deepEqual(read.items, all);
  assert.deepEqual(read.ends, ["end"]);
});

test("a link lost before the end is acknowledged does not lose the end", async () => {
  const net = testNet();
  const { read, options } = reader();
  const go = Promise.withResolvers<void>();
  read.gate = go.promise;
  await using a = testNode(net, { serial: 1 });
  await using b = testNode(net, { serial: 2, ...options });
  const stream = await a.gate.outbound.root.openStream(b.text, "audit");
  await stream.write(bytes("one"));
  await until(() => read.items.length === 1);
  const ended = stream.end();
  net.cut();
  go.resolve();
  await ended;
  assert.deepEqual(read.ends, ["end"]);
});

test("a stream whose peer does not come back within 60 s ends unavailable on both sides", async () => {
  const clock = new ManualClock();
  const net = testNet(clock);
  const { read, options } = reader({ clock });
  await using a = testNode(net, { serial: 1, clock });
  const b = testNode(net, { serial: 2, ...options });
  const stream = await a.gate.outbound.root.openStream(b.text, "audit");
  await stream.write(bytes("one"));
  await until(() => read.items.length === 1);
  net.cut();
  await b.peers[Symbol.asyncDispose]();
  const ended = assert.rejects(stream.end(), { code: "node.unavailable", uncertain: true });
  await until(async () => {
    await clock.pass(5_000);
    return read.ends.length === 1 && stream.signal.aborted;
  });
  await ended;
  assert.deepEqual(read.ends, ["node.unavailable"]);
  await b.gate.close();
});

test("a process that has restarted resets a stream that would go on", async () => {
  const net = testNet();
  const { read, options } = reader();
  await using a = testNode(net, { serial: 1 });
  const before = testNode(net, { serial: 2, ...options });
  const stream = await a.gate.outbound.root.openStream(before.text, "audit");
  await stream.write(bytes("one"));
  await until(() => read.items.length === 1);
  net.cut();
  await before[Symbol.asyncDispose]();
  await using _after = testNode(net, { serial: 2, ...options });
  await assert.rejects(stream.end(), { code: "node.unavailable" });
});

test("a third peer on a live stream id is never delivered, nor opens anything without a rule", async () => {
  const net = testNet();
  const rules: readonly Rule[] = [
    { effect: "allow", from: { type: "acme:echo:*", realm: "self" }, actions: ["stream:audit"] },
  ];
  const { read, options } = reader({ rules: () => rules });
  await using a = testNode(net, { serial: 1 });
  await using b = testNode(net, { serial: 2, ...options });
  await using c = testNode(net, { serial: 3, type: "evil:echo:1.0.0" });
  const stream = await a.gate.outbound.root.openStream(b.text, "audit");
  await stream.write(bytes("mine"));
  const chunk = writeChunk(
    { stream_id: stream.id, sequence: 2n, payload: bytes("theirs"), metadata: [] }, { extensions: true });
  await c.peers.send(b.id, "stream_reliable", chunk, { deadlineMs: 1_000 });
  const reset = writeChunk({ stream_id: stream.id, sequence: 0n, payload: bytes(""), metadata: [], control: {
    reset: { error: { code: 10_002, message: "stop" } },
  } }, { extensions: true });
  await c.peers.send(b.id, "stream_reliable", reset, { deadlineMs: 1_000 });
  await assert.rejects(c.gate.outbound.root.openStream(b.text, "audit"), { code: "node.permission_denied" });
  await stream.write(bytes("mine too"));
  await stream.end();
  assert.deepEqual(read.items, ["mine", "mine too"]);
  assert.equal(read.streams.length, 1);
});

test("a name that nobody reads is refused, and a reader that has enough resets the writer", async () => {
  const net = testNet();
  await using a = testNode(net, { serial: 1 });
  await using b = testNode(net, { serial: 2, readStream: (stream) => stream.name === "none" ? undefined : (async () => {
    for await (const _ of stream) break;
  })() });
  await assert.rejects(a.gate.outbound.root.openStream(b.text, "none"), { code: "node.unknown_route" });
  const stream = await a.gate.outbound.root.openStream(b.text, "audit");
  await stream.write(bytes("one"));
  await until(() => stream.signal.aborted);
  await assert.rejects(stream.write(bytes("two")), { code: "node.cancelled" });
});

test("a writer hears the error that its reader has ended with", async () => {
  const net = testNet();
  await using a = testNode(net, { serial: 1 });
  await using b = testNode(net, { serial: 2, readStream: async (stream) => {
    for await (const _ of stream) throw stream.name === "own" ? nodeError("node.not_found", "no such account") : new Error("a bug");
  } });
  for (const [name, code] of [["own", "node.not_found"], ["any", "node.internal"]] as const) {
    const stream = await a.gate.outbound.root.openStream(b.text, name);
    await stream.write(bytes("one"));
    await until(() => stream.signal.aborted);
    await assert.rejects(stream.write(bytes("two")), { code });
  }
});

test("a writer that gives up is a thrown fault in the reader's loop", async () => {
  const net = testNet();
  const { read, options } = reader();
  await using a = testNode(net, { serial: 1 });
  await using b = testNode(net, { serial: 2, ...options });
  const stream = await a.gate.outbound.root.openStream(b.text, "audit");
  stream.reset("no more");
  await until(() => read.ends.length === 1);
  assert.deepEqual(read.ends, ["node.cancelled"]);
});

test("a lossy stream drops the oldest of what a slow reader leaves, and counts it", async () => {
  const net = testNet();
  const { read, options } = reader();
  const go = Promise.withResolvers<void>();
  read.gate = go.promise;
  await using a = testNode(net, { serial: 1 });
  await using b = testNode(net, { serial: 2, ...options });
  const stream = await a.gate.outbound.root.openStream(b.text, "audit", { mode: "latency_first" });
  for (let n = 0; n < 500; n++) await stream.write(bytes(String(n)));
  const ended = stream.end();
  await until(() => read.items.length === 1);
  await until(() => (read.streams[0]?.dropped ?? 0) > 0);
  go.resolve();
  await ended;
  const { dropped = 0 } = read.streams[0] ?? {};
  assert.equal(read.items.length + dropped, 500);
  assert.ok(read.items.length <= 65, String(read.items.length));
  assert.equal(read.items.at(-1), "499");
  assert.deepEqual(read.items, read.items.toSorted((x, y) => Number(x) - Number(y)));
});

test("more than 1,024 streams with one peer are refused as overloaded", async () => {
  const net = testNet();
  const { options } = reader();
  await using a = testNode(net, { serial: 1, streamLimits: { perPeerMax: 4 } });
  await using b = testNode(net, { serial: 2, ...options });
  for (let n = 0; n < 4; n++) await a.gate.outbound.root.openStream(b.text, "audit");
  await assert.rejects(a.gate.outbound.root.openStream(b.text, "audit"), { code: "node.overloaded" });
});

test("a stream on which nothing happens for 5 minutes, and one whose time is over, are reset", async () => {
  const clock = new ManualClock();
  const net = testNet(clock);
  const { read, options } = reader({ clock });
  await using a = testNode(net, { serial: 1, clock });
  await using b = testNode(net, { serial: 2, ...options });
  const idle = await a.gate.outbound.root.openStream(b.text, "audit");
  const late = await a.gate.outbound.root.openStream(b.text, "audit", { deadlineMs: 10_000 });
  await clock.pass(10_000);
  assert.equal((late.signal.reason as { code: string }).code, "node.timed_out");
  assert.equal(idle.signal.aborted, false);
  await clock.pass(290_000);
  assert.equal((idle.signal.reason as { code: string }).code, "node.timed_out");
  await until(() => read.ends.length === 2);
  assert.equal(clock.timers, 0);
});

test("chunks of a legacy peer wait two seconds for whoever registers, then arrive in order", async () => {
  const net = testNet();
  await using a = testNode(net, { serial: 1, legacy: true });
  await using b = testNode(net, { serial: 2, legacy: true });
  const chunk = (n: number): { stream_id: string; sequence: bigint; payload: Uint8Array } =>
    ({ stream_id: "s-1", sequence: BigInt(n), payload: bytes(String(n)) });
  for (let n = 1; n <= 20; n++) await a.gate.plain.send(b.text, chunk(n), "reliable");
  await until(() => b.gate.stats()["stream_early_dropped_total"] === 4);
  const heard: string[] = [];
  b.gate.plain.register("s-1", ({ payload }) => void heard.push(text(payload)));
  await a.gate.plain.send(b.text, chunk(21), "reliable");
  await until(() => heard.length === 17);
  assert.deepEqual(heard, [...Array.from({ length: 16 }, (_, n) => String(n + 1)), "21"]);
});

test("a stream to and from legacy peers is chunks only: its name is its id, a lost lane ends it uncertain", async () => {
  const net = testNet();
  const { read, options } = reader();
  const errors: string[] = [];
  await using a = testNode(net, { serial: 1, legacy: true, report: (_, fact) => {
    if ("category" in fact) errors.push(fact.category);
  } });
  await using b = testNode(net, { serial: 2, legacy: true, ...options });
  const stream = await a.gate.outbound.root.openStream(b.text, "audit");
  await stream.write(bytes("one"));
  await stream.write(bytes("two"));
  await until(() => read.items.length === 2);
  assert.equal(read.streams[0]?.id, "audit");
  net.cut();
  await until(() => read.ends.length === 1 && stream.signal.aborted);
  assert.deepEqual(read.ends, ["node.unavailable"]);
  assert.deepEqual(errors, ["stream_uncertain"]);
});

test("a chunk that cannot be read is kept with the unreadable frames, an eleventh ends the link", async () => {
  const net = testNet();
  await using a = testNode(net, { serial: 1 });
  await using b = testNode(net, { serial: 2 });
  const links: Link[] = [];
  for (let n = 0; n < 11; n++) links.push(await a.peers.send(b.id, "stream_reliable", bytes("junk"), { deadlineMs: 1_000 }));
  const end = await links[0]?.ended;
  assert.equal(end?.code, 4400);
  assert.equal(b.inbox.unread.length, 11);
});
