import assert from "node:assert/strict";
import { test } from "node:test";
import { nodeError } from "@atoll-run/core";
import { ManualClock, until } from "@atoll-run/testkit";
import { bytes, error, reply, testNet, testNode, text, type Handle, type TestNode } from "./harness.ts";

const TYPE = "acme:echo:1.0.0";
const ASK = { to: TYPE, route: "acme.Echo.Say", payload: bytes("x") };

/** One that asks, three that could answer. */
function group(handles: readonly Handle[], o: { readonly random?: () => number; readonly clock?: ManualClock } = {}): {
  caller: TestNode; nodes: TestNode[]; failed: string[];
} & AsyncDisposable {
  const net = testNet(o.clock);
  const failed: string[] = [];
  const clock = o.clock === undefined ? {} : { clock: o.clock };
  const nodes = handles.map((handle, at) => testNode(net, { serial: at + 10, handle, ...clock }));
  const caller = testNode(net, { serial: 1, type: "acme:caller:1.0.0", random: o.random ?? (() => 0), ...clock, discovery: {
    candidates: async (type) => type === TYPE ? nodes.map((node) => ({ id: node.text })) : [],
    failed: (_, id) => failed.push(id),
  } });
  return { caller, nodes, failed, [Symbol.asyncDispose]: async () => {
    for (const node of [caller, ...nodes]) await node[Symbol.asyncDispose]();
  } };
}

const named = (name: string): Handle => () => reply(name);

test("a call to a type goes to the less busy of two, the better placed when they are equal", async () => {
  await using all = group(["first", "second", "third"].map(named));
  const { root } = all.caller.gate.outbound;
  assert.equal(text((await root.call(ASK)).payload), "first");
});

test("a type that nobody has is not found", async () => {
  await using all = group([]);
  await assert.rejects(all.caller.gate.outbound.root.call(ASK), { code: "node.not_found" });
});

test("when the first is dead the next one answers inside the deadline", async () => {
  await using all = group(["first", "second", "third"].map(named));
  await all.nodes[0]?.[Symbol.asyncDispose]();
  assert.equal(text((await all.caller.gate.outbound.root.call(ASK)).payload), "second");
  assert.deepEqual(all.failed, [all.nodes[0]?.text]);
});

test("overloaded and draining ones are passed over, because they did not run it", async () => {
  await using all = group(["first", "second", "third"].map(named));
  const [first, second] = all.nodes;
  if (first !== undefined) first.inbox.refuse = () => nodeError("node.overloaded", "full");
  second?.gate.drain();
  assert.equal(text((await all.caller.gate.outbound.root.call(ASK)).payload), "third");
});

test("a request that may have run is not sent elsewhere, unless it is idempotent", async () => {
  const silent: Handle = () => "never";
  await using all = group([silent, named("second"), named("third")]);
  const { root } = all.caller.gate.outbound;
  const call = root.call({ ...ASK, retry: "none" });
  await until(() => all.nodes[0]?.inbox.arrivals.length);
  await all.nodes[0]?.peers.drop(undefined, 1000, "gone");
  await assert.rejects(call, { code: "node.unavailable", uncertain: true });
  assert.equal(all.nodes[1]?.inbox.arrivals.length, 0);
  const again = root.call({ ...ASK, idempotent: true });
  await until(() => all.nodes[0]?.inbox.arrivals.length === 2);
  await all.nodes[0]?.peers.drop(undefined, 1000, "gone");
  assert.equal(text((await again).payload), "second");
});

test("an answer that is an error of the handler is the answer", async () => {
  await using all = group([() => error(nodeError("node.internal", "broken")), named("second")]);
  await assert.rejects(all.caller.gate.outbound.root.call({ ...ASK, idempotent: true }), { code: "node.internal" });
});

test("who failed three times in a row is left alone for ten seconds", async () => {
  const clock = new ManualClock();
  await using all = group([named("first"), named("second")], { clock });
  const [first] = all.nodes;
  const { root } = all.caller.gate.outbound;
  let asked = 0;
  if (first !== undefined) first.inbox.refuse = () => (asked++, nodeError("node.overloaded", "full"));
  for (let n = 0; n < 5; n++) assert.equal(text((await root.call(ASK)).payload), "second");
  assert.equal(asked, 3);
  clock.advance(10_000);
  await root.call(ASK);
  assert.equal(asked, 4);
});

test("asks that are sticky go to the node that answered them, until it is away or left alone", async () => {
  let turn = 0;
  // Of two at random: first those at the front, then those at the back.
  await using all = group(["first", "second", "third"].map(named), { random: () => turn++ % 2 === 0 ? 0.99 : 0.5 });
  const { root } = all.caller.gate.outbound;
  const ask = async (sticky?: string): Promise<string> => text((await root.call({ ...ASK, ...sticky === undefined ? {} : { sticky } })).payload);
  const mine = await ask("session-1");
  assert.deepEqual(await Promise.all(Array.from({ length: 20 }, () => ask("session-1"))), Array.from({ length: 20 }, () => mine));
  const at = ["first", "second", "third"].indexOf(mine);
  const full = nodeError("node.overloaded", "full");
  const node = all.nodes[at] as TestNode;
  node.inbox.refuse = () => full;
  const other = await ask("session-1");
  assert.notEqual(other, mine, "it fails over like any other");
  node.inbox.refuse = undefined;
  assert.deepEqual(await Promise.all(Array.from({ length: 5 }, () => ask("session-1"))), Array.from({ length: 5 }, () => other), "and stays there");
  await assert.rejects(ask(""), { code: "node.invalid_argument" });
  await assert.rejects(ask("x".repeat(129)), { code: "node.invalid_argument" });
});
