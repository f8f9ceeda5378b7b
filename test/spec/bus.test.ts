// Block 5.2: the bus as scripts and hosts see it.
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { Worker } from "node:worker_threads";
import { until } from "@atoll-run/testkit";
import { emptyFolder, resultOf, serving, start, stopped, valueOf } from "./support.ts";

const text = (code: string): Promise<unknown> => valueOf(`return tostring(select(2, pcall(function() ${code} end)))`);
const UUID4 = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const OWNED = "bus.serve() has already taken ownership; register handlers before calling bus.serve()";

test("bus.on gives nil", async () => assert.equal(await valueOf(`return bus.on("x", function() end) == nil`), true));

for (const [title, code, said] of [
  ["bus.on takes a kind", `bus.on({}, function() end)`, "bus.on: argument #1 must be a string, got table"],
  ["bus.on takes a function", `bus.on("x", 1)`, "bus.on: argument #2 must be a function, got number"],
  ["a C function is no handler", `bus.on("x", print)`, "bus.on: handler must be a pure Lua function (C functions and Rust-bound callbacks are not supported)"],
  ["a bridge is no handler", `bus.on("x", bus.emit)`, "bus.on: handler must be a pure Lua function (C functions and Rust-bound callbacks are not supported)"],
  ["bus.on_any has the same texts with its own name", `bus.on_any(print)`, "bus.on_any: handler must be a pure Lua function (C functions and Rust-bound callbacks are not supported)"],
  ["an isle that is none is refused", `bus.on("x", function() end, {isle = "third"})`, `bus.on: opts.isle must be "main" or "handler", got third`],
  ["timeout_ms is a positive number", `bus.on("x", function() end, {timeout_ms = 0})`, "bus.on: opts.timeout_ms must be a positive number"],
  ["bus.emit takes a kind", `bus.emit()`, "bus.emit: argument #1 must be a string, got nil"],
] as const) {
  test(title, async () => assert.equal(await text(code), said));
}

for (const [fn, call] of [["bus.on", `bus.on("y", function() end)`], ["bus.on_any", "bus.on_any(function() end)"], ["mesh.on", "mesh.on(function() end)"]] as const) {
  test(`${fn} under autoServe raises in the main isle: ${fn}: bus.serve() has already taken ownership`, async () => {
    const value = await valueOf(`return tostring(select(2, pcall(function() ${call} end)))`, { autoServe: true, hostHandlers: { x: () => 1 } });
    assert.equal(value, `${fn}: ${OWNED}`);
  });
}

test("bus.serve under autoServe raises bus.serve: bus already consumed", async () => {
  assert.equal(await valueOf("return tostring(select(2, pcall(bus.serve)))", { autoServe: true, hostHandlers: { x: () => 1 } }), "bus.serve: bus already consumed");
});

test("bus.serve is for the main isle only", async () => {
  const s = await serving(`bus.on("x", function() return bus.serve == nil end) bus.serve()`);
  assert.equal(await s.run.request("x", null), true);
  await stopped(s);
});

test("bus.serve gives nil after a stop", async () => {
  const s = await serving(`return {bus.serve() == nil}`);
  assert.deepEqual((await stopped(s)).value, [true]);
});

test("the last registration wins, with a warning", async () => {
  const s = await serving(`bus.on("x", function() return 1 end) bus.on("x", function() return 2 end) bus.serve()`);
  assert.equal(await s.run.request("x", null), 2);
  await stopped(s);
  assert.ok(s.warned().some((warning) => warning.includes("'x'")), s.warned().join());
});

test("a script's handler replaces the host's of the same kind: they share one table", async () => {
  const s = await serving(`bus.on("x", function() return "lua" end) bus.serve()`, { hostHandlers: { x: () => "host", y: () => "host" } });
  assert.deepEqual([await s.run.request("x", null), await s.run.request("y", null)], ["lua", "host"]);
  await stopped(s);
});

test("bus.on_any is a fallback, not a tap", async () => {
  const s = await serving(`bus.on("x", function() return "x" end) bus.on_any(function(ev) print(ev.kind) return "any" end) bus.serve()`);
  assert.deepEqual([await s.run.request("x", null), await s.run.request("y", null)], ["x", "any"]);
  await stopped(s);
  assert.equal(s.printed(), "y\n");
});

test("from the handler isle bus.on and bus.on_any are always allowed, work from the next event, and keep captures", async () => {
  const s = await serving(`bus.on("first", function()
      local file, n = io.tmpfile(), 0
      bus.on("x", function() n = n + 1 file:write("x") return n end)
      bus.on_any(function(ev) return "any " .. ev.kind end)
      return "done"
    end) bus.serve()`);
  assert.equal(await s.run.request("first", null), "done");
  assert.deepEqual([await s.run.request("x", null), await s.run.request("x", null), await s.run.request("z", null)], [1, 2, "any z"]);
  await stopped(s);
});

