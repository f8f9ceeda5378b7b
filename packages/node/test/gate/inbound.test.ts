import assert from "node:assert/strict";
import { test } from "node:test";
import { nodeError, SYSTEM_ROUTES, type NodeId } from "@atoll-run/core";
import { CancelSchema, readEnvelope, writeEnvelope, writeMessage, type Envelope, type Rule } from "@atoll-run/core/internal";
import { ManualClock, until } from "@atoll-run/testkit";
import { bytes, error, idOf, testNet, testNode, text, type TestNode, type TestNodeOptions } from "./harness.ts";

const ROUTE = "acme.Echo.Say";

function envelope(o: Partial<Envelope> = {}): Envelope {
  return {
    route_key: ROUTE, request_id: "r-1", direction: "request", timeout_ms: 1_000, payload: bytes("x"), metadata: [], ...o,
  };
}

/** Somebody who sends what it wants and keeps what comes. */
function stranger(net: ReturnType<typeof testNet>, o: Partial<TestNodeOptions> & { serial: number }): {
  node: TestNode; send: (to: NodeId, body: Uint8Array) => Promise<unknown>; answers: Envelope[];
} {
  const node = testNode(net, o);
  const answers: Envelope[] = [];
  const events = node.gate.events;
  const frame = events.frame.bind(events);
  events.frame = (link, lane, body) => {
    const read = readEnvelope(body);
    if (read.ok) answers.push(read.value);
    frame(link, lane, body);
  };
  return { node, answers, send: (to, body) => node.peers.send(to, "rpc_reliable", body, { deadlineMs: 1_000 }) };
}

test("an envelope without a direction is dropped and kept as unreadable, never run", async () => {
  const net = testNet();
  await using b = testNode(net, { serial: 2 });
  const { node, send } = stranger(net, { serial: 1 });
  await using _a = node;
  const whole = writeEnvelope(envelope(), { extensions: false });
  // `direction` is field 4: tag 0x20 and one byte.
  const at = whole.findIndex((byte, index) => byte === 0x20 && whole[index + 1] === 1);
  await send(b.id, Uint8Array.from([...whole.subarray(0, at), ...whole.subarray(at + 2)]));
  const unknown = Uint8Array.from(whole);
  unknown[at + 1] = 9;
  await send(b.id, unknown);
  await until(() => b.inbox.unread.length === 2);
  assert.deepEqual(b.inbox.unread.map(({ reason }) => reason), ["envelope_invalid", "envelope_invalid"]);
  assert.equal(b.inbox.unread[0]?.sender, node.text);
  assert.equal(b.gate.stats()["frames_rejected_total{why=\"envelope_invalid\"}"], 2);
  assert.equal(b.inbox.arrivals.length, 0);
});

test("more than ten unreadable frames a minute close the connection", async () => {
  const clock = new ManualClock();
  const net = testNet(clock);
  await using b = testNode(net, { serial: 2, clock });
  const { node, send } = stranger(net, { serial: 1, clock });
  await using _a = node;
  for (let n = 0; n < 10; n++) await send(b.id, bytes("no"));
  await until(() => b.inbox.unread.length === 10);
  clock.advance(60_000);
  const links = node.peers.links();
  for (let n = 0; n < 10; n++) await send(b.id, bytes("no"));
  await until(() => b.inbox.unread.length === 20);
  assert.equal(net.links, 1);
  await send(b.id, bytes("no"));
  assert.equal((await links[0]?.ended)?.code, 4400);
});

const ALL = ["call", "tell", "stream"] as const;
type Actions = readonly (typeof ALL)[number][];

