/**
 * Links and sends between the nodes of one process. Goal: a send takes the newest link of its peer, one dial serves all
 * who wait, lanes keep their order and their bounds, and nothing waits longer than it may.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { formatNodeId, type Lane, type Link, type LinkEnd, type NodeId } from "@atoll-run/core";
import {
  createLinkTable, createMemoryNet, createPeers, NODE_LIMITS, type Body, type PeerAddress, type Peers, type PeersLimits,
} from "@atoll-run/node/internal";
import { ManualClock, netTroubles, seededRandom, type NetTroublesUnderTest } from "@atoll-run/testkit";

const LIMITS: PeersLimits = { ...NODE_LIMITS.transport, ...NODE_LIMITS.wire };
const SOON = { deadlineMs: 1_000 };

interface Node {
  readonly id: NodeId;
  readonly name: string;
  readonly peers: Peers;
  readonly wire: ReturnType<ReturnType<typeof createMemoryNet>["wire"]>;
  readonly got: string[];
  readonly ups: Link[];
  readonly downs: LinkEnd[];
  readonly forgotten: string[];
  readonly asked: string[];
  /** What the address book says, where it is not the true address. */
  book: ((id: NodeId) => readonly PeerAddress[]) | undefined;
  send(to: Node, text: Body | string, o?: Partial<Parameters<Peers["send"]>[3]> & { lane?: Lane }): Promise<Link>;
}

interface World {
  readonly clock: ManualClock;
  readonly troubles: NetTroublesUnderTest;
  readonly net: ReturnType<typeof createMemoryNet>;
  node(limits?: Partial<PeersLimits>): Node;
  close(): Promise<void>;
}

function world(): World {
  const clock = new ManualClock();
  const random = seededRandom(3);
  const troubles = netTroubles(() => random() / 2 ** 32);
  const net = createMemoryNet({ clock, troubles });
  const nodes: Node[] = [];
  return {
    clock, troubles, net,
    node: (more = {}) => {
      const made = makeNode({ clock, net, serial: BigInt(nodes.length + 1) }, { ...LIMITS, ...more });
      nodes.push(made);
      return made;
    },
    close: async () => {
      await Promise.all(nodes.flatMap((one) => [one.peers[Symbol.asyncDispose](), one.wire[Symbol.asyncDispose]()]));
      await clock.pass(0);
      assert.equal(clock.timers, 0);
      assert.equal(net.links, 0);
    },
  };
}

function makeNode(o: Pick<World, "clock" | "net"> & { readonly serial: bigint }, limits: PeersLimits): Node {
  const id: NodeId = { realm: 101, serial: o.serial, type: { manufacturer: "acme", name: "echo", version: "1.0.0" } };
  const got: string[] = [];
  const ups: Link[] = [];
  const downs: LinkEnd[] = [];
  const forgotten: string[] = [];
  const asked: string[] = [];
  const report = (): void => undefined;
  const table = createLinkTable({
    clock: o.clock, report, events: {
      frame: (_link, lane, body) => got.push(`${lane} ${new TextDecoder().decode(body)}`),
      up: (link) => ups.push(link), down: (_link, end) => downs.push(end),
    },
  }, limits);
  const wire = o.net.wire({ self: () => id, events: table.wireEvents });
  const node: Node = {
    id, name: formatNodeId(id), wire, got, ups, downs, forgotten, asked, book: undefined,
    peers: createPeers({
      clock: o.clock, report, table, wires: [wire], book: {
        addresses: async (to) => {
          asked.push(formatNodeId(to));
          return node.book?.(to) ?? [{ wire: "memory", address: formatNodeId(to) }];
        },
        failed: (_to, address) => forgotten.push(address),
      },
    }, limits),
    send: (to, text, { lane = "rpc_reliable", ...more } = {}) =>
      node.peers.send(to.id, lane, typeof text === "string" ? Buffer.from(text) : text, { ...SOON, ...more }),
  };
  wire.open();
  return node;
}

function texts(count: number, prefix = ""): string[] {
  return Array.from({ length: count }, (_, at) => `${prefix}${at}`);
}

