// Block 5.3: the mesh, with peers of one process.
import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { test } from "node:test";
import { createPool } from "@atoll-run/atoll";
import { createLocalMesh } from "@atoll-run/atoll/block";
import { createRealm } from "@atoll-run/atoll/node";
import type { CallOpts, Json, Mesh } from "@atoll-run/core";
import { until } from "@atoll-run/testkit";
import { serving, start, stopped, valueOf } from "./support.ts";

const call = (deadlineMs = 10_000): CallOpts => ({ deadlineMs, signal: new AbortController().signal });

/** A mesh that shows what a block asks and lets a test ask the block. */
function bareMesh(answer: (payload: Json, o: CallOpts) => Promise<Json> = () => Promise.resolve(null)): Mesh & { ask(payload: Json, o: CallOpts): Promise<Json> } {
  let serve: ((from: string, payload: Json, o: CallOpts) => Promise<Json>) | undefined;
  return {
    id: "me", request: (_, payload, o) => answer(payload, o),
    serve(fn) {
      serve = fn;
      return { [Symbol.dispose]: () => void (serve = undefined) };
    },
    ask: (payload, o) => (serve as NonNullable<typeof serve>)("peer", payload, o),
  };
}

test("mesh.send waits for the reply and drops it", async () => {
  let replied = false;
  const mesh = bareMesh(async () => {
    await new Promise((resolve) => setTimeout(resolve, 30));
    replied = true;
    return "dropped";
  });
  assert.equal(await valueOf(`return mesh.send("peer", 1) == nil`, { mesh }), true);
  assert.equal(replied, true);
});

test("mesh.send raises on failure", async () => {
  const mesh = createLocalMesh();
  assert.match(await valueOf(`return tostring(select(2, pcall(mesh.send, "nobody", 1)))`, { mesh: mesh.join("a") }) as string, /^mesh error: /);
});

for (const [fn, ms] of [["send", 10_000], ["request", 30_000]] as const) {
  test(`mesh.${fn} has ${ms / 1000} s, or opts.timeout_ms`, async () => {
    const seen: number[] = [];
    const mesh = bareMesh((_, o) => {
      seen.push(o.deadlineMs);
      return Promise.resolve(null);
    });
    await valueOf(`mesh.${fn}("peer", 1) mesh.${fn}("peer", 1, {timeout_ms = 1234})`, { mesh });
    assert.deepEqual(seen, [ms, 1234]);
  });
}

test("mesh.request has what is left of the event being handled when that is less", async () => {
  const seen: number[] = [];
  const mesh = bareMesh((_, o) => {
    seen.push(o.deadlineMs);
    return Promise.resolve(null);
  });
  const s = await serving(`bus.on("x", function() mesh.request("peer", 1) end) bus.serve()`, { mesh });
  await s.run.request("x", null, { deadlineMs: 5_000 });
  await stopped(s);
  assert.ok(seen[0] !== undefined && seen[0] < 5_000 && seen[0] > 0, String(seen));
});

test("mesh.request gives the reply by J", async () => {
  assert.deepEqual(await valueOf(`local r = mesh.request("peer", {}) return {r.null_ == std.sql.null, math.type(r.n)}`,
    { mesh: bareMesh(() => Promise.resolve({ null_: null, n: 7 })) }), [true, "integer"]);
});

test("a float stays a float and an integer an integer on the way to a peer and back", async () => {
  const mesh = createLocalMesh();
  const peer = await serving(`mesh.on(function(ev) return {ev.payload, math.type(ev.payload[1]), math.type(ev.payload[2])} end) bus.serve()`,
    { mesh: mesh.join("peer") });
  const value = await valueOf(`local function types(v) return {math.type(v[1]), math.type(v[2]), math.type(v[3]), v[4] == 2^53, v[5]} end
    local r = mesh.request("peer", {42.0, 42, 1e300, 2^53, 9007199254740993})
    return {types(r[1]), r[2], r[3]}`, { mesh: mesh.join("asker") });
  assert.deepEqual(value, [["float", "integer", "float", true, 9007199254740993n], "float", "integer"]);
  const host = createLocalMesh();
  host.join("echo").serve((_, payload) => Promise.resolve(payload));
  assert.equal(await valueOf(`return math.type(mesh.request("echo", 5.0))`, { mesh: host.join("asker") }), "float");
  await stopped(peer);
});

