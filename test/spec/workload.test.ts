// Block 2.1: a run as the workload of a node. Each way a handler can end has its outcome.
import assert from "node:assert/strict";
import { test } from "node:test";
import { toWorkload } from "@atoll-run/atoll";
import type { DispatchContext, Fault, Json, MetadataEntry, Outcome } from "@atoll-run/core";
import { until } from "@atoll-run/testkit";
import { type Config, serving, type Started, stopped } from "./support.ts";

type Options = { signal?: AbortSignal; deadlineMs?: number; metadata?: readonly MetadataEntry[] };
/** Bodies as values. */
type Seen = { is: string; [field: string]: unknown };

async function dispatch(s: Started, payload: Json, o: Options = {}): Promise<Seen> {
  const outcome = await toWorkload(s.run).dispatch({
    kind: "call", id: "m-1", route: "work", payload: Buffer.from(JSON.stringify(payload)), metadata: o.metadata ?? [],
    caller: { kind: "local" }, attempt: 1, redelivered: false,
  }, context(o));
  return toSeen(outcome);
}

function toSeen(outcome: Outcome): Seen {
  const value = (bytes: Uint8Array): unknown => JSON.parse(Buffer.from(bytes).toString());
  if (outcome.is === "done") return { is: "done", reply: value(outcome.reply) };
  if (outcome.is !== "rejected") return outcome;
  const { content_type: _, ...rest } = outcome;
  return { ...rest, body: value(outcome.body) };
}

/** No handler here speaks or records. */
function context({ deadlineMs = 10_000, signal = new AbortController().signal }: Options): DispatchContext {
  const none = (): never => assert.fail("not asked for");
  return {
    self: "test", deadlineAtMs: Date.now() + deadlineMs, remainingMs: () => deadlineMs, signal, record: none, read: none,
    call: none, tell: none, discover: none, openStream: none,
  };
}

async function outcomeOf(handler: string, payload: Json = null, config: Config = {}): Promise<Seen> {
  const s = await serving(`bus.on("work", function(ev) ${handler} end) bus.serve()`, config);
  const outcome = await dispatch(s, payload);
  await stopped(s);
  return outcome;
}

function faultOf(outcome: Seen): Fault {
  assert.equal(outcome.is, "failed");
  return outcome["fault"] as Fault;
}

test("a handler's value is done, and the reply", async () => {
  assert.deepEqual(await outcomeOf("return {got = ev.payload}", [1]), { is: "done", reply: { got: [1] } });
});

test("a message is an event of its route, with its id, caller and trace", async () => {
  const s = await serving(`bus.on("work", function(ev) return {ev.kind, ev.id, ev.meta.metadata.caller} end) bus.serve()`);
  assert.deepEqual(await dispatch(s, 1, { metadata: [{ key: "caller", value: "peer" }] }), { is: "done", reply: ["work", "m-1", "peer"] });
  await stopped(s);
});

test("error{code=…} is rejected(code, body), final", async () => {
  assert.deepEqual(await outcomeOf(`error({code = "no_such_pet", pet = "cat"})`), { is: "rejected", code: "no_such_pet", body: { code: "no_such_pet", pet: "cat" }, keeps_writes: false });
});

test("a plain Lua error is failed(bus.handler_failed)", async () => {
  const outcome = await outcomeOf(`error("no luck", 0)`);
  assert.equal(outcome.is, "failed");
  const fault = faultOf(outcome);
  assert.deepEqual([fault.code, fault.message], ["bus.handler_failed", "no luck"]);
});

test("error{atoll=…} is failed with that fault", async () => {
  const outcome = await outcomeOf(`error({atoll = "node.unavailable", message = "come back", retry_after_ms = 500})`);
  const fault = faultOf(outcome);
  assert.deepEqual([fault.code, fault.message, fault.retry, fault.retry_after_ms], ["node.unavailable", "come back", "later", 500]);
});

test("a bridge error nobody caught is failed with its code and retry class", async () => {
  const outcome = await outcomeOf(`mesh.request("x", 1)`);
  const fault = faultOf(outcome);
  assert.deepEqual([fault.code, fault.retry], ["mesh.not_connected", "never"]);
});

test("a full bus is again(after_ms)", async () => {
  const gate = Promise.withResolvers<void>();
  const s = await serving("bus.serve()", { hostHandlers: { work: () => gate.promise }, limits: { busEventsMax: 1, emitMsMax: 20 } });
  const first = [dispatch(s, 1), dispatch(s, 2)];
  await until(() => s.run.stats().bus_depth === 1);
  assert.deepEqual(await dispatch(s, 3), { is: "again", after_ms: 100 });
  gate.resolve();
  assert.deepEqual(await Promise.all(first), [{ is: "done", reply: null }, { is: "done", reply: null }]);
  await stopped(s);
});

test("a guard's park is park(until)", async () => {
  assert.deepEqual(await outcomeOf(`std.fs.read("x")`, null, { guard: () => Promise.resolve({ park: "approval-7" }) }), { is: "park", until: "approval-7" });
});

test("a handler over the message's deadline is failed(bus.timeout), to be tried later", async () => {
  const s = await serving(`bus.on("work", function() std.time.sleep(60) end) bus.serve()`);
  const outcome = await dispatch(s, 1, { deadlineMs: 80 });
  const fault = faultOf(outcome);
  assert.deepEqual([fault.code, fault.retry], ["bus.timeout", "later"]);
  await stopped(s);
});

test("a cancel by the node reaches the handler", async () => {
  const s = await serving(`bus.on("work", function() local g <close> = setmetatable({}, {__close = function() print("closed") end}) print("in") std.time.sleep(60) end) bus.serve()`);
  const abort = new AbortController();
  const outcome = dispatch(s, 1, { signal: abort.signal });
  await until(() => s.printed() === "in\n");
  abort.abort();
  assert.equal((await outcome).is, "failed");
  await until(() => s.printed() === "in\nclosed\n");
  await stopped(s);
});