/** Rules → what a peer of this realm with a proved key may do, a bearer of this realm, and a peer of another realm. */
const MATRIX: readonly (readonly [string, readonly Rule[] | undefined, Actions, Actions, Actions])[] = [
  ["no rule set", undefined, [], [], []],
  ["no rules", [], [], [], []],
  ["all", [rule("allow", "*")], ALL, ALL, []],
  ["calls of the route", [rule("allow", "call:acme.Echo.*")], ["call"], ["call"], []],
  ["calls of another route", [rule("allow", "call:acme.Bank.*")], [], [], []],
  ["tells", [rule("allow", "tell:*")], ["tell"], ["tell"], []],
  ["the stream", [rule("allow", "stream:audit")], ["stream"], ["stream"], []],
  ["another stream", [rule("allow", "stream:other")], [], [], []],
  ["deny over allow", [rule("allow", "*"), rule("deny", "call:*")], ["tell", "stream"], ["tell", "stream"], []],
  ["deny before allow", [rule("deny", "stream:*", { realm: "any" }), rule("allow", "*", { realm: "any" })], ["call", "tell"], ["call", "tell"], ["call", "tell"]],
  ["another realm", [rule("allow", "*", { realm: 7 })], [], [], ALL],
  ["a third realm", [rule("allow", "*", { realm: 8 })], [], [], []],
  ["any realm", [rule("allow", "*", { realm: "any" })], ALL, ALL, ALL],
  ["another type", [rule("allow", "*", { type: "evil:*:*", realm: "any" })], [], [], []],
  ["this node", [rule("allow", "*", { node: "1@101/acme:echo:1.0.0" })], ALL, [], []],
  ["another node", [rule("allow", "*", { node: "9@101/acme:echo:1.0.0" })], [], [], []],
  ["proved by key", [rule("allow", "*", { proof: "key", realm: "any" })], ALL, [], ALL],
  ["bearers denied what is not proved", [rule("allow", "tell:*"), rule("allow", "*", { proof: "key" })], ALL, ["tell"], []],
];

function rule(effect: "allow" | "deny", action: string, from: Partial<Rule["from"]> = {}): Rule {
  return { effect, from: { type: "*:*:*", realm: "self", ...from }, actions: [action] };
}

test("the rules decide over calls, tells and streams of every caller: deny by default, deny over allow", async (t) => {
  const net = testNet();
  let rules: readonly Rule[] | undefined;
  await using b = testNode(net, { serial: 2, bearers: [3], rules: () => rules, readStream: async (stream) => {
    for await (const _ of stream);
  } });
  await using ofKey = testNode(net, { serial: 1 });
  await using bearer = testNode(net, { serial: 3 });
  await using foreign = testNode(net, { serial: 4, realm: 7 });
  const ask = { to: b.text, route: ROUTE, payload: bytes("x") };
  type Root = typeof ofKey.gate.outbound.root;
  const tries: Record<(typeof ALL)[number], (root: Root) => Promise<unknown>> = {
    call: (root) => root.call(ask), tell: (root) => root.tell(ask),
    stream: async (root) => (await root.openStream(b.text, "audit")).end(),
  };
  for (const [name, set, ...allowed] of MATRIX) {
    await t.test(name, async () => {
      rules = set;
      for (const [at, { gate }] of [ofKey, bearer, foreign].entries()) {
        for (const action of ALL) {
          const done = tries[action](gate.outbound.root);
          if (allowed[at]?.includes(action) === true) await done;
          else await assert.rejects(done, { code: "node.permission_denied", retry: "never" }, `${action} of caller ${at}`);
        }
      }
    });
  }
});

test("refusals by the rules are written down at most once a second and peer", async () => {
  const clock = new ManualClock();
  const net = testNet(clock);
  await using b = testNode(net, { serial: 2, clock, rules: () => [] });
  await using a = testNode(net, { serial: 1, clock });
  const ask = { to: b.text, route: ROUTE, payload: bytes("x") };
  for (let n = 0; n < 5; n++) await assert.rejects(a.gate.outbound.root.call(ask));
  assert.equal(b.log.filter(({ msg }) => msg === "refused by the rules").length, 1);
  clock.advance(1_000);
  await assert.rejects(a.gate.outbound.root.call(ask));
  const lines = b.log.filter(({ msg }) => msg === "refused by the rules");
  assert.deepEqual(lines.map(({ fields }) => fields?.["more_since"]), [0, 4]);
  assert.equal(b.gate.stats()["acl_denied_total"], 6);
});

test("a request without a positive timeout is answered invalid_argument", async () => {
  const net = testNet();
  await using b = testNode(net, { serial: 2 });
  const { node, send, answers } = stranger(net, { serial: 1 });
  await using _a = node;
  await send(b.id, writeEnvelope(envelope({ timeout_ms: 0 }), { extensions: true }));
  await until(() => answers.length === 1);
  assert.equal(answers[0]?.error?.code, 10_005);
  assert.equal(b.inbox.arrivals.length, 0);
});

