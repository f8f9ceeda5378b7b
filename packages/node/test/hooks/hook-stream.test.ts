import assert from "node:assert/strict";
import { test } from "node:test";
import { nodeError, type HookEvent } from "@atoll-run/core";
import type { NodeEventMap, NodeEventName } from "@atoll-run/node";
import { createHookStream, NODE_LIMITS } from "@atoll-run/node/internal";
import { ManualClock } from "@atoll-run/testkit";

const quiet = { write: () => undefined };
const link = (peer: string): NodeEventMap["websocket_connected"] => ({ peer, direction: "out", proof: "key" });
const failure = (text: string): NodeEventMap["error"] =>
  ({ error: nodeError("node.unavailable", text), category: "transport_failure", context: "test" });

function make(limits: Partial<Record<keyof typeof NODE_LIMITS.hooks, number>> = {}) {
  const clock = new ManualClock();
  const stream = createHookStream({ clock, log: quiet }, { ...NODE_LIMITS.hooks, ...limits });
  const heard: string[] = [];
  return { clock, stream, heard };
}

/** One fact for each of the sixteen events. */
const FACTS: { readonly [N in keyof NodeEventMap]: NodeEventMap[N] } = {
  start: {}, ready: {}, stop: {},
  error: failure("no way"),
  signaling_connecting: { attempt: 1 }, signaling_connected: {}, signaling_disconnected: { reason: "cut" },
  websocket_connecting: link("a"), websocket_connected: link("a"), websocket_disconnected: link("a"),
  webrtc_connecting: { peer: "a", status: "connecting" }, webrtc_connected: { peer: "a", status: "connected" },
  webrtc_disconnected: { peer: "a", status: "recovering", relayed: true },
  credential_renewed: { expires_at_ms: 5 }, credential_expiring: { expires_at_ms: 5, cause: "lead_time" },
  mailbox_backpressure: { edge: "rising", queue_len: 1_024, threshold: 1_024 },
};

test("all sixteen hooks fire with their payload, one at a time, in the order of seq", async () => {
  const { stream } = make();
  const events: HookEvent[] = [];
  let running = 0;
  stream.open(async (event) => {
    assert.equal(++running, 1);
    await new Promise((resolve) => setImmediate(resolve));
    running--;
    events.push(event);
  });
  const names = Object.keys(FACTS).filter((name) => name !== "stop") as NodeEventName[];
  for (const name of names) stream.report(name, FACTS[name]);
  await stream.lifecycle("stop");
  assert.deepEqual(events.map(({ name }) => name), [...names, "stop"].map((name) => `on_${name}`));
  assert.deepEqual(events.map(({ seq }) => seq), events.map((_, index) => index + 1));
  const error = events.find(({ name }) => name === "on_error")?.fact ?? {};
  assert.deepEqual([error["category"], (error["error"] as { code: string }).code], ["transport_failure", "node.unavailable"]);
  assert.deepEqual(events.find(({ name }) => name === "on_webrtc_disconnected")?.fact, FACTS.webrtc_disconnected);
  assert.equal(events.length, 16);
  await stream.close();
});

test("what was raised before the workload starts waits and comes before onStart; after onStop it hears nothing", async () => {
  const { stream, heard } = make();
  stream.observe({ signaling_connected: () => void heard.push("observer"), signaling_disconnected: () => void heard.push("late") });
  stream.report("signaling_connected", {});
  stream.open(async ({ name }) => void heard.push(name));
  assert.deepEqual(await stream.lifecycle("start"), { is: "done" });
  await stream.lifecycle("stop");
  stream.report("signaling_disconnected", { reason: "closing" });
  await stream.close();
  assert.deepEqual(heard, ["on_signaling_connected", "observer", "on_start", "on_stop", "late"]);
});

test("a hook that throws is reported once, and an onError that throws is not reported at all", async () => {
  const { stream, heard } = make();
  stream.open(async ({ name }) => {
    heard.push(name);
    throw new Error("broken hook");
  });
  stream.report("credential_renewed", { expires_at_ms: 1 });
  stream.report("websocket_connected", link("a"));
  await stream.lifecycle("ready");
  await stream.close();
  const { failures } = stream.stats();
  assert.deepEqual(heard, ["on_credential_renewed", "on_websocket_connected", "on_ready", "on_error", "on_error", "on_error"]);
  assert.equal(failures, 6);
});

test("a failed onStart is given back and not reported; onReady is reported", async () => {
  const { stream, heard } = make();
  stream.open(async ({ name, fact }) => {
    if (name === "on_error") heard.push(String(fact["context"]));
    else throw nodeError("node.invalid_argument", "no table");
  });
  const end = await stream.lifecycle("start");
  assert.ok(end.is === "failed");
  assert.equal(end.fault.code, "node.invalid_argument");
  assert.equal((await stream.lifecycle("ready")).is, "failed");
  await stream.lifecycle("stop");
  assert.deepEqual(heard, ["on_ready"]);
  await stream.close();
});

test("a hook that hangs is cut after its limit, its signal fires, and the next one runs", async () => {
  const { clock, stream, heard } = make();
  let cut = false;
  stream.open(({ name }, { signal }) => {
    heard.push(name);
    if (name !== "on_signaling_connected") return undefined;
    signal.addEventListener("abort", () => (cut = true));
    return new Promise(() => undefined);
  });
  stream.report("signaling_connected", {});
  const ready = stream.lifecycle("ready");
  await clock.pass(4_999);
  assert.deepEqual(heard, ["on_signaling_connected"]);
  await clock.pass(1);
  await ready;
  await stream.close();
  assert.ok(cut);
  assert.deepEqual(heard, ["on_signaling_connected", "on_ready", "on_error"]);
  assert.equal(stream.stats().late, 1);
  assert.equal(clock.timers, 0);
});

