// Block 10: each limit breached once, and its defaults for usual and restricted runs.
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { after, test } from "node:test";
import { createLocalMesh } from "@atoll-run/atoll/block";
import { blockLimits, LIMITS } from "@atoll-run/core";
import { until } from "@atoll-run/testkit";
import { faultOf, resultOf, serving, start, stopped, valueOf } from "./support.ts";

const MIB = 1024 * 1024;
const server = createServer((request, response) => {
  if (request.url === "/big") response.end("x".repeat(100_000));
  else if (request.url === "/event") response.writeHead(200, { "content-type": "text/event-stream" }).end(`data: ${"x".repeat(10_000)}\n\n`);
  else if (request.url === "/loop") response.writeHead(302, { location: "/loop" }).end();
  else held.push(response);
});
const held: { end(text: string): void }[] = [];
await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
const { port } = server.address() as { port: number };
after(() => {
  server.closeAllConnections();
  server.close();
});
const raised = (call: string): string => `local at = "http://127.0.0.1:${port}" local ok, e = pcall(function() ${call} end) return {e.code, tostring(e)}`;

// ---- the table

for (const [name, usual, restricted] of [
  ["isleBytesMax", 256 * MIB, 64 * MIB], ["wallMsMax", Infinity, Infinity], ["cpuMsMax", Infinity, Infinity], ["handlerMsMax", Infinity, Infinity],
  ["sliceMsMax", Infinity, 10_000], ["sliceSharedMsMax", 100, 100], ["printBytesMax", Infinity, 10 * MIB], ["printBytesPerSecondMax", Infinity, MIB],
  ["busEventsMax", 64, 64], ["busBytesMax", 256 * MIB, 64 * MIB], ["emitMsMax", 30_000, 30_000], ["ackMsMax", 30_000, 30_000], ["graceMs", 1_000, 1_000], ["hardStopMs", 500, 500], ["endMsMax", 5_000, 5_000],
  ["lingerMs", Infinity, 5_000], ["lingerWarnMs", 30_000, 30_000], ["isleQueueMax", 256, 256], ["liveTasksMax", 10_000, 1_000],
  ["httpBodyBytesMax", 10 * MIB, 10 * MIB], ["sseEventBytesMax", MIB, MIB], ["httpOpenMax", 256, 32], ["childOutputBytesMax", 10 * MIB, MIB], ["childrenLiveMax", 128, 16],
  ["meshPayloadBytesMax", 4 * MIB, 4 * MIB], ["walkDepthMax", 256, 256], ["walkEntriesMax", 10_000, 10_000],
] as const) {
  test(`${name} is ${usual} by default and ${restricted} in restricted mode`, () => {
    assert.deepEqual([blockLimits(false)[name], blockLimits(true)[name], LIMITS[name].default], [usual, restricted, usual]);
  });
}

test("a limit that is none, or out of range, is config.invalid", async () => {
  const fault = await faultOf("", { limits: { busEventsMax: -1, nonsense: 1 } as object });
  assert.equal(fault.code, "config.invalid");
  assert.match(fault.message, /limits\.busEventsMax/);
  assert.match(fault.message, /limits\.nonsense/);
});

// ---- isle

test("isleBytesMax: not enough memory, then isle.memory", async () => {
  const fault = await faultOf("local s = 'x' while true do s = s .. s end", { limits: { isleBytesMax: 16 * MIB } });
  assert.deepEqual([fault.code, fault.message.split("\n")[0]], ["isle.memory", "limit error: not enough memory"]);
});

test("wallMsMax: isle.timeout, although everything waits", async () => {
  assert.equal((await faultOf("std.time.sleep(60)", { limits: { wallMsMax: 100 } })).code, "isle.timeout");
});

test("cpuMsMax: isle.timeout; waiting does not count", async () => {
  assert.equal((await faultOf("while true do end", { limits: { cpuMsMax: 100 } })).code, "isle.timeout");
  assert.equal(await valueOf("std.time.sleep(0.4) return 1", { limits: { cpuMsMax: 300 } }), 1);
});

test("cpuMsMax: used up by a handler isle it ends the run, without a restart", async () => {
  const s = await serving(`bus.on("die", function() while true do end end) bus.serve()`, { limits: { cpuMsMax: 100 } });
  const restarts: string[] = [];
  s.run.on("isle:restarted", ({ why }) => restarts.push(why));
  await assert.rejects(s.run.request("die", null), { code: "isle.timeout" });
  assert.equal((await s.end).error?.code, "isle.timeout");
  assert.deepEqual(restarts, []);
});

