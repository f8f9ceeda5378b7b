import assert from "node:assert/strict";
import { test } from "node:test";
import { isFault, nodeError, Deadline } from "@atoll-run/core";
import { ManualClock, until } from "@atoll-run/testkit";
import { bytes, echo, error, realClock, reply, testNet, testNode, text } from "./harness.ts";

test("a call goes to another node and its answer comes back", async () => {
  const net = testNet();
  await using a = testNode(net, { serial: 1 });
  await using b = testNode(net, { serial: 2 });
  const answer = await a.gate.outbound.root.call({ to: b.text, route: "acme.Echo.Say", payload: bytes("hi") });
  assert.equal(text(answer.payload), "hi");
  assert.equal(a.gate.stats()["pending_calls"], 0);
});

test("a call to self enters the own inbox as local, without a link", async () => {
  const net = testNet();
  await using a = testNode(net, { serial: 1 });
  for (const to of ["self", a.text, "node-1"]) {
    assert.equal(text((await a.gate.outbound.root.call({ to, route: "acme.Echo.Say", payload: bytes(to) })).payload), to);
  }
  assert.deepEqual(a.inbox.arrivals.map(({ sender }) => sender.kind), ["local", "local", "local"]);
  assert.equal(net.links, 0);
});

test("who names no time has 30 s for a call and 13 s for a tell, inside a handler what is left if that is less", async () => {
  const clock = new ManualClock();
  const net = testNet(clock);
  await using a = testNode(net, { serial: 1, clock });
  await using b = testNode(net, { serial: 2, clock, handle: () => "never" });
  const ask = { to: b.text, route: "acme.Echo.Say", payload: bytes("x"), retry: "none" as const };
  const scope = a.gate.outbound.within({ depth: 0, deadline: new Deadline(clock, 5_000), signal: new AbortController().signal });
  const ended = new Map<string, number>();
  const timed = (name: string, asked: Promise<unknown>): void => void asked.catch(() => ended.set(name, clock.monotonic()));
  await using c = testNode(net, { serial: 3, clock });
  c.inbox.admit = () => new Promise(() => undefined);
  const begun = clock.monotonic();
  timed("call", a.gate.outbound.root.call(ask));
  timed("inside", scope.call({ ...ask, deadlineMs: 20_000 }));
  timed("absent", a.gate.outbound.root.tell({ ...ask, to: "99@101/acme:gone:1.0.0", retry: "auto" }));
  timed("tell", a.gate.outbound.root.tell({ ...ask, to: c.text }));
  for (let s = 0; s < 31; s++) await clock.pass(1_000);
  const secs = (name: string): number => Math.round(((ended.get(name) ?? Infinity) - begun) / 1_000);
  assert.deepEqual({ call: secs("call"), tell: secs("tell"), inside: secs("inside") }, { call: 30, tell: 13, inside: 5 });
  assert.equal(secs("absent"), 12, "sent five times, 1, 2, 4 and 5 s apart");
});

test("a tell resolves accepted when the callee has committed it, and tells a duplicate", async () => {
  const net = testNet();
  await using a = testNode(net, { serial: 1 });
  await using b = testNode(net, { serial: 2 });
  const ask = { to: b.text, route: "acme.Echo.Note", payload: bytes("x"), requestId: "r-1" };
  assert.deepEqual(await a.gate.outbound.root.tell(ask), { level: "accepted", duplicate: false });
  assert.deepEqual(await a.gate.outbound.root.tell(ask), { level: "accepted", duplicate: true });
  assert.equal(b.inbox.arrivals.length, 1);
});

test("a tell to a legacy peer resolves sent, and none of our fields reaches it", async () => {
  const net = testNet();
  await using a = testNode(net, { serial: 1, legacy: true });
  await using b = testNode(net, { serial: 2, legacy: true });
  const told = await a.gate.outbound.root.tell({ to: b.text, route: "acme.Echo.Note", payload: bytes("x"), ttlMs: 50 });
  assert.deepEqual(told, { level: "sent", duplicate: false });
  const arrival = await until(() => b.inbox.arrivals[0]);
  assert.equal(arrival.envelope.want_accept, undefined);
  assert.equal(arrival.envelope.remaining_ms, undefined);
});

test("negative, zero and fractional times and a stream type on a call are refused, and nothing is sent", async () => {
  const net = testNet();
  await using a = testNode(net, { serial: 1 });
  await using b = testNode(net, { serial: 2 });
  const { root } = a.gate.outbound;
  const ask = { to: b.text, route: "acme.Echo.Say", payload: bytes("x") };
  const wrong: object[] = [-1, 0, 1.5, NaN, Infinity, "5"].flatMap((time) => [{ deadlineMs: time }, { ttlMs: time }]);
  wrong.push({ priority: "stream_reliable" }, { requestId: "" }, { requestId: "x".repeat(129) }, { route: "" });
  for (const one of wrong) {
    const asked = { ...ask, ...one };
    await assert.rejects("ttlMs" in one ? root.tell(asked) : root.call(asked), { code: "node.invalid_argument" });
  }
  assert.equal(b.inbox.arrivals.length, 0);
  assert.equal(net.links, 0);
});

