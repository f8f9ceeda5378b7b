import assert from "node:assert/strict";
import { test } from "node:test";
import { nodeError, type NewParcel, type StateStore } from "@atoll-run/core";
import { writeEnvelope } from "@atoll-run/core/internal";
import { ManualClock, memoryState, until } from "@atoll-run/testkit";
import { bytes, testNet, testNode, text, type TestNode } from "./harness.ts";

const SCOPE = "a";

function tellParcel(to: string, n: number, clock: ManualClock, ttlMs = 3_600_000): NewParcel {
  const body = writeEnvelope({
    route_key: "acme.Echo.Note", request_id: `r-${n}`, direction: "tell", timeout_ms: 0, payload: bytes(String(n)),
    metadata: [], want_accept: true,
  }, { extensions: true });
  const about = JSON.stringify({ route: "acme.Echo.Note", request_id: `r-${n}` });
  return { to, kind: "tell", body, about, send_at_ms: clock.now(), expires_at_ms: clock.now() + ttlMs };
}

function replyParcel(to: string, id: string, clock: ManualClock): NewParcel {
  const body = writeEnvelope({
    route_key: "acme.Echo.Say", request_id: id, direction: "response", timeout_ms: 0, payload: bytes("stored"), metadata: [],
  }, { extensions: true });
  return { to, kind: "reply", body, about: "{}", send_at_ms: clock.now(), expires_at_ms: clock.now() + 30_000 };
}

async function put(store: StateStore, clock: ManualClock, ...parcels: NewParcel[]): Promise<void> {
  const ops = parcels.map((parcel) => ({ op: "send" as const, parcel }));
  assert.ok((await store.commit({ scope: SCOPE, epoch: null, at_ms: clock.now(), ops })).ok);
}

async function poster(net: ReturnType<typeof testNet>, clock: ManualClock): Promise<{ node: TestNode; store: StateStore }> {
  const store = memoryState();
  const attached = await store.commit({ scope: SCOPE, epoch: null, at_ms: clock.now(), ops: [{ op: "attach" }] });
  const epoch = attached.ok ? attached.values[0] as number : 0;
  return { store, node: testNode(net, { serial: 1, clock, outbox: { store, scope: SCOPE, epoch: () => epoch } }) };
}

test("what a transaction tells leaves the outbox in its order, once its receiver has accepted it", async () => {
  const clock = new ManualClock();
  const net = testNet(clock);
  await using b = testNode(net, { serial: 2, clock });
  const { node, store } = await poster(net, clock);
  await using _a = node;
  await put(store, clock, ...[1, 2, 3].map((n) => tellParcel(b.text, n, clock)));
  node.gate.post();
  await until(() => b.inbox.arrivals.length === 3);
  assert.deepEqual(b.inbox.arrivals.map(({ envelope }) => text(envelope.payload ?? bytes(""))), ["1", "2", "3"]);
  await until(async () => (await store.usage(SCOPE)).parcels === 0);
  assert.equal(clock.timers, 0);
});

test("a receiver that is overloaded is asked again later, the parcels behind wait with the first", async () => {
  const clock = new ManualClock();
  const net = testNet(clock);
  await using b = testNode(net, { serial: 2, clock });
  await using c = testNode(net, { serial: 3, clock });
  b.inbox.refuse = () => nodeError("node.overloaded", "full", { retry_after_ms: 100 });
  const { node, store } = await poster(net, clock);
  await using _a = node;
  await put(store, clock, tellParcel(b.text, 1, clock), tellParcel(b.text, 2, clock), tellParcel(c.text, 3, clock));
  node.gate.post();
  await until(() => node.gate.stats()["parcels_retried_total"] === 1 && c.inbox.arrivals.length === 1);
  await until(() => clock.timers === 1);
  b.inbox.refuse = undefined;
  assert.equal(b.inbox.arrivals.length, 0);
  await clock.pass(1_300);
  await until(() => b.inbox.arrivals.length === 2);
  assert.deepEqual(b.inbox.arrivals.map(({ envelope }) => envelope.request_id), ["r-1", "r-2"]);
  await until(async () => (await store.usage(SCOPE)).parcels === 0);
});

test("a tell that nobody took in its time becomes the dead letter undeliverable", async () => {
  const clock = new ManualClock();
  const net = testNet(clock);
  const { node, store } = await poster(net, clock);
  await using _a = node;
  await put(store, clock, tellParcel("2@101/acme:echo:1.0.0", 1, clock, 5_000));
  node.gate.post();
  await until(async () => {
    await clock.pass(500);
    return (await store.usage(SCOPE)).letters === 1;
  });
  const [letter] = await store.letters(SCOPE, { after: 0, limit: 10 });
  assert.equal(letter?.reason, "undeliverable");
  assert.equal(letter?.route, "acme.Echo.Note");
  assert.equal((await store.usage(SCOPE)).parcels, 0);
});

test("a tell that its receiver does not allow is undeliverable at once", async () => {
  const clock = new ManualClock();
  const net = testNet(clock);
  await using b = testNode(net, { serial: 2, clock, rules: () => [] });
  const { node, store } = await poster(net, clock);
  await using _a = node;
  await put(store, clock, tellParcel(b.text, 1, clock));
  node.gate.post();
  await until(async () => (await store.usage(SCOPE)).letters === 1);
  const [letter] = await store.letters(SCOPE, { after: 0, limit: 10 });
  assert.equal((JSON.parse(letter?.about ?? "{}") as { code: string }).code, "node.permission_denied");
});

test("a reply waits in the outbox until its caller is back", async () => {
  const clock = new ManualClock();
  const net = testNet(clock);
  const { node, store } = await poster(net, clock);
  await using _a = node;
  await put(store, clock, replyParcel("2@101/acme:echo:1.0.0", "r-7", clock));
  node.gate.post();
  await until(() => node.gate.stats()["parcels_retried_total"] === 1);
  await using b = testNode(net, { serial: 2, clock });
  await b.gate.outbound.root.tell({ to: node.text, route: "acme.Echo.Note", payload: bytes("") });
  // Nobody waits for it here: it is counted, which shows that it came.
  await until(() => b.gate.stats()["orphan_replies_total{why=\"unknown\"}"] === 1);
  await until(async () => (await store.usage(SCOPE)).parcels === 0);
});