test("however many sends wait for a peer, it is dialled once, and they arrive in order", async () => {
  const { node, clock, troubles, close } = world();
  const [ann, bob] = [node(), node()];
  troubles.make({ delayMs: 20 });
  const sends = texts(50).map((text) => ann.send(bob, text));
  assert.equal(ann.peers.stats().waiting, 50);
  await clock.pass(100);
  const links = new Set(await Promise.all(sends));
  assert.equal(links.size, 1);
  assert.deepEqual(bob.got, texts(50, "rpc_reliable "));
  assert.deepEqual(ann.asked, [bob.name]);
  assert.equal(ann.peers.stats().dials, 1);
  assert.equal(ann.peers.current(bob.id), [...links][0]);
  await close();
});

test("two nodes that have a link send on it both ways without a dial", async () => {
  const { node, clock, close } = world();
  const [ann, bob] = [node(), node()];
  await ann.send(bob, "there");
  await bob.send(ann, "back");
  await clock.pass(1);
  assert.deepEqual([bob.got, ann.got], [["rpc_reliable there"], ["rpc_reliable back"]]);
  assert.equal(bob.peers.stats().dials, 0);
  await close();
});

test("a send that finds no link in time fails as connection_not_ready, and never leaves later", async () => {
  const { node, clock, troubles, close } = world();
  const [ann, bob] = [node(), node()];
  const parted = troubles.part(ann.name, bob.name);
  const late = assert.rejects(ann.send(bob, "late", { deadlineMs: 500 }), { code: "node.connection_not_ready", retry: "elsewhere" });
  await clock.pass(600);
  await late;
  const controller = new AbortController();
  const given = assert.rejects(ann.send(bob, "given up", { deadlineMs: 5_000, signal: controller.signal }), /enough/);
  controller.abort(new Error("enough"));
  await given;
  parted[Symbol.dispose]();
  assert.equal(ann.peers.stats().waiting, 0);
  await clock.pass(30_000);
  assert.deepEqual(bob.got, []);
  await close();
});

test("the addresses of a peer are tried in their order; those that fail are forgotten", async () => {
  const { node, clock, close } = world();
  const [ann, bob, eve] = [node(), node(), node()];
  ann.book = () => [
    { wire: "webrtc", address: "unknown wire" }, { wire: "memory", address: eve.name }, { wire: "memory", address: bob.name },
  ];
  await ann.send(bob, "hi");
  await clock.pass(1);
  assert.deepEqual(bob.got, ["rpc_reliable hi"]);
  assert.deepEqual(ann.forgotten, [eve.name]);
  ann.book = () => [];
  await assert.rejects(ann.send(eve, "x"), { code: "node.unavailable" });
  ann.book = () => [{ wire: "memory", address: bob.name }];
  await assert.rejects(ann.send(eve, "x"), { code: "node.identity_mismatch" });
  assert.equal(ann.peers.stats().peers, 1);
  await close();
});

test("a link that the peer makes meanwhile serves those who wait for a dial", async () => {
  const { node, clock, troubles, close } = world();
  const [ann, bob] = [node(), node()];
  using _one = troubles.make({ lost: 1 }, { from: ann.name, to: bob.name });
  const waiting = ann.send(bob, "to bob", { deadlineMs: 5_000 });
  await clock.pass(10);
  _one[Symbol.dispose]();
  await bob.send(ann, "to ann");
  assert.equal((await waiting).inbound, true);
  await clock.pass(1);
  assert.deepEqual([ann.got, bob.got], [["rpc_reliable to ann"], ["rpc_reliable to bob"]]);
  await clock.pass(30_000);
  await close();
});

test("sends take the newest link once the older one has carried everything; an older one ends alone", async () => {
  const { node, clock, troubles, close } = world();
  const [ann, bob] = [node(), node()];
  const first = await ann.send(bob, "a0");
  using _slow = troubles.make({ delayMs: 50 });
  await ann.send(bob, "a1");
  using _fast = troubles.make({ delayMs: 1 });
  const dialled = bob.wire.dial({
    id: ann.id, address: ann.name, withinMs: 1_000, receive: () => () => undefined,
  });
  await clock.pass(2);
  const sent = [ann.send(bob, "a2"), ann.send(bob, "a3")];
  await clock.pass(100);
  const second = (await Promise.all(sent))[0];
  assert.notEqual(second, first);
  assert.equal(ann.peers.current(bob.id), second);
  assert.equal(ann.peers.links(bob.name).length, 2);
  await first.close(1000, "old");
  await clock.pass(100);
  assert.equal(ann.peers.current(bob.id), second);
  assert.equal(ann.downs.length, 1);
  await (await dialled).close(1000, "");
  await clock.pass(10);
  assert.equal(ann.peers.current(bob.id), undefined);
  await close();
});

