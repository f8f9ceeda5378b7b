/** The wire between nodes of one process passes the chapters of its port, and keeps its promises under trouble. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { formatNodeId, type Link, type NodeId, type Wire } from "@atoll-run/core";
import { createMemoryNet, type MemoryNet } from "@atoll-run/node/internal";
import { ManualClock, netTroubles, seededRandom, wireChapters } from "@atoll-run/testkit";
import { realClock } from "./clock.ts";

const net = createMemoryNet({ clock: realClock });
let serial = 0n;

function newId(): NodeId {
  return { realm: 101, serial: ++serial, type: { manufacturer: "acme", name: "echo", version: "1.0.0" } };
}

wireChapters({
  name: "memory",
  start: async (events) => {
    const id = newId();
    return { id, address: formatNodeId(id), wire: net.wire({ self: () => id, events }) };
  },
  cut: ({ id }) => net.cut(formatNodeId(id)),
});

interface Ends {
  readonly net: MemoryNet;
  readonly clock: ManualClock;
  readonly troubles: ReturnType<typeof netTroubles>;
  readonly names: readonly [string, string];
  readonly dialler: Wire;
  readonly got: string[];
  dial(): Promise<Link>;
}

function ends(): Ends {
  const clock = new ManualClock();
  const random = seededRandom(7);
  const troubles = netTroubles(() => random() / 2 ** 32);
  const own = createMemoryNet({ clock, troubles });
  const [ann, bob] = [newId(), newId()];
  const got: string[] = [];
  const listener = own.wire({
    self: () => bob, events: { accepted: () => (_lane, body) => got.push(new TextDecoder().decode(body)) },
  });
  const dialler = own.wire({ self: () => ann, events: { accepted: () => () => undefined } });
  listener.open();
  return {
    net: own, clock, troubles, got, dialler, names: [formatNodeId(ann), formatNodeId(bob)],
    dial: () => dialler.dial({ id: bob, address: formatNodeId(bob), withinMs: 1_000, receive: () => () => undefined }),
  };
}

function send(link: Link, text: string, lane: "rpc_reliable" | "stream_latency_first" = "rpc_reliable"): boolean {
  return link.send(lane, new TextEncoder().encode(text));
}

test("delayed bodies of an ordered lane keep their order; those of the lossy lane may overtake", async () => {
  const { troubles, clock, got, dial } = ends();
  const link = await dial();
  troubles.make({ jitterMs: 100 });
  for (let at = 0; at < 30; at++) send(link, `o${at}`);
  for (let at = 0; at < 30; at++) send(link, `l${at}`, "stream_latency_first");
  await clock.pass(101);
  const order = (kind: string): number[] => got.filter((one) => one.startsWith(kind)).map((one) => Number(one.slice(1)));
  assert.deepEqual(order("o"), Array.from({ length: 30 }, (_, at) => at));
  assert.equal(order("l").length, 30);
  assert.notDeepEqual(order("l"), order("o"));
  await link.close(1000, "");
  assert.equal(clock.timers, 0);
});

test("a lost body never arrives, a doubled one arrives twice, and a way of trouble ends when it is disposed", async () => {
  const { troubles, clock, got, dial, names } = ends();
  const link = await dial();
  {
    using _lost = troubles.make({ lost: 1 }, { to: names[1] });
    send(link, "lost");
  }
  {
    using _doubled = troubles.make({ doubled: 1 });
    send(link, "twice");
  }
  send(link, "once");
  await clock.pass(1);
  assert.deepEqual(got, ["twice", "twice", "once"]);
});

test("a partition is silent: the link stands, probes and dials are not answered, and it heals", async () => {
  const { troubles, clock, names, dial, net } = ends();
  const link = await dial();
  const parted = troubles.part(...names);
  const [probe, dialled] = [link.probe(500), assert.rejects(dial(), { code: "node.unavailable" })];
  await clock.pass(1_000);
  assert.equal(await probe, false);
  await dialled;
  assert.equal(net.links, 1);
  parted[Symbol.dispose]();
  assert.equal(await link.probe(500), true);
  assert.equal((await dial()).inbound, false);
  assert.equal(clock.timers, 0);
});

test("a cut ends the links of two nodes and loses what is on its way", async () => {
  const { troubles, clock, names, dial, net, got } = ends();
  const link = await dial();
  troubles.make({ delayMs: 50 });
  send(link, "on its way");
  net.cut(names[0], "nobody");
  assert.equal(net.links, 1);
  net.cut(...names);
  await clock.pass(100);
  assert.deepEqual(await link.ended, { code: 1006, reason: "the connection broke", broken: true });
  assert.deepEqual(got, []);
  assert.equal(net.links, 0);
  assert.equal(clock.timers, 0);
});

test("two wires with one id cannot be open at the same time", async () => {
  const id = newId();
  const [first, second] = [1, 2].map(() => net.wire({ self: () => id, events: { accepted: () => () => undefined } }));
  assert.ok(first && second);
  first.open();
  assert.throws(() => second.open(), { code: "node.locked" });
  await first[Symbol.asyncDispose]();
  second.open();
  await second[Symbol.asyncDispose]();
});

test("two nodes that answer each other without a pause leave turns to timers", async () => {
  const [ann, bob] = [newId(), newId()];
  const listener = net.wire({ self: () => bob, events: { accepted: (link) => (lane, body) => link.send(lane, body) } });
  const dialler = net.wire({ self: () => ann, events: { accepted: () => () => undefined } });
  listener.open();
  const link = await dialler.dial({
    id: bob, address: formatNodeId(bob), withinMs: 1_000, receive: (own) => (lane, body) => own.send(lane, body),
  });
  link.send("rpc_reliable", new Uint8Array(1));
  await new Promise((resolve) => setTimeout(resolve, 1));
  await dialler[Symbol.asyncDispose]();
  await listener[Symbol.asyncDispose]();
});