test("bus.emit gives nil; the id is a uuid4 unless it is given, meta is null", async () => {
  const s = await serving(`
    bus.on("x", function(ev) std.kv.set("n", ev.payload, {ev.id, ev.meta == nil}) end)
    local result = bus.emit("x", "a") == nil
    bus.emit("x", "b", "mine")
    bus.serve()
    return {result, std.kv.get("n", "a"), std.kv.get("n", "b")}`);
  const value = (await stopped(s)).value as [boolean, [string, boolean], [string, boolean]];
  assert.equal(value[0], true);
  assert.match(value[1][0], UUID4);
  assert.deepEqual([value[1][1], value[2]], [true, ["mine", true]]);
});

test("an emit without payload is an event whose payload is nil", async () => {
  const s = await serving(`bus.on("x", function(ev) print(ev.payload) end) bus.emit("x") bus.serve()`);
  await until(() => s.printed() === "nil\n");
  await stopped(s);
});

test("an emit waits while the queue is full and somebody reads", async () => {
  const s = start(`for i = 1, 20 do bus.emit("x", i) end return "all"`, { autoServe: true, hostHandlers: { x: () => new Promise((resolve) => setTimeout(resolve, 5)) }, limits: { busEventsMax: 2 } });
  const { result } = await s.end;
  assert.deepEqual([result?.value, result?.bus.handled], ["all", 20]);
});

test("an emit that waits longer than emitMsMax raises bus.overloaded with a retry hint", async () => {
  const gate = Promise.withResolvers<void>();
  const s = start(`local ok, e for i = 1, 5 do ok, e = pcall(bus.emit, "x", i) if not ok then break end end tool.call("open") return {e.code, e.retry, e.retry_after_ms > 0}`, {
    autoServe: true, hostHandlers: { x: () => gate.promise }, limits: { busEventsMax: 1, emitMsMax: 30 },
    hostTools: [{ name: "open", description: "", input_schema: {}, handler: () => gate.resolve() }],
  });
  assert.deepEqual((await s.end).result?.value, ["bus.overloaded", "later", true]);
});

test("with nobody reading a full queue raises at once: bus.emit: queue full (64), no reader; call bus.serve() or use autoServe", async () => {
  assert.equal(await text(`for i = 1, 65 do bus.emit("x", i) end`), "bus.emit: queue full (64), no reader; call bus.serve() or use autoServe");
});

test("run.emit and run.request are refused alike when the queue is full", async () => {
  const s = start("std.time.sleep(20)", { limits: { busEventsMax: 1 } });
  await s.run.emit("x", 1);
  await assert.rejects(s.run.emit("x", 2), { code: "bus.overloaded", retry: "later" });
  await assert.rejects(s.run.request("x", 2), { code: "bus.overloaded" });
  s.run.cancel();
  await s.end;
});

test("an event is kind, id, payload and meta, and nothing else", async () => {
  const s = await serving(`bus.on("x", function(ev) local keys = {} for k in pairs(ev) do keys[#keys + 1] = k end table.sort(keys) return keys end) bus.serve()`);
  assert.deepEqual(await s.run.request("x", 1, { meta: {} }), ["id", "kind", "meta", "payload"]);
  await stopped(s);
});

test("a handler that returns nil acknowledges with null", async () => {
  const s = await serving(`bus.on("x", function() end) bus.serve()`);
  assert.equal(await s.run.request("x", 1), null);
  await stopped(s);
});

test("a handler's value that has no JSON form is a nack", async () => {
  const s = await serving(`bus.on("x", function() return print end) bus.on("ok", function() return 1 end) bus.serve()`);
  await assert.rejects(s.run.request("x", 1), { message: /unsupported type for JSON conversion/ });
  assert.equal(await s.run.request("ok", 1), 1);
  await stopped(s);
});

test("a handler error is a nack, and the loop goes on", async () => {
  const s = await serving(`bus.on("x", function(ev) if ev.payload then error("no", 0) end return 1 end) bus.serve()`);
  await assert.rejects(s.run.request("x", true), { code: "bus.handler_failed", message: "no" });
  assert.equal(await s.run.request("x", false), 1);
  assert.deepEqual((await stopped(s)).bus, { emitted: 2, handled: 1, failed: 1, unserved: 0 });
});

