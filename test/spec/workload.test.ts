// Block 2.1: a run as the workload of a node. Each way a handler can end has its outcome.
import assert from "node:assert/strict";
import { test } from "node:test";
import { toWorkload } from "@atoll-run/atoll";
import type { Json, Outcome } from "@atoll-run/core";
import { until } from "@atoll-run/testkit";
import { type Config, serving, type Started, stopped } from "./support.ts";

async function dispatch(s: Started, payload: Json, o: { signal?: AbortSignal; deadlineMs?: number; meta?: Record<string, Json> } = {}): Promise<Outcome> {
  const message = { id: "m-1", route: "work", payload, meta: o.meta ?? {} };
  return await toWorkload(s.run).dispatch(message, { deadlineMs: o.deadlineMs ?? 10_000, signal: o.signal ?? new AbortController().signal });
}

async function outcomeOf(handler: string, payload: Json = null, config: Config = {}): Promise<Outcome> {
  const s = await serving(`bus.on("work", function(ev) ${handler} end) bus.serve()`, config);
  const outcome = await dispatch(s, payload);
  await stopped(s);
  return outcome;
}

test("a handler's value is done, and the reply", async () => {
  assert.deepEqual(await outcomeOf("return {got = ev.payload}", [1]), { is: "done", reply: { got: [1] } });
});

test("a message is an event of its route, with its id, caller and trace", async () => {
  const s = await serving(`bus.on("work", function(ev) return {ev.kind, ev.id, ev.meta.caller} end) bus.serve()`);
  assert.deepEqual(await dispatch(s, 1, { meta: { caller: "peer" } }), { is: "done", reply: ["work", "m-1", "peer"] });
  await stopped(s);
});

test("error{code=…} is rejected(code, body), final", async () => {
  assert.deepEqual(await outcomeOf(`error({code = "no_such_pet", pet = "cat"})`), { is: "rejected", code: "no_such_pet", body: { code: "no_such_pet", pet: "cat" } });
});

test("a plain Lua error is failed(bus.handler_failed)", async () => {
  const outcome = await outcomeOf(`error("no luck", 0)`);
  assert.equal(outcome.is, "failed");
  assert.deepEqual([outcome.is === "failed" && outcome.fault.code, outcome.is === "failed" && outcome.fault.message], ["bus.handler_failed", "no luck"]);
});

test("error{atoll=…} is failed with that fault", async () => {
  const outcome = await outcomeOf(`error({atoll = "node.unavailable", message = "come back", retry_after_ms = 500})`);
  assert.ok(outcome.is === "failed");
  assert.deepEqual([outcome.fault.code, outcome.fault.message, outcome.fault.retry, outcome.fault.retry_after_ms], ["node.unavailable", "come back", "later", 500]);
});

test("a bridge error nobody caught is failed with its code and retry class", async () => {
  const outcome = await outcomeOf(`mesh.request("x", 1)`);
  assert.ok(outcome.is === "failed");
  assert.deepEqual([outcome.fault.code, outcome.fault.retry], ["mesh.not_connected", "never"]);
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
  assert.ok(outcome.is === "failed");
  assert.deepEqual([outcome.fault.code, outcome.fault.retry], ["bus.timeout", "later"]);
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