test("mesh.agent_id and std.env.agent_id are the address on the mesh, or empty", async () => {
  assert.deepEqual(await valueOf("return {mesh.agent_id(), std.env.agent_id()}", { mesh: bareMesh() }), ["me", "me"]);
  assert.deepEqual(await valueOf("return {mesh.agent_id(), std.env.agent_id()}"), ["", ""]);
});

test("mesh.on is bus.on(\"mesh\", …): a request is an event of kind mesh, id uuid4, meta {from, deadline_ms}", async () => {
  const mesh = bareMesh();
  const s = await serving("mesh.on(function(ev) return ev end) bus.serve()", { mesh });
  const event = await mesh.ask({ q: 1 }, call(5_000)) as { kind: string; id: string; payload: Json; meta: Json };
  assert.match(event.id, /^[0-9a-f-]{14}4[0-9a-f-]{21}$/);
  assert.deepEqual([event.kind, event.payload, event.meta], ["mesh", { q: 1 }, { from: "peer", deadline_ms: 5_000 }]);
  await stopped(s);
});

test("without a mesh bus.on(\"mesh\", …) works regardless", async () => {
  const s = await serving(`mesh.on(function(ev) return "heard" end) bus.serve()`);
  assert.equal(await s.run.request("mesh", null), "heard");
  await stopped(s);
});

test("a failing handler replies {\"error\": …} with its text", async () => {
  const mesh = bareMesh();
  const s = await serving(`mesh.on(function() error("my fault", 0) end) bus.serve()`, { mesh });
  assert.deepEqual(await mesh.ask(1, call()), { error: "my fault" });
  await stopped(s);
});

test("a handler whose isle is lost replies ack dropped", async () => {
  await using pool = createPool({ max: 2 });
  const mesh = bareMesh();
  const s = await serving(`mesh.on(function() print("in") std.time.sleep(60) end) bus.serve()`, { mesh, pool });
  const asked = mesh.ask(1, call());
  await until(() => s.printed() === "in\n");
  await pool.close();
  assert.deepEqual(await asked, { error: "ack dropped" });
  assert.equal((await s.end).error?.code, "isle.crashed");
});

test("a handler over the caller's time replies handler timeout", async () => {
  const mesh = bareMesh();
  const s = await serving("mesh.on(function() std.time.sleep(60) end) bus.serve()", { mesh });
  assert.deepEqual(await mesh.ask(1, call(100)), { error: "handler timeout" });
  await stopped(s);
});

test("when the caller's budget is unknown, ackMsMax is waited for, then handler timeout", async () => {
  const mesh = bareMesh();
  const s = await serving("mesh.on(function() std.time.sleep(60) end) bus.serve()", { mesh, limits: { ackMsMax: 100 } });
  assert.deepEqual(await mesh.ask(1, call(Infinity)), { error: "handler timeout" });
  await stopped(s);
});

test("a caller's cancel reaches the handler", async () => {
  const mesh = bareMesh();
  const s = await serving(`mesh.on(function() local g <close> = setmetatable({}, {__close = function() print("closed") end}) print("in") std.time.sleep(60) end)
    bus.on("next", function() return 1 end) bus.serve()`, { mesh });
  const abort = new AbortController();
  const asked = mesh.ask(1, { deadlineMs: 30_000, signal: abort.signal });
  await until(() => s.printed() === "in\n");
  abort.abort();
  assert.deepEqual(await asked, { error: "cancelled" });
  assert.equal(await s.run.request("next", null, { deadlineMs: 10_000 }), 1);
  assert.equal(s.printed(), "in\nclosed\n");
  await stopped(s);
});

test("a payload over 4 MiB raises, one below it arrives byte for byte", async () => {
  const mesh = bareMesh((payload) => Promise.resolve((payload as string).length));
  assert.deepEqual(await valueOf(`local ok, e = pcall(mesh.request, "peer", ("x"):rep(4 * 1024 * 1024)) return {mesh.request("peer", ("x"):rep(4 * 1024 * 1024 - 2)), ok, e.code}`, { mesh }),
    [4 * 1024 * 1024 - 2, false, "mesh.rejected"]);
});