test("an abort rejects at once, leaves nothing pending, and the callee's signal fires", async () => {
  const net = testNet();
  await using a = testNode(net, { serial: 1 });
  await using b = testNode(net, { serial: 2, handle: () => "never" });
  const stop = new AbortController();
  const call = a.gate.outbound.root.call({
    to: b.text, route: "acme.Echo.Say", payload: bytes("x"), signal: stop.signal,
  });
  const arrival = await until(() => b.inbox.arrivals[0]);
  assert.equal(arrival.stop?.aborted, false);
  stop.abort(new Error("enough"));
  await assert.rejects(call, { code: "node.cancelled", uncertain: true });
  assert.equal(a.gate.stats()["pending_calls"], 0);
  await until(() => arrival.stop?.aborted);
});

test("over three hops each has less time than the one before, and the last gives up first", async () => {
  const clock = new ManualClock();
  const net = testNet(clock);
  const order: string[] = [];
  const left: number[] = [];
  await using c = testNode(net, { serial: 3, clock, handle: ({ envelope }) => {
    left.push(envelope.remaining_ms ?? 0);
    return "never";
  } });
  await using b = testNode(net, { serial: 2, clock, handle: async ({ envelope, stop }) => {
    left.push(envelope.remaining_ms ?? 0);
    const gone = new AbortController();
    stop?.hear((reason) => gone.abort(reason));
    const speaker = b.gate.outbound.within({
      depth: envelope.depth ?? 0, deadline: new Deadline(clock, envelope.remaining_ms ?? 0),
      signal: gone.signal, ...envelope.chain_id === undefined ? {} : { chain_id: envelope.chain_id },
      ...envelope.traceparent === undefined ? {} : { traceparent: envelope.traceparent },
    });
    try {
      return reply(text((await speaker.call({ to: c.text, route: "acme.Echo.Say", payload: bytes("") })).payload));
    } catch (fault) {
      order.push("b");
      // The gate's own faults.
      return error(fault as ReturnType<typeof nodeError>);
    }
  } });
  await using a = testNode(net, { serial: 1, clock });
  const call = a.gate.outbound.root.call({
    to: b.text, route: "acme.Echo.Say", payload: bytes(""), deadlineMs: 1_000,
  }).catch(() => order.push("a"));
  await clock.pass(500);
  await clock.pass(500);
  await call;
  assert.equal(clock.timers, 0);
  assert.deepEqual(order, ["b", "a"]);
  const [first = 0, second = 0] = left;
  assert.ok(first <= 1_000 && second < first, String(left));
  const [chain, same] = [b.inbox.arrivals[0]?.envelope, c.inbox.arrivals[0]?.envelope];
  assert.deepEqual(same?.chain_id, chain?.chain_id);
  assert.deepEqual([chain?.depth, same?.depth], [1, 2]);
  assert.equal(same?.traceparent?.split("-")[1], chain?.traceparent?.split("-")[1]);
  assert.notEqual(same?.traceparent, chain?.traceparent);
});

test("a call deeper than 32 hops is refused before it is sent", async () => {
  const net = testNet();
  await using a = testNode(net, { serial: 1 });
  const scope = { depth: 32, deadline: new Deadline(realClock, 1_000), signal: new AbortController().signal };
  await assert.rejects(
    a.gate.outbound.within(scope).call({ to: "self", route: "acme.Echo.Say", payload: bytes("") }),
    { code: "node.invalid_argument" },
  );
});

test("an answer of another peer, an unknown one and a late one are dropped and counted, never run", async () => {
  const net = testNet();
  await using a = testNode(net, { serial: 1 });
  await using b = testNode(net, { serial: 2, handle: () => "never" });
  await using c = testNode(net, { serial: 3 });
  const call = a.gate.outbound.root.call({
    to: b.text, route: "acme.Echo.Say", payload: bytes("x"), requestId: "r-1", deadlineMs: 200,
  });
  await until(() => b.inbox.arrivals[0]);
  const { writeEnvelope } = await import("@atoll-run/core/internal");
  const answer = (request_id: string): Uint8Array => writeEnvelope({
    route_key: "acme.Echo.Say", request_id, direction: "response", timeout_ms: 0, payload: bytes("false"), metadata: [],
  }, { extensions: true });
  await c.peers.send(a.id, "rpc_reliable", answer("r-1"), { deadlineMs: 1_000 });
  await b.peers.send(a.id, "rpc_reliable", answer("r-9"), { deadlineMs: 1_000 });
  await assert.rejects(call, { code: "node.timed_out", uncertain: true });
  await b.peers.send(a.id, "rpc_reliable", answer("r-1"), { deadlineMs: 1_000 });
  await until(() => a.gate.stats()["orphan_replies_total{why=\"late\"}"] === 1);
  assert.equal(a.gate.stats()["orphan_replies_total{why=\"wrong_peer\"}"], 1);
  assert.equal(a.gate.stats()["orphan_replies_total{why=\"unknown\"}"], 1);
  assert.equal(a.inbox.arrivals.length, 0);
});

