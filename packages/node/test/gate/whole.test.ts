import assert from "node:assert/strict";
import { test } from "node:test";
import { until } from "@atoll-run/testkit";
import { bytes, testNet, text } from "./harness.ts";
import { wholeNode, workloadOf } from "./whole.ts";

test("what a handler tells in its transaction arrives at the other node once, in order", async () => {
  const net = testNet();
  const heard: string[] = [];
  await using b = await wholeNode(net, { serial: 2, workload: workloadOf(async ({ payload }) => {
    heard.push(text(payload));
    return { is: "done", reply: bytes("") };
  }) });
  await using a = await wholeNode(net, { serial: 1, workload: workloadOf(async ({ payload }, context) => {
    for (const part of ["x", "y"]) {
      context.record([{ write: "tell", to: b.text, route: "acme.Echo.Note", payload: bytes(text(payload) + part) }]);
    }
    return { is: "done", reply: payload };
  }) });
  for (const n of ["1", "2", "3"]) {
    await a.gate.outbound.root.tell({ to: "self", route: "acme.Echo.Go", payload: bytes(n) });
  }
  await until(() => heard.length === 6);
  assert.deepEqual(heard, ["1x", "1y", "2x", "2y", "3x", "3y"]);
  await until(async () => (await a.store.usage("node-1")).parcels === 0);
});

test("two nodes call each other inside one call, and the one who holds the key lets its own chain in", async () => {
  const net = testNet();
  const order = { is: "key" } as const;
  const nodes: Record<string, string> = {};
  const make = (other: string) => workloadOf(async ({ payload, route }, context) => {
    if (route.endsWith("Last")) return { is: "done", reply: payload };
    const next = route.endsWith("First") ? "acme.Echo.Second" : "acme.Echo.Last";
    const { payload: reply } = await context.call({ to: nodes[other] ?? "", route: next, payload });
    return { is: "done", reply };
  });
  const keyed = { ...make("b"), route: () => ({ policy: {}, key: () => order.is }) };
  await using a = await wholeNode(net, { serial: 1, workload: keyed });
  await using b = await wholeNode(net, { serial: 2, workload: make("a") });
  nodes["a"] = a.text;
  nodes["b"] = b.text;
  const { payload } = await b.gate.outbound.root.call({ to: a.text, route: "acme.Echo.First", payload: bytes("round") });
  assert.equal(text(payload), "round");
});

test("what was asked over a link that broke after the answer was stored is answered from the store, run once", async () => {
  const net = testNet();
  let runs = 0;
  const go = Promise.withResolvers<void>();
  await using b = await wholeNode(net, { serial: 2, workload: workloadOf(async ({ payload }) => {
    runs++;
    await go.promise;
    return { is: "done", reply: payload };
  }) });
  await using a = await wholeNode(net, { serial: 1, workload: workloadOf(async () => ({ is: "done", reply: bytes("") })) });
  const call = a.gate.outbound.root.call({ to: b.text, route: "acme.Echo.Say", payload: bytes("v"), requestId: "r-1" });
  await until(() => runs === 1);
  net.cut();
  go.resolve();
  assert.equal(text((await call).payload), "v");
  assert.equal(runs, 1);
});

test("who aborts the first of three hops aborts the last", async () => {
  const net = testNet();
  const nodes: Record<string, string> = {};
  const last = Promise.withResolvers<AbortSignal>();
  const hop = (next: string) => workloadOf(async ({ payload }, context) =>
    ({ is: "done", reply: (await context.call({ to: nodes[next] ?? "", route: "acme.Echo.Hop", payload })).payload }));
  await using a = await wholeNode(net, { serial: 1, workload: hop("b") });
  await using b = await wholeNode(net, { serial: 2, workload: hop("c") });
  await using c = await wholeNode(net, { serial: 3, workload: workloadOf((_, { signal }) => {
    last.resolve(signal);
    return new Promise((_resolve, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
  }) });
  Object.assign(nodes, { b: b.text, c: c.text });
  const stop = new AbortController();
  const call = a.gate.outbound.root.call({ to: b.text, route: "acme.Echo.Hop", payload: bytes(""), signal: stop.signal });
  const signal = await last.promise;
  assert.equal(signal.aborted, false);
  stop.abort();
  await assert.rejects(call, { code: "node.cancelled" });
  await until(() => signal.aborted);
});