test("when full, the connection events of one peer collapse into the newest; all others are kept", async () => {
  const { stream, heard } = make({ eventsMax: 8 });
  stream.report("credential_renewed", { expires_at_ms: 1 });
  for (let i = 0; i < 20; i++) stream.report(i % 2 === 0 ? "websocket_connected" : "websocket_disconnected", link("a"));
  stream.report("error", failure("one"));
  stream.report("mailbox_backpressure", FACTS.mailbox_backpressure);
  stream.report("websocket_connected", link("b"));
  stream.open(async ({ name, fact }) => void heard.push(`${name} ${String(fact["peer"] ?? "")}`.trim()));
  await stream.lifecycle("stop");
  const connections = heard.filter((text) => text.endsWith(" a"));
  assert.equal(connections.at(-1), "on_websocket_disconnected a");
  assert.equal(connections.length + stream.stats().collapsed, 20);
  assert.deepEqual(heard.filter((text) => !text.endsWith(" a")), [
    "on_credential_renewed", "on_error", "on_mailbox_backpressure", "on_websocket_connected b", "on_stop",
  ]);
  await stream.close();
});

test("a flood of errors is bounded and counted, and a lifecycle event always has room", async () => {
  const { stream, heard } = make({ eventsMax: 4, keptEventsMax: 8 });
  for (let i = 0; i < 100; i++) stream.report("error", failure(String(i)));
  assert.equal(stream.stats().waiting, 8);
  assert.equal(stream.stats().dropped, 92);
  const stopped = stream.lifecycle("stop");
  stream.open(async ({ name }) => void heard.push(name));
  await stopped;
  assert.equal(heard.at(-1), "on_stop");
  await stream.close();
});

test("a reader of events() gets each event with its seq, a slow one keeps within the bound, and closing ends it", async () => {
  const { stream } = make({ eventsMax: 4 });
  stream.open(undefined);
  const slow = stream.events();
  const reader = stream.events();
  const seen: number[] = [];
  const reading = (async () => {
    for await (const { seq } of reader) seen.push(seq);
  })();
  for (let i = 0; i < 40; i++) stream.report("signaling_connecting", { attempt: i });
  await stream.lifecycle("ready");
  await stream.close();
  await reading;
  assert.deepEqual(seen, seen.toSorted((a, b) => a - b));
  let kept = 0;
  for await (const { name } of slow) kept += name === "" ? 0 : 1;
  assert.ok(kept <= 4, `${kept} events waited for the slow reader`);
});

test("what nobody hears keeps its place in the order, and costs no delivery", async () => {
  const { stream, heard } = make();
  stream.open(undefined);
  stream.observe({ signaling_connected: (_fact, { seq }) => void heard.push(`observer ${seq}`) });
  stream.report("websocket_connected", link("a"));
  assert.equal(stream.stats().waiting, 0);
  stream.report("signaling_connected", {});
  assert.equal(stream.stats().waiting, 1);
  await stream.lifecycle("ready");
  const reader = stream.events();
  stream.report("websocket_disconnected", link("a"));
  await stream.close();
  for await (const { seq, name } of reader) heard.push(`${name} ${seq}`);
  assert.deepEqual(heard, ["observer 2", "on_websocket_disconnected 4"]);
});

for (const others of ["nobody", "a workload", "another observer"]) {
  test(`who comes in the turn of an event, after it, hears the next: ${others} hears it too`, async () => {
    const { stream, heard } = make();
    if (others === "another observer") stream.observe({ websocket_connected: () => undefined });
    stream.open(others === "a workload" ? async () => undefined : undefined);
    stream.report("websocket_connected", link("a"));
    stream.observe({ websocket_connected: (_fact, { seq }) => void heard.push(`observer ${seq}`) });
    const reader = stream.events();
    stream.report("websocket_connected", link("a"));
    await stream.close();
    for await (const { seq } of reader) heard.push(`reader ${seq}`);
    assert.deepEqual(heard, ["observer 2", "reader 2"]);
  });
}

test("closing gives up what hangs when its signal aborts, and drops the rest", async () => {
  const { stream, heard, clock } = make();
  stream.open(({ name }) => {
    heard.push(name);
    return new Promise(() => undefined);
  });
  stream.report("credential_renewed", { expires_at_ms: 1 });
  stream.report("credential_renewed", { expires_at_ms: 2 });
  const stopping = stream.lifecycle("stop");
  await new Promise((resolve) => setImmediate(resolve));
  await stream.close({ signal: AbortSignal.abort(new Error("no time")) });
  await stopping;
  assert.deepEqual(heard, ["on_credential_renewed"]);
  assert.equal(clock.timers, 0);
});

test("more than 64 observers or readers are a leak, and refused", async () => {
  const { stream } = make();
  stream.open(undefined);
  for (let i = 0; i < 64; i++) {
    stream.observe({});
    stream.events();
  }
  assert.throws(() => stream.observe({}), { code: "node.overloaded" });
  assert.throws(() => stream.events(), { code: "node.overloaded" });
  await stream.close();
});
