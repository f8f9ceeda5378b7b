// The acceptance lines B of block.md section 12, and the rows of 5.2 and 5.3, against the library.
import assert from "node:assert/strict";
import { test } from "node:test";
import { until } from "@atoll-run/testkit";
import { createLocalMesh } from "../../src/mesh/local.ts";
import { runLua, startLua } from "../support/run-script.ts";

test("B1 given one kind handler and a fallback, when another kind arrives, then only the fallback runs", async () => {
  const { run, end, printed } = startLua(`
    bus.on("a", function(ev) print("a") return "kind" end)
    bus.on_any(function(ev) print("any " .. ev.kind) return "fallback" end)
    bus.serve()`);
  assert.equal(await run.request("b", null), "fallback");
  await run.stop();
  await end;
  assert.equal(printed(), "any b\n");
});

test("B2 given a handler that fails once, when two events come, then the first is nacked with its text and the second succeeds", async () => {
  const { run, end } = startLua(`
    local n = 0
    bus.on("x", function() n = n + 1 if n == 1 then error("not yet") end return n end)
    bus.serve()`);
  await assert.rejects(run.request("x", null), { code: "bus.handler_failed", message: /not yet/ });
  assert.equal(await run.request("x", null), 2);
  await run.stop();
  await end;
});

test("B3 given no reader, when 65 events are emitted, then the 65th raises bus.overloaded at once", async () => {
  const { stdout } = await runLua(`
    for i = 1, 64 do bus.emit("x", i) end
    local ok, e = pcall(bus.emit, "x", 65)
    print(ok, e.code, e)`);
  assert.equal(stdout, "false\tbus.overloaded\tbus.emit: queue full (64), no reader; call bus.serve() or use autoServe\n");
});

test("B4 given a handler that emits and calls mesh.on, then both take effect", async () => {
  const mesh = createLocalMesh();
  const { run, end } = startLua(`
    bus.on("first", function()
      mesh.on(function(ev) return {from_mesh = ev.payload} end)
      bus.emit("second", "sent")
      return "done"
    end)
    bus.on("second", function(ev) SEEN = ev.payload end)
    bus.on("seen", function() return SEEN end)
    bus.serve()`, { mesh: mesh.join("a") });
  assert.equal(await run.request("first", null), "done");
  assert.equal(await run.request("seen", null), "sent");
  const reply = await mesh.join("b").request("a", 7, { deadlineMs: 5_000, signal: new AbortController().signal });
  assert.deepEqual(reply, { from_mesh: 7 });
  await run.stop();
  await end;
});

test("B5 given a request with 300 ms left, when its handler asks another peer, then that deadline is below 300 ms", async () => {
  const mesh = createLocalMesh();
  const seen: number[] = [];
  mesh.join("peer").serve(async (_from, payload, o) => {
    seen.push(o.deadlineMs);
    return payload;
  });
  const { run, end } = startLua(`bus.on("x", function(ev) return mesh.request("peer", ev.payload) end) bus.serve()`, { mesh: mesh.join("a") });
  await run.request("x", "warm");
  // a machine that is too busy for 300 ms gets another try
  await until(() => run.request("x", "go", { deadlineMs: 300 }).catch((error: { code: string }) => assert.equal(error.code, "bus.timeout")));
  await run.stop();
  await end;
  assert.ok(seen.slice(1).every((ms) => ms < 300 && ms > 0), String(seen));
});

test("B5 a 1 MiB payload arrives byte for byte", async () => {
  const mesh = createLocalMesh();
  const payload = Array.from({ length: 1 << 18 }, (_, i) => String.fromCodePoint(0x20 + (i % 90), 0xe000 + (i % 100))).join("");
  const { run, end } = startLua(`bus.on("x", function(ev) return ev.payload end) bus.serve()`, { mesh: mesh.join("a") });
  assert.equal(await run.request("x", payload), payload);
  await run.stop();
  await end;
});

test("the last registration of a kind wins, with a warning", async () => {
  const { run, end } = startLua(`bus.on("x", function() return 1 end) bus.on("x", function() return 2 end) bus.serve()`);
  assert.equal(await run.request("x", null), 2);
  await run.stop();
  assert.ok((await end).log.some((event) => event.level === "warn" && event.msg.includes("'x'")));
});

test("a handler must be a pure Lua function", async () => {
  const { stdout } = await runLua(`for _, f in ipairs{print, string.rep, std.json.encode} do print(select(2, pcall(bus.on, "x", f))) end`);
  const text = "bus.on: handler must be a pure Lua function (C functions and Rust-bound callbacks are not supported)\n";
  assert.equal(stdout, text.repeat(3));
});