test("object and nil payloads carry __ab_obs, others go as they are", async () => {
  const seen: Json[] = [];
  const mesh = bareMesh((payload) => {
    seen.push(payload);
    return Promise.resolve(null);
  });
  await valueOf(`mesh.send("peer", {a = 1}) mesh.send("peer") mesh.send("peer", {1}) mesh.send("peer", "text")`, { mesh, trace: { trace_id: "t", run_id: "r" } });
  const obs = { trace_id: "t", run_id: "r", agent_id: "", agent_name: "" };
  assert.deepEqual(seen, [{ a: 1, __ab_obs: obs }, { __ab_obs: obs }, [1], "text"]);
});

test("peers of one process talk through their blocks, both ways", async () => {
  const mesh = createLocalMesh();
  const pong = await serving(`mesh.on(function(ev) return {pong = ev.payload.n, from = ev.meta.from} end) bus.serve()`, { mesh: mesh.join("pong") });
  assert.deepEqual(await valueOf(`local r = mesh.request("pong", {n = 1}) return {r.pong, r.from}`, { mesh: mesh.join("ping") }), [1, "ping"]);
  await stopped(pong);
});

test("mesh may be the URL of a realm: joined before the script, left at the end, with an identity of its own", async () => {
  await using realm = await createRealm({ memory: true, listen: { public: { host: "127.0.0.1", port: 0 } } });
  const relayUrl = String(realm.addresses?.url);
  let peer = "";
  const told = { name: "id", description: "", input_schema: {}, handler: (id: Json) => void (peer = String(id)) };
  const answering = start(`log.info("here") mesh.on(function(ev) return {got = ev.payload} end) tool.call("id", mesh.agent_id()) bus.serve()`, {
    mesh: { relayUrl, secretKey: { env: "KEY" } }, env: { KEY: "0123456789abcdef".repeat(4) }, hostTools: [told],
  });
  await until(() => peer !== "", { withinMs: 20_000 });
  const asking = { mesh: { relayUrl }, globals: { PEER: peer } };
  assert.deepEqual(await valueOf("return {mesh.request(PEER, 7), mesh.agent_id() ~= PEER}", asking), [{ got: 7 }, true]);
  await answering.run.stop();
  assert.deepEqual((await answering.end).result?.unfinished, []);
  assert.equal(answering.logs.find(({ msg }) => msg === "here")?.trace?.agent_id, peer, "it is known by its name on the mesh");
  await assert.rejects(valueOf("return mesh.request(PEER, 7, {timeout_ms = 2000})", asking));
});

for (const [secretKey, env, code, message] of [
  ["abc", {}, "runtime.failed", "runtime error: secret-key: expected 64 hex chars, got 3"],
  [{ env: "KEY" }, { KEY: "g".repeat(64) }, "runtime.failed", "runtime error: secret-key: expected 64 hex chars, character 1 is none"],
  [{ env: "KEY" }, {}, "config.invalid", "config error: mesh.secretKey: the variable KEY is not set"],
] as const) {
  test(`a secret key that is none fails the start: ${message}`, async () => {
    const { error } = await start("return 1", { mesh: { relayUrl: "http://127.0.0.1:1", secretKey }, env }).end;
    assert.deepEqual([error?.code, error?.message], [code, message]);
  });
}

test("a realm where nobody answers fails the start: mesh error: connect to <url> failed: …", async () => {
  const { error } = await start("return 1", { mesh: { relayUrl: "http://127.0.0.1:1" } }).end;
  assert.equal(error?.code, "mesh.connect_failed");
  assert.match(error.message, /^mesh error: connect to http:\/\/127\.0\.0\.1:1 failed: /);
});

test("a cancel ends a run that waits for its realm", async () => {
  const silent = createServer().listen(0, "127.0.0.1");
  await once(silent, "listening");
  try {
    const asked = once(silent, "connection");
    const s = start("return 1", { mesh: { relayUrl: `http://127.0.0.1:${(silent.address() as AddressInfo).port}` } });
    const [socket] = await asked as [Socket];
    s.run.cancel();
    assert.equal((await s.end).error?.code, "run.cancelled");
    socket.destroy();
  } finally {
    silent.close();
  }
});