test("a call that is under way when its link breaks is sent again and gets the answer of the one run", async () => {
  const net = testNet();
  const finish = Promise.withResolvers<void>();
  await using a = testNode(net, { serial: 1 });
  await using b = testNode(net, { serial: 2, handle: async (arrival) => {
    await finish.promise;
    return echo(arrival) as ReturnType<typeof reply>;
  } });
  const call = a.gate.outbound.root.call({ to: b.text, route: "acme.Echo.Say", payload: bytes("once") });
  await until(() => b.inbox.arrivals[0]);
  net.cut();
  await until(() => net.links === 1);
  finish.resolve();
  assert.equal(text((await call).payload), "once");
  assert.equal(b.inbox.arrivals.length, 1);
});

test("without retries a call whose link breaks is unavailable and uncertain", async () => {
  const net = testNet();
  await using a = testNode(net, { serial: 1 });
  await using b = testNode(net, { serial: 2, handle: () => "never" });
  const call = a.gate.outbound.root.call({ to: b.text, route: "acme.Echo.Say", payload: bytes(""), retry: "none" });
  await until(() => b.inbox.arrivals[0]);
  net.cut();
  await assert.rejects(call, { code: "node.unavailable", uncertain: true });
});

test("a business error reaches the caller as its own fault", async () => {
  const net = testNet();
  const body = bytes("{\"missing\":3}");
  await using a = testNode(net, { serial: 1 });
  await using b = testNode(net, { serial: 2, handle: () => error(nodeError("node.business", "too poor", {
    facts: { error: { code: "no_funds", body } },
  })) });
  for (const to of [b.text]) {
    await assert.rejects(a.gate.outbound.root.call({ to, route: "acme.Bank.Charge", payload: bytes("") }), (fault) => {
      assert.ok(isFault(fault) && fault.code === "node.business");
      assert.deepEqual(fault.facts["error"], { code: "no_funds", body });
      return true;
    });
  }
});

test("asks without an answer are bounded, in all and for each peer", async () => {
  const net = testNet();
  await using a = testNode(net, { serial: 1, limits: { pendingPerPeerMax: 2, pendingMax: 3 } });
  await using b = testNode(net, { serial: 2, handle: () => "never" });
  await using c = testNode(net, { serial: 3, handle: () => "never" });
  const stop = new AbortController();
  const call = (to: string): Promise<unknown> => a.gate.outbound.root.call({
    to, route: "acme.Echo.Say", payload: bytes(""), signal: stop.signal,
  });
  const calls = [call(b.text), call(b.text)];
  await assert.rejects(call(b.text), { code: "node.overloaded" });
  calls.push(call(c.text));
  await assert.rejects(call(c.text), { code: "node.overloaded" });
  stop.abort();
  for (const one of await Promise.allSettled(calls)) assert.equal(one.status, "rejected");
  assert.equal(a.gate.stats()["pending_calls"], 0);
});

test("a receiver that is overloaded is asked again under the same id after its hint, inside the deadline", async () => {
  const clock = new ManualClock();
  const net = testNet(clock);
  await using a = testNode(net, { serial: 1, clock });
  await using b = testNode(net, { serial: 2, clock });
  let refused = 0;
  b.inbox.refuse = () => refused++ < 2 ? nodeError("node.overloaded", "full", { retry_after_ms: 3_000 }) : undefined;
  const call = a.gate.outbound.root.call({ to: b.text, route: "acme.Echo.Say", payload: bytes("x") });
  await clock.pass(2_999);
  assert.equal(refused, 1);
  await clock.pass(3_001);
  assert.equal(text((await call).payload), "x");
  await assert.rejects(
    (b.inbox.refuse = () => nodeError("node.overloaded", "full", { retry_after_ms: 3_000 }),
    a.gate.outbound.root.call({ to: b.text, route: "acme.Echo.Say", payload: bytes("x"), deadlineMs: 1_000 })),
    { code: "node.overloaded", retry_after_ms: 3_000 },
  );
});

test("a call to a node that cannot be reached waits inside its deadline, then says that nothing ran", async () => {
  const clock = new ManualClock();
  const net = testNet(clock);
  await using a = testNode(net, { serial: 1, clock });
  const call = assert.rejects(a.gate.outbound.root.call({
    to: "2@101/acme:echo:1.0.0", route: "acme.Echo.Say", payload: bytes("x"), deadlineMs: 5_000,
  }), (fault) => isFault(fault) && fault.code === "node.unavailable" && fault.uncertain !== true);
  await clock.pass(5_000);
  await call;
});