test("an event without a handler is nacked with its kind, and the loop goes on", async () => {
  const { run, end } = startLua(`bus.on("x", function() return 1 end) bus.serve()`);
  await assert.rejects(run.request("nope", null), { code: "bus.no_handler", message: "bus error: no handler for kind `nope`" });
  assert.equal(await run.request("x", null), 1);
  await run.stop();
  assert.ok((await end).log.some((event) => event.msg === "bus: no handler for event; nacking"));
});

test("one handler runs at a time, in order of arrival", async () => {
  const { run, end } = startLua(`
    local busy = false
    bus.on("x", function(ev)
      assert(not busy) busy = true std.task.yield() busy = false
      return ev.payload
    end)
    bus.serve()`);
  const order: unknown[] = [];
  await Promise.all(Array.from({ length: 20 }, (_, i) => run.request("x", i).then((reply) => order.push(reply))));
  assert.deepEqual(order, Array.from({ length: 20 }, (_, i) => i));
  await run.stop();
  await end;
});

test("bus.serve runs once, in the main isle only", async () => {
  const { run, end, printed } = startLua(`
    bus.on("x", function() return bus.serve == nil end)
    bus.on("again", function() GO = true end, {isle = "main"})
    std.task.spawn(function() while not GO do std.task.sleep(5) end print(select(2, pcall(bus.serve))) end)
    bus.serve()`);
  assert.equal(await run.request("x", null), true);
  await run.request("again", null);
  await until(() => printed() !== "");
  await run.stop();
  assert.equal((await end).stdout, "bus.serve: already running\n");
});

test("after bus.serve the main isle may not register any more", async () => {
  const { run, end, printed } = startLua(`
    std.task.spawn(function() while not GO do std.task.sleep(5) end print(select(2, pcall(bus.on, "y", function() end))) end)
    bus.on("go", function() GO = true end, {isle = "main"})
    bus.serve()`);
  await run.request("go", null);
  await until(() => printed() !== "");
  await run.stop();
  assert.equal((await end).stdout, "bus.on: bus.serve() has already taken ownership; register handlers before calling bus.serve()\n");
});

test("a handler with timeout_ms is cancelled and nacked, and the next event is handled", async () => {
  const { run, end } = startLua(`
    bus.on("slow", function() while true do end end, {timeout_ms = 50})
    bus.on("x", function() return 1 end)
    bus.serve()`);
  await assert.rejects(run.request("slow", null), { code: "bus.timeout", message: "handler timeout" });
  assert.equal(await run.request("x", null), 1);
  await run.stop();
  await end;
});

test("without a mesh its functions say so, and bus.on of kind mesh works regardless", async () => {
  const { stdout } = await runLua(`
    print(select(2, pcall(mesh.request, "a", {})))
    print(select(2, pcall(mesh.send, "a", {})))
    bus.on("mesh", function() end)`);
  assert.equal(stdout, "mesh.request: mesh not connected (no --relay specified)\nmesh.send: mesh not connected (no --relay specified)\n");
});

test("a failed mesh request is answered with an error object, and carries who asked", async () => {
  const mesh = createLocalMesh();
  const { run, end } = startLua(`bus.on("mesh", function(ev) if ev.payload.fail then error("no", 0) end return ev.payload end) bus.serve()`,
    { mesh: mesh.join("a"), trace: { trace_id: "t1" } });
  const peer = mesh.join("b");
  const call = { deadlineMs: 5_000, signal: new AbortController().signal };
  await run.ready;
  assert.deepEqual(await peer.request("a", { fail: true }, call), { error: "no" });
  await run.stop();
  await end;
});

test("object and nil payloads of the mesh carry __ab_obs", async () => {
  const mesh = createLocalMesh();
  const got: unknown[] = [];
  mesh.join("peer").serve(async (_from, payload) => {
    got.push(payload);
    return null;
  });
  await runLua(`mesh.request("peer", {a = 1}) mesh.request("peer", nil) mesh.send("peer", "text")`, { mesh: mesh.join("a"), trace: { trace_id: "t", run_id: "r" } });
  const obs = { trace_id: "t", run_id: "r", agent_id: "", agent_name: "" };
  assert.deepEqual(got, [{ a: 1, __ab_obs: obs }, { __ab_obs: obs }, "text"]);
});