test("handlerMsMax: the handler is cancelled, nack handler timeout", async () => {
  const s = await serving(`bus.on("x", function() while true do end end) bus.on("y", function() return 1 end) bus.serve()`, { limits: { handlerMsMax: 1_500 } });
  await assert.rejects(s.run.request("x", null), { message: "handler timeout" });
  assert.equal(await s.run.request("y", null), 1);
  await stopped(s);
});

test("sliceMsMax: isle.timeout for CPU without giving way", async () => {
  assert.equal((await faultOf("while true do end", { limits: { sliceMsMax: 100 }, ownThreads: true })).code, "isle.timeout");
});

test("handlerRestartsMax: one death more fails the run", async () => {
  const s = await serving(`bus.on("die", function() while true do end end) bus.serve()`, { ownThreads: true, limits: { sliceMsMax: 60, handlerRestartsMax: 1 } });
  const restarts: string[] = [];
  s.run.on("isle:restarted", ({ why }) => restarts.push(why));
  await assert.rejects(s.run.request("die", null));
  await until(() => restarts.length === 1);
  await assert.rejects(s.run.request("die", null));
  assert.equal((await s.end).error?.code, "isle.timeout");
  assert.equal(restarts.length, 1);
});

test("liveTasksMax: spawn raises", async () => {
  const value = await valueOf(`local ok, e for i = 1, 20 do ok, e = pcall(std.task.spawn, function() std.task.sleep(50) end) if not ok then return {i, tostring(e)} end end`, { limits: { liveTasksMax: 5 } }) as [number, string];
  assert.ok(value[0] > 4 && value[0] < 8, String(value));
});

test("isleQueueMax: awaited calls wait", async () => {
  const gate = Promise.withResolvers<void>();
  const s = start(`local t = {} for i = 1, 10 do t[i] = std.task.spawn(function() tool.call("hold") return 1 end) end local n = 0 for i = 1, 10 do n = n + t[i]:join() end return n`,
    { limits: { isleQueueMax: 3 }, hostTools: [{ name: "hold", description: "", input_schema: {}, handler: () => gate.promise }] });
  await until(() => s.run.stats().open_calls === 3);
  gate.resolve();
  assert.equal((await s.end).result?.value, 10);
});

// ---- output and reports

test("printBytesMax: cut, one notice, event limit", async () => {
  const s = start("for i = 1, 100 do print(('x'):rep(99)) end return 1", { limits: { printBytesMax: 1_000 } });
  const limits: string[] = [];
  s.run.on("limit", ({ limit }) => limits.push(limit));
  assert.equal((await s.end).result?.value, 1);
  assert.deepEqual([s.printed().length, limits, s.warned().filter((text) => /output/.test(text)).length], [1_000, ["isle.output"], 1]);
});

test("printBytesPerSecondMax: cut, one notice, event limit", async () => {
  const s = start("for i = 1, 100 do print(('x'):rep(99)) end", { limits: { printBytesPerSecondMax: 100 } });
  const limits: string[] = [];
  s.run.on("limit", ({ limit }) => limits.push(limit));
  await s.end;
  assert.deepEqual([s.printed().length, limits], [1_000, ["isle.output"]]);
});

test("runEventsMax: a slow reader of events() gets lost", async () => {
  const s = start("for i = 1, 50 do log.info('x') end", { limits: { runEventsMax: 4 } });
  const stream = s.run.events();
  await s.end;
  const names: string[] = [];
  for await (const { name } of stream) names.push(name);
  assert.ok(names.includes("lost") && names.length <= 5, String(names));
});

test("warningsMax: later warnings are only logged", async () => {
  const s = start("print(1) print(2) print(3)", { limits: { warningsMax: 1 } });
  s.run.on("print", () => { throw new Error("listener"); });
  const { result } = await s.end;
  assert.equal(result?.warnings.length, 1);
});

// ---- bus and end of a run