test("inside the handler isle: no Lua handler for kind `x`, when a restart could not bring it back", async () => {
  const projectRoot = emptyFolder();
  writeFileSync(join(projectRoot, "helper.lua"), "return {answer = function() return 7 end}");
  const s = await serving(`
    local helper = require("helper")
    local answer = helper.answer
    bus.on("x", function() return answer() end)
    bus.on("die", function() while true do end end)
    bus.on("break", function() std.fs.write("helper.lua", "error('broken')") end)
    bus.serve()`, { projectRoot, ownThreads: true, limits: { sliceMsMax: 300 } });
  assert.equal(await s.run.request("x", null), 7);
  await s.run.request("break", null);
  await assert.rejects(s.run.request("die", null), { code: "isle.timeout" });
  await assert.rejects(s.run.request("x", null), { code: "bus.no_handler", message: "no Lua handler for kind `x`" });
  await stopped(s);
});

test("inside the handler isle: payload decode: … and meta decode: … for what is no JSON", async () => {
  // No way of ours lets such text in: it is put in where the host posts an event to the thread.
  const { postMessage } = Worker.prototype;
  Worker.prototype.postMessage = function post(message: { t: string; event?: { kind: string } }) {
    const { t, event } = message;
    const bad = t === "event" && event !== undefined && (event.kind === "payload" || event.kind === "meta");
    postMessage.call(this, bad ? { ...message, event: { ...event, [event.kind]: "{" } } : message);
  };
  try {
    const s = await serving(`bus.on("payload", function() end) bus.on("meta", function() end) bus.serve()`);
    await assert.rejects(s.run.request("payload", 1), { message: /^payload decode: / });
    await assert.rejects(s.run.request("meta", 1), { message: /^meta decode: / });
    await stopped(s);
  } finally {
    Worker.prototype.postMessage = postMessage;
  }
});

test("an event without handler is a nack: bus error: no handler for kind `x`, and a warning", async () => {
  const s = await serving("bus.serve()");
  await assert.rejects(s.run.request("x", null), { code: "bus.no_handler", message: "bus error: no handler for kind `x`" });
  await stopped(s);
  assert.ok(s.warned().includes("bus: no handler for event; nacking"), s.warned().join());
});

test("one handler at a time, in order of arrival, whatever the source", async () => {
  const s = await serving(`local function note(ev) std.task.sleep(2) return ev.payload end
    bus.on("lua", function(ev) std.task.sleep(2) print(ev.payload) end)
    bus.on("here", function(ev) std.task.sleep(2) print(ev.payload) end, {isle = "main"}) bus.serve()`,
  { hostHandlers: { host: async (ev) => { await new Promise((resolve) => setTimeout(resolve, 2)); order.push(ev.payload); } } });
  const order: unknown[] = [];
  const kinds = ["lua", "host", "here"];
  await Promise.all(Array.from({ length: 12 }, (_, i) => s.run.request(kinds[i % 3] as string, i)));
  assert.deepEqual(order, [1, 4, 7, 10]);
  assert.equal(s.printed(), [0, 2, 3, 5, 6, 8, 9, 11].join("\n") + "\n");
  await stopped(s);
});

test("the handler isle has bus.emit, bus.on, bus.on_any, host tools and mesh.on", async () => {
  const s = await serving(`bus.on("x", function() return {type(bus.emit), type(bus.on), type(bus.on_any), tool.list(), type(mesh.on)} end) bus.serve()`,
    { hostTools: [{ name: "h", description: "", input_schema: {}, handler: () => 1 }] });
  assert.deepEqual(await s.run.request("x", null), ["function", "function", "function", ["h"], "function"]);
  await stopped(s);
});

test("an event of a handler with timeout_ms is nacked handler timeout, and the next one is handled", async () => {
  const s = await serving(`bus.on("x", function(ev) if ev.payload then std.time.sleep(60) end return 1 end, {timeout_ms = 500}) bus.serve()`);
  await assert.rejects(s.run.request("x", true), { code: "bus.timeout", message: "handler timeout" });
  assert.equal(await s.run.request("x", false), 1);
  await stopped(s);
});

test("a queue that runs full, and free again, is reported once each", async () => {
  const s = start(`for i = 1, 6 do bus.emit("x", i) end`, { autoServe: true, hostHandlers: { x: () => new Promise((resolve) => setTimeout(resolve, 20)) }, limits: { busEventsMax: 2 } });
  await s.end;
  assert.ok(s.logs.some(({ target, msg }) => target === "bus" && /full/.test(msg)), "no word of the full queue");
  assert.ok(s.logs.some(({ target, msg }) => target === "bus" && /room/.test(msg)), "no word of its end");
});

test("events counted: emitted, handled, failed, unserved", async () => {
  const result = await resultOf(`bus.on("x", function() end) bus.emit("x", 1) bus.emit("y", 1)`);
  assert.deepEqual(result.bus, { emitted: 2, handled: 0, failed: 0, unserved: 2 });
});