test("requests before the intake opens wait in order, those over the cap and over 5 s are not ready", async () => {
  const clock = new ManualClock();
  const net = testNet(clock);
  await using b = testNode(net, { serial: 2, clock, shut: true, limits: { earlyMax: 3 } });
  await using a = testNode(net, { serial: 1, clock });
  const ask = { to: b.text, route: ROUTE, payload: bytes("x"), retry: "none" } as const;
  // One link, so that the requests come in their order.
  await a.peers.send(b.id, "rpc_reliable", writeEnvelope(envelope({ direction: "response" }), { extensions: true }), {
    deadlineMs: 1_000,
  });
  const call = (n: number): Promise<unknown> => a.gate.outbound.root.call({ ...ask, requestId: `r-${n}` });
  const calls = [1, 2, 3].map(call);
  await assert.rejects(call(4), { code: "node.connection_not_ready", retry_after_ms: 1_000 });
  assert.equal(b.inbox.arrivals.length, 0);
  b.gate.open();
  await Promise.all(calls);
  assert.deepEqual(b.inbox.arrivals.map(({ envelope: { request_id } }) => request_id), ["r-1", "r-2", "r-3"]);
  await using c = testNode(net, { serial: 3, clock, shut: true });
  const late = assert.rejects(a.gate.outbound.root.call({ ...ask, to: c.text }), { code: "node.connection_not_ready" });
  await clock.pass(5_000);
  await late;
});

test("a node that drains tells callers to go elsewhere, and its host asks nothing new", async () => {
  const net = testNet();
  await using b = testNode(net, { serial: 2 });
  await using a = testNode(net, { serial: 1 });
  const ask = { to: b.text, route: ROUTE, payload: bytes("x") };
  b.gate.drain();
  await assert.rejects(a.gate.outbound.root.call(ask), { code: "node.draining", retry: "elsewhere" });
  await assert.rejects(a.gate.outbound.root.tell(ask), { code: "node.draining" });
  await assert.rejects(b.gate.outbound.root.call({ ...ask, to: a.text }), { code: "node.draining" });
  await b.gate.close();
  await assert.rejects(b.gate.outbound.root.call({ ...ask, to: a.text }), { code: "node.wrong_state" });
});

test("a probe is answered by the node itself, and a newer credential goes to who checks it", async () => {
  const net = testNet();
  const shown: string[] = [];
  await using b = testNode(net, { serial: 2, rules: () => [], refresh: async (_, payload) => {
    shown.push(text(payload));
    if (text(payload) === "bad") throw nodeError("node.permission_denied", "no");
  } });
  const { node, send, answers } = stranger(net, { serial: 1 });
  await using _a = node;
  const ask = (route_key: string, payload: string): Uint8Array =>
    writeEnvelope(envelope({ route_key, payload: bytes(payload) }), { extensions: true });
  await send(b.id, ask(SYSTEM_ROUTES.probe, ""));
  await send(b.id, ask(SYSTEM_ROUTES.refresh, "good"));
  await send(b.id, ask(SYSTEM_ROUTES.refresh, "bad"));
  await until(() => answers.length === 3);
  assert.deepEqual(answers.map((answer) => answer.error?.code ?? answer.payload?.length), [0, 0, 10_004]);
  assert.deepEqual(shown, ["good", "bad"]);
  assert.equal(b.inbox.arrivals.length, 0);
});

test("nobody cancels the request of another, nor one of another route", async () => {
  const net = testNet();
  await using b = testNode(net, { serial: 2, handle: () => "never" });
  const one = stranger(net, { serial: 1 });
  const other = stranger(net, { serial: 3 });
  await using _a = one.node;
  await using _c = other.node;
  await one.send(b.id, writeEnvelope(envelope(), { extensions: true }));
  const arrival = await until(() => b.inbox.arrivals[0]);
  const cancel = (routeKey: string): Uint8Array => writeEnvelope(envelope({
    route_key: SYSTEM_ROUTES.cancel, direction: "tell", timeout_ms: 0,
    payload: writeMessage(CancelSchema, { requestId: "r-1", routeKey }),
  }), { extensions: true });
  const probe = writeEnvelope(envelope({ route_key: SYSTEM_ROUTES.probe, request_id: "p" }), { extensions: true });
  await other.send(b.id, cancel(ROUTE));
  await one.send(b.id, cancel("acme.Echo.Other"));
  for (const { send, answers } of [one, other]) {
    await send(b.id, probe);
    await until(() => answers.length === 1);
  }
  assert.equal(arrival.stop?.aborted, false);
  await one.send(b.id, cancel(ROUTE));
  await until(() => arrival.stop?.aborted);
});

test("two callers with one request id each get their own answer", async () => {
  const net = testNet();
  await using b = testNode(net, { serial: 2 });
  await using a = testNode(net, { serial: 1 });
  await using c = testNode(net, { serial: 3 });
  const ask = (node: TestNode, payload: string): Promise<string> => node.gate.outbound.root
    .call({ to: b.text, route: ROUTE, payload: bytes(payload), requestId: "same" }).then((answer) => text(answer.payload));
  assert.deepEqual(await Promise.all([ask(a, "a"), ask(c, "c")]), ["a", "c"]);
  assert.equal(b.inbox.arrivals.length, 2);
});