test("busEventsMax: bus.overloaded with retry hint, both edges reported", async () => {
  const s = await serving(`bus.serve()`, { limits: { busEventsMax: 2, emitMsMax: 20 }, hostHandlers: { x: () => gate.promise } });
  const gate = Promise.withResolvers<void>();
  const limits: string[] = [];
  s.run.on("limit", ({ limit }) => limits.push(limit));
  for (let i = 0; i < 3; i++) await s.run.emit("x", i);
  await assert.rejects(s.run.emit("x", 4), { code: "bus.overloaded", retry: "later", retry_after_ms: 100 });
  gate.resolve();
  await until(() => s.logs.some(({ msg }) => msg === "bus: queue has room again"));
  assert.deepEqual(limits, ["bus.overloaded"]);
  assert.ok(s.warned().includes("bus: queue full (2)"));
  await stopped(s);
});

test("busBytesMax: bus.overloaded for what waits, however few events it is; who waits is not overtaken", async () => {
  const s = await serving(`bus.serve()`, { limits: { busBytesMax: 10_000, emitMsMax: 20_000 }, hostHandlers: { x: async ({ payload }) => {
    handled.push(String(payload)[0] as string);
    await gate.promise;
  } } });
  const gate = Promise.withResolvers<void>();
  const handled: string[] = [];
  await s.run.emit("x", "a".repeat(9_000));
  await until(() => handled.length === 1);
  await s.run.emit("x", "b".repeat(9_000));
  const late = ["c".repeat(2_000), "d"].map((payload) => s.run.emit("x", payload));
  await assert.rejects(s.run.emit("x", "e".repeat(10_000)),
    { code: "bus.overloaded", retry: "later", message: "emit: queue full (10000 bytes), the event alone is larger" });
  await until(() => s.warned().includes("bus: queue full (10000 bytes)"));
  assert.equal(s.run.stats().bus_depth, 1);
  gate.resolve();
  await Promise.all(late);
  await stopped(s);
  assert.deepEqual(handled, ["a", "b", "c", "d"]);
  assert.ok(s.logs.some(({ msg }) => msg === "bus: queue has room again"));
});

test("busBytesMax: without a reader bus.emit raises at once", async () => {
  assert.deepEqual(await valueOf(`for i = 1, 10 do
      local ok, e = pcall(bus.emit, "x", ("x"):rep(1000))
      if not ok then return {i, e.code, tostring(e)} end
    end`, { limits: { busBytesMax: 5_000 } }),
  [5, "bus.overloaded", "bus.emit: queue full (5000 bytes), no reader; call bus.serve() or use autoServe"]);
});

test("graceMs and hardStopMs: a handler that does not end is unfinished", async () => {
  const s = start(`while not tool.call("busy") do std.time.sleep(0.01) end`, {
    autoServe: true, hostHandlers: { x: () => new Promise(() => undefined) }, limits: { graceMs: 50, hardStopMs: 50 },
    hostTools: [{ name: "busy", description: "", input_schema: {}, handler: () => s.run.stats().bus_depth === 1 }],
  });
  s.run.request("x", 1).catch(() => undefined);
  s.run.request("x", 2).catch(() => undefined);
  assert.deepEqual((await s.end).result?.unfinished, ["bus handler"]);
});

test("lingerMs: tasks nobody joined are cancelled, unfinished", async () => {
  assert.deepEqual((await resultOf("std.task.spawn(function() std.time.sleep(60) end)", { limits: { lingerMs: 30 } })).unfinished, ["tasks"]);
});

// ---- http

for (const [limit, call, limits, code] of [
  ["httpBodyBytesMax", `http.request(at .. "/big")`, { httpBodyBytesMax: 1_000 }, "http.too_large"],
  ["sseEventBytesMax", `http.request(at .. "/event", {stream = true, on_data = function() end})`, { sseEventBytesMax: 1_000 }, "http.too_large"],
  ["httpMs", `http.request(at .. "/hold")`, { httpMs: 100 }, "http.timeout"],
  ["httpRedirectsMax", `http.request(at .. "/loop")`, { httpRedirectsMax: 2 }, "http.request"],
  ["sqlMs", `std.sql.query("with recursive n(x) as (select 1 union all select x + 1 from n) select count(*) from n")`, { sqlMs: 200 }, "sql.timeout"],
  ["walkEntriesMax", `os.execute("touch a b c") std.fs.walk(".")`, { walkEntriesMax: 2 }, "fs.limit"],
  ["walkDepthMax", `std.fs.mkdir("a/b/c/d") std.fs.walk(".")`, { walkDepthMax: 2 }, "fs.limit"],
  ["jsonDepthMax", `std.json.decode(("["):rep(129) .. ("]"):rep(129))`, {}, "json.depth"],
  ["isleBytesMax for a file read whole", `os.execute("head -c 20000000 /dev/zero > big") std.fs.read("big")`, { isleBytesMax: 16 * MIB }, "fs.limit"],
] as const) {
  test(`${limit}: raises ${code}`, async () => assert.equal((await valueOf(raised(call), { limits }) as string[])[0], code));
}