test("a link that is full and silent holds up nothing once its peer has come back on another", async () => {
  const { node, clock, troubles, net, close } = world();
  const [ann, bob] = [node(), node()];
  const first = await ann.send(bob, "x");
  await clock.pass(1);
  const silent = troubles.make({ delayMs: 600_000 }, { from: ann.name, to: bob.name });
  await ann.send(bob, new Uint8Array(1_100_000));
  const waiting = ann.send(bob, "after", { deadlineMs: 10_000 });
  await clock.pass(1_000);
  assert.equal(ann.peers.stats().waiting, 1);
  const lost = troubles.make({ lost: 1 }, { from: ann.name, to: bob.name });
  const again = bob.wire.dial({ id: ann.id, address: ann.name, withinMs: 1_000, receive: () => (_lane, body) => bob.got.push(String(body)) });
  await clock.pass(1_900);
  assert.equal(ann.peers.stats().waiting, 1);
  await clock.pass(200);
  assert.notEqual(await waiting, first);
  lost[Symbol.dispose]();
  silent[Symbol.dispose]();
  await (await again).close(1000, "");
  net.cut();
  await clock.pass(1);
  await close();
});

test("a reply goes on the link it is bound to and on no other", async () => {
  const { node, clock, close } = world();
  const [ann, bob] = [node(), node()];
  await ann.send(bob, "ask");
  const [via] = bob.ups;
  assert.ok(via);
  assert.equal(await bob.send(ann, "answer", { via }), via);
  await via.close(1000, "");
  await clock.pass(1);
  await assert.rejects(bob.send(ann, "answer", { via }), { code: "node.unavailable" });
  assert.equal(bob.peers.stats().dials, 0);
  assert.deepEqual(ann.got, ["rpc_reliable answer"]);
  await close();
});

test("a body that is made late is made once, for the link that takes it; what its maker throws, the send throws", async () => {
  const { node, clock, close } = world();
  const [ann, bob] = [node(), node()];
  const made: Link[] = [];
  const link = await ann.send(bob, (on) => {
    made.push(on);
    return Buffer.from([...on.peer.features].join());
  });
  assert.deepEqual(made, [link]);
  await assert.rejects(ann.send(bob, () => {
    throw new Error("too late");
  }), /too late/);
  await clock.pass(1);
  assert.match(bob.got[0] ?? "", /rpc1/);
  assert.equal(bob.got.length, 1);
  await close();
});

test("a lane takes so many messages or bytes that wait; beyond that senders wait and are refused as overloaded", async () => {
  const { node, clock, troubles, close } = world();
  const ann = node({ laneMessagesMax: 10, laneBytesMax: 4 * 1_048_576, laneSendersMax: 12 });
  const bob = node();
  await ann.send(bob, "x");
  using _slow = troubles.make({ delayMs: 400 });
  const large = (): Promise<Link> => ann.send(bob, () => new Uint8Array(600_000), { deadlineMs: 300, bytes: 600_000 });
  // Two fill the wire to its high mark; of the others six fit the bytes of the lane.
  const [, , ...waiting] = Array.from({ length: 14 }, large);
  const codes = waiting.map((one) => one.then(() => "sent", (fault: { code: string }) => fault.code));
  assert.equal(ann.peers.stats().waiting, 12);
  await assert.rejects(large(), { code: "node.overloaded", retry_after_ms: 500 });
  await clock.pass(350);
  assert.deepEqual(new Set(await Promise.all(codes)), new Set(["node.overloaded"]));
  const after = ann.send(bob, "after", { deadlineMs: 1_000 });
  await clock.pass(900);
  await after;
  assert.equal(ann.peers.stats().waiting, 0);
  assert.equal(ann.peers.stats().buffered_bytes, 0);
  await close();
});

test("signals are sent before calls that wait, and no lane waits for another to be empty", async () => {
  const { node, clock, troubles, close } = world();
  const [ann, bob] = [node(), node()];
  await ann.send(bob, "first");
  const slow = troubles.make({ delayMs: 100 });
  await ann.send(bob, new Uint8Array(1_100_000));
  const sends = [
    ...texts(3, "call ").map((text) => ann.send(bob, text)),
    ...texts(3, "chunk ").map((text) => ann.send(bob, text, { lane: "stream_reliable" })),
    ann.send(bob, "signal", { lane: "rpc_signal" }),
  ];
  slow[Symbol.dispose]();
  await clock.pass(200);
  await Promise.all(sends);
  const order = bob.got.slice(2).map((one) => one.replace(/^\w+ /, ""));
  assert.equal(order[0], "signal");
  assert.deepEqual(order.slice(1, 3).toSorted(), ["call 0", "chunk 0"]);
  assert.deepEqual(order.filter((one) => one.startsWith("call")), texts(3, "call "));
  await close();
});