test("a legacy caller sees a business error as code 10005, and its answers carry none of our fields", async () => {
  const net = testNet();
  await using b = testNode(net, { serial: 2, legacy: true, handle: () => error(nodeError("node.business", "too poor", {
    facts: { error: { code: "no_funds", body: bytes("{}") } },
  })) });
  const { node, send, answers } = stranger(net, { serial: 1, legacy: true });
  await using _a = node;
  await send(b.id, writeEnvelope(envelope({ want_accept: true }), { extensions: true }));
  await until(() => answers.length === 1);
  assert.deepEqual([answers[0]?.error?.code, answers[0]?.error?.detail], [10_005, undefined]);
  assert.match(answers[0]?.error?.message ?? "", /^business:no_funds: /);
});

test("an id that no peer has proved is refused by the rules as anybody else's", async () => {
  const net = testNet();
  const named: Rule = { effect: "allow", from: { type: "*:*:*", realm: "self", proof: "key" }, actions: ["*"] };
  await using b = testNode(net, { serial: 2, rules: () => [named] });
  const { node } = stranger(net, { serial: 1 });
  await using _a = node;
  await node.peers.send(b.id, "rpc_reliable", writeEnvelope(envelope(), { extensions: true }), { deadlineMs: 1_000 });
  await until(() => b.inbox.arrivals.length === 1);
  assert.deepEqual(b.inbox.arrivals[0]?.sender, { kind: "peer", id: idOf(1), proof: "key" });
});

test("a legacy caller whose link broke gets its answer when it is back in time", async () => {
  const net = testNet();
  const go = Promise.withResolvers<void>();
  await using b = testNode(net, { serial: 2, legacy: true, handle: async () => {
    await go.promise;
    return { is: "reply", payload: bytes("late") };
  } });
  const { node, send, answers } = stranger(net, { serial: 1, legacy: true });
  await using _a = node;
  await send(b.id, writeEnvelope(envelope({ timeout_ms: 60_000 }), { extensions: false }));
  await until(() => b.inbox.arrivals.length === 1);
  net.cut();
  go.resolve();
  await until(() => b.gate.stats()["replies_unsent_total"] === 1);
  await send(b.id, writeEnvelope(envelope({ direction: "tell", request_id: "r-2", timeout_ms: 0 }), { extensions: false }));
  await until(() => answers.length === 1);
  assert.equal(text(answers[0]?.payload ?? bytes("")), "late");
});

test("a call that times out closes no connection; after ten silent seconds only a failed probe does", async () => {
  const clock = new ManualClock();
  const net = testNet(clock);
  await using b = testNode(net, { serial: 2, clock, handle: () => "never" });
  await using a = testNode(net, { serial: 1, clock });
  const call = async (deadlineMs: number): Promise<void> => {
    const late = assert.rejects(a.gate.outbound.root.call({ to: b.text, route: ROUTE, payload: bytes(""), deadlineMs }), {
      code: "node.timed_out",
    });
    await clock.pass(deadlineMs);
    await late;
  };
  await call(1_000);
  await call(20_000);
  await clock.pass(5_000);
  assert.equal(net.links, 1);
  const [link] = a.peers.links();
  assert.ok(link !== undefined);
  link.probe = async () => false;
  await call(20_000);
  await until(() => net.links === 0);
});

test("streams of a node that drains are let end, and what is left is reset as draining", async () => {
  const net = testNet();
  const ended: string[] = [];
  await using b = testNode(net, { serial: 2, readStream: async (stream) => {
    for await (const _ of stream);
    ended.push(stream.name);
  } });
  await using a = testNode(net, { serial: 1 });
  const [good, bad] = [
    await a.gate.outbound.root.openStream(b.text, "good"), await a.gate.outbound.root.openStream(b.text, "bad"),
  ];
  const time = new AbortController();
  const drained = b.gate.drainStreams(time.signal);
  await good.end();
  await assert.rejects(a.gate.outbound.root.openStream(b.text, "more"), { code: "node.draining" });
  time.abort();
  assert.equal(await drained, 1);
  await until(() => bad.signal.aborted);
  assert.equal((bad.signal.reason as { code: string }).code, "node.draining");
  assert.deepEqual(ended, ["good"]);
});