test("sqlBusyMs: how long SQLite waits for a lock, before the setting of the environment", async () => {
  const asked = `return std.sql.query("PRAGMA busy_timeout")[1].timeout`;
  assert.equal(await valueOf(asked, { limits: { sqlBusyMs: 77 }, env: { ATOLL_SQL_BUSY_TIMEOUT_MS: "66" } }), 77);
  assert.equal(await valueOf(asked, { env: { ATOLL_SQL_BUSY_TIMEOUT_MS: "66" } }), 66);
});

test("sqlQueueMsMax: a statement that waits longer for its turn fails; a neighbour's time is not taken from it", async () => {
  const spin = "with recursive n(x) as (select 1 union all select x + 1 from n) select count(*) from n";
  // the first ones may wait too long for the child to start
  const script = `repeat until pcall(std.sql.query, "select 1")
    local slow = std.task.spawn(function() return std.sql.query("${spin}") end)
    std.task.yield()
    local ok, e = pcall(std.sql.query, "select 1 as one")
    pcall(slow.join, slow)
    return ok and e[1].one or tostring(e)`;
  assert.equal(await valueOf(script, { limits: { sqlMs: 1_500, sqlQueueMsMax: 50 } }), "sql.query timeout (50ms)");
  assert.equal(await valueOf(script, { limits: { sqlMs: 1_500 } }), 1);
});

test("httpOpenMax: the next request waits", async () => {
  const s = start(`local at = "http://127.0.0.1:${port}" local t = {} for i = 1, 4 do t[i] = std.task.spawn(function() return http.request(at .. "/hold").body end) end
    local out = {} for i = 1, 4 do out[i] = t[i]:join() end return out`, { limits: { httpOpenMax: 2 } });
  held.length = 0;
  await until(() => held.length === 2);
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.equal(held.length, 2);
  for (const answered = new Set(); answered.size < 4;) {
    await until(() => held.some((one) => !answered.has(one)));
    for (const one of held.filter((next) => !answered.has(next))) {
      one.end("ok");
      answered.add(one);
    }
  }
  assert.deepEqual((await s.end).result?.value, ["ok", "ok", "ok", "ok"]);
});

// ---- children

test("childOutputBytesMax: truncated", async () => {
  assert.deepEqual(await valueOf(`local r = sh.exec("seq 1 10000") return {#r.stdout, r.truncated}`, { limits: { childOutputBytesMax: 100 } }), [100, true]);
});

test("childMs: timeout after Ns", async () => {
  assert.equal(await valueOf(`return sh.exec("sleep 60").error`, { limits: { childMs: 200 } }), "timeout after 0.2s");
});

test("childrenLiveMax: the next child waits", async () => {
  const s = start(`local t = {} for i = 1, 4 do t[i] = std.task.spawn(function() return sh.exec("sleep 0.05; echo " .. i).stdout end) end
    local out = {} for i = 1, 4 do out[i] = t[i]:join() end return out`, { limits: { childrenLiveMax: 1 } });
  let [live, most] = [0, 0];
  s.run.on("child:up", () => void (most = Math.max(most, ++live)));
  s.run.on("child:down", () => void live--);
  assert.deepEqual((await s.end).result?.value, ["1\n", "2\n", "3\n", "4\n"]);
  assert.equal(most, 1);
});

// ---- mesh

for (const [limit, call, limits, code] of [
  ["meshPayloadBytesMax", `mesh.request("mute", ("x"):rep(2000))`, { meshPayloadBytesMax: 1_000 }, "mesh.rejected"],
  ["meshRequestMs", `mesh.request("mute", 1)`, { meshRequestMs: 50 }, "mesh.timeout"],
  ["meshSendMs", `mesh.send("mute", 1)`, { meshSendMs: 50 }, "mesh.timeout"],
] as const) {
  test(`${limit}: raises ${code}`, async () => {
    const mesh = createLocalMesh();
    mesh.join("mute").serve(() => new Promise(() => undefined));
    assert.equal((await valueOf(raised(call), { limits, mesh: mesh.join("a") }) as string[])[0], code);
  });
}