test("a message over the limit is refused before anything is dialled", async () => {
  const { node, close } = world();
  const [ann, bob] = [node({ messageBytesMax: 1_000 }), node()];
  await assert.rejects(ann.send(bob, new Uint8Array(1_001)), { code: "node.too_large" });
  assert.deepEqual(ann.asked, []);
  await ann.send(bob, "x");
  await assert.rejects(ann.send(bob, () => new Uint8Array(1_001)), { code: "node.too_large" });
  await close();
});

test("a peer may have four links: with a fifth the oldest is replaced", async () => {
  const { node, clock, close } = world();
  const [ann, bob] = [node(), node()];
  for (let at = 0; at < 5; at++) {
    await bob.wire.dial({ id: ann.id, address: ann.name, withinMs: 1_000, receive: () => () => undefined });
  }
  await clock.pass(1);
  assert.equal(ann.peers.links(bob.name).length, 4);
  assert.deepEqual(ann.downs.map((end) => end.code), [4409]);
  assert.equal(ann.peers.current(bob.id), ann.ups[4]);
  assert.equal(ann.peers.stats().replaced, 1);
  await close();
});

test("a link ends when the credential behind it is over by a minute and a quarter of an hour, unless it is renewed", async () => {
  const { node, clock, close } = world();
  const [ann, bob] = [node(), node()];
  const link = await ann.send(bob, "x");
  const over = (ms: number): { expires_at_ms: number; epoch: bigint } => ({ expires_at_ms: clock.now() + ms, epoch: 1n });
  ann.peers.renewed(link, over(3_600_000));
  await clock.pass(3_600_000 + 900_000);
  ann.peers.renewed(link, over(0));
  await clock.pass(959_000);
  assert.equal(ann.downs.length, 0);
  await clock.pass(61_000);
  assert.deepEqual(ann.downs, [{ code: 4401, reason: "the credential has expired", broken: false }]);
  assert.equal(ann.peers.stats().expired, 1);
  await close();
});

test("a revocation ends the links of older credentials at once, and those of no other node", async () => {
  const { node, clock, close } = world();
  const [ann, bob, eve] = [node(), node(), node()];
  const [first, second] = [await ann.send(bob, "x"), await ann.send(eve, "x")];
  for (const link of [first, second]) ann.peers.renewed(link, { expires_at_ms: clock.now() + 9_999, epoch: 4n });
  ann.peers.revoke(bob.name, 4n);
  await clock.pass(1);
  assert.equal(ann.downs.length, 0);
  ann.peers.revoke(bob.name, 5n);
  await clock.pass(1);
  assert.deepEqual(ann.downs.map((end) => end.code), [4401]);
  assert.deepEqual(ann.peers.links(), [second]);
  await close();
});

test("closing fails what waits as draining, ends the links, and takes nothing more", async () => {
  const { node, clock, troubles, close } = world();
  const [ann, bob, eve] = [node(), node(), node()];
  await ann.send(bob, "x");
  using _parted = troubles.part(ann.name, eve.name);
  const waiting = assert.rejects(ann.send(eve, "never", { deadlineMs: 10_000 }), { code: "node.draining" });
  await clock.pass(1);
  await ann.peers[Symbol.asyncDispose]();
  await waiting;
  await clock.pass(1);
  assert.deepEqual(bob.downs.map(({ code, broken }) => [code, broken]), [[1000, false]]);
  await assert.rejects(ann.send(bob, "x"), { code: "node.draining" });
  await close();
});

test("a send that comes again goes in its old place among those that wait", async () => {
  const { node, clock, close } = world();
  const [ann, bob] = [node(), node()];
  const sends = [["c", 3], ["free"], ["d", 4], ["a", 1], ["b", 2], ["e", 5]] as const;
  const sent = Promise.all(sends.map(([text, place]) => ann.send(bob, text, place === undefined ? {} : { place })));
  await clock.pass(10);
  await sent;
  assert.deepEqual(bob.got, ["a", "b", "c", "free", "d", "e"].map((text) => `rpc_reliable ${text}`));
  await close();
});
