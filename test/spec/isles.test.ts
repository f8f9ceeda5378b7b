// Block 4: what a script may rely on in its isles, and a host of its run.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { createPool } from "@atoll-run/atoll";
import { createLocalMesh } from "@atoll-run/atoll/block";
import { until } from "@atoll-run/testkit";
import { type Config, resultOf, serving, start, stopped, valueOf } from "./support.ts";

const pool = createPool({ max: 2 });
after(() => pool.close());

const STUCK = `local function stuck() local x <close> = setmetatable({}, {__close = stuck}) while true do end end`;

// ---- two isles

test("main and handler isle each have their own globals", async () => {
  const s = await serving(`X = 1 bus.on("x", function() local before = X X = 2 return {before == nil, X} end)
    bus.on("main", function() return X end, {isle = "main"}) bus.serve()`);
  assert.deepEqual(await s.run.request("x", null), [true, 2]);
  assert.equal(await s.run.request("main", null), 1);
  await stopped(s);
});

test("main and handler isle each have their own heap", async () => {
  const s = await serving(`KEPT = ("x"):rep(12 * 1024 * 1024) bus.on("x", function() KEPT = ("y"):rep(12 * 1024 * 1024) return #KEPT end) bus.serve() return #KEPT`,
    { limits: { isleBytesMax: 32 << 20 } });
  assert.equal(await s.run.request("x", null), 12 << 20);
  assert.equal((await stopped(s)).value, 12 << 20);
});

for (const [place, config] of [["on threads of their own", { ownThreads: true }], ["on a pool", { pool }]] as readonly (readonly [string, Config])[]) {
  test(`a busy handler blocks neither script, signals nor grace timers (${place})`, async () => {
    const s = start(`
      bus.on("busy", function() print("busy") while true do end end)
      std.task.spawn(function() for i = 1, 5 do std.task.sleep(5) end print("script goes on") end)
      bus.serve()`, { ...config, limits: { graceMs: 1_500, sliceMsMax: Infinity } });
    s.run.request("busy", null).catch(() => undefined);
    await until(() => s.printed().includes("busy\n") && s.printed().includes("script goes on\n"));
    assert.equal((await stopped(s)).outcome, "stopped");
  });

  test(`a busy script blocks no handler (${place})`, async () => {
    const s = await serving(`bus.on("x", function(ev) return ev.payload end) std.task.spawn(function() while true do end end) bus.serve()`, config);
    assert.equal(await s.run.request("x", 1), 1);
    s.run.cancel();
    await s.end;
  });
}

test("both isles share the bus, host tools, std.env, the stores and the mesh", async () => {
  const mesh = createLocalMesh();
  mesh.join("peer").serve((_, payload) => Promise.resolve(payload));
  const hostTools = [{ name: "t", description: "", input_schema: {}, handler: () => "tool" }];
  const s = await serving(`
    std.env.set("SET", "main") std.kv.set("n", "k", 5) std.sql.exec("create table t(x)") std.ts.append("s", 6)
    bus.on("x", function()
      std.sql.exec("insert into t values (7)")
      bus.emit("seen", os.getenv("SET"))
      return {std.kv.get("n", "k"), std.ts.last("s").value, tool.call("t"), mesh.request("peer", "p")}
    end)
    bus.on("seen", function(ev) SEEN = ev.payload end, {isle = "main"})
    bus.serve()
    return {SEEN, std.sql.query("select x from t")[1].x}`, { mesh: mesh.join("a"), hostTools });
  assert.deepEqual(await s.run.request("x", null), [5, 6, "tool", "p"]);
  assert.deepEqual((await stopped(s)).value, ["main", 7]);
});

test("both isles are under the same grants", async () => {
  const s = await serving(`local ok, e = pcall(std.fs.read, "/etc/hosts") MAIN = e.code
    bus.on("x", function() local ok, e = pcall(std.fs.read, "/etc/hosts") return e.code end) bus.serve() return MAIN`, { grants: [] });
  assert.equal(await s.run.request("x", null), "grant.denied");
  assert.equal((await stopped(s)).value, "grant.denied");
});

// ---- shared placement

test("in shared placement an isle gives way to the others: endless loops end no one else's work", async () => {
  const busy = [1, 2, 3].map(() => start("while true do end", { pool, limits: { sliceMsMax: Infinity } }));
  await Promise.all(busy.map(({ run }) => run.ready));
  assert.equal(await valueOf("local n = 0 for i = 1, 1e5 do n = n + 1 end return n", { pool }), 100_000);
  for (const { run } of busy) run.cancel();
  for (const { error } of await Promise.all(busy.map(({ end }) => end))) assert.equal(error?.code, "run.cancelled");
});

test("threads of a pool are used again, VMs are not: a block sees nothing of the one before", async () => {
  assert.equal(await valueOf("LEFT = 1 string.left = 2 return 1", { pool }), 1);
  const threads = pool.threads;
  for (let i = 0; i < 5; i++) assert.deepEqual(await valueOf("return {LEFT == nil, string.left == nil}", { pool }), [true, true]);
  assert.ok(pool.threads <= Math.max(2, threads));
});

test("many blocks run on few threads", async () => {
  const values = await Promise.all(Array.from({ length: 20 }, (_, i) => valueOf(`std.task.sleep(10) return ${i}`, { pool })));
  assert.deepEqual(values, Array.from({ length: 20 }, (_, i) => i));
  assert.ok(pool.threads <= 2);
});

test("a pool starts `warm` threads at once and never more than `max`", async () => {
  await using warm = createPool({ max: 2, warm: 2 });
  assert.equal(warm.threads, 2);
  await valueOf("return 1", { pool: warm });
  assert.equal(warm.threads, 2);
});

test("in shared placement a wait in a no-yield place is bounded by a second: isle.would_block", async () => {
  const value = await valueOf(`
    local code
    table.sort({1, 2, 3}, function(a, b) local ok, e = pcall(std.time.sleep, 30) code = not ok and e.code return a < b end)
    return code`, { pool });
  assert.equal(value, "isle.would_block");
});

test("isles that die only as co-tenants fail isle.crashed, retry later", async () => {
  await using two = createPool({ max: 2 });
  const beside = [1, 2, 3, 4].map(() => start("std.time.sleep(60)", { pool: two }));
  await Promise.all(beside.map(({ run }) => run.ready));
  await two.close();
  for (const { error } of await Promise.all(beside.map(({ end }) => end))) assert.deepEqual([error?.code, error?.retry], ["isle.crashed", "later"]);
});

// ---- waits

test("io, os.execute, io.popen, require and std.fs hold up no other task", async () => {
  const value = await valueOf(`
    local turns = 0
    local other = std.task.spawn(function() while not DONE do turns = turns + 1 std.task.sleep(5) end end)
    local seen = {}
    local function watch(name, f) local before = turns f() seen[#seen + 1] = turns > before and name or ("blocked by " .. name) end
    watch("os.execute", function() os.execute("sleep 0.2") end)
    watch("io.popen", function() local p = io.popen("sleep 0.2; echo x") p:read("a") p:close() end)
    -- a pipe gives its text late: whoever comes first waits for the other
    os.execute("mkfifo pipe")
    local writer = std.task.spawn(function() sh.exec("sleep 0.3; echo text > pipe") end)
    watch("std.fs", function() std.fs.read("pipe") end)
    DONE = true other:join() writer:join()
    return seen`);
  assert.deepEqual(value, ["os.execute", "io.popen", "std.fs"]);
});

test("at most 256 requests of an isle are under way; the next ones wait", async () => {
  let most = 0;
  const gate = Promise.withResolvers<void>();
  const hostTools = [{ name: "hold", description: "", input_schema: {}, handler: () => gate.promise }];
  const s = start(`local t = {} for i = 1, 300 do t[i] = std.task.spawn(function() tool.call("hold") return 1 end) end
    local n = 0 for i = 1, 300 do n = n + t[i]:join() end return n`, { hostTools });
  await until(() => {
    most = Math.max(most, s.run.stats().open_calls);
    return most >= 256;
  });
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.equal(s.run.stats().open_calls, 256);
  gate.resolve();
  assert.equal((await s.end).result?.value, 300);
});

test("42 and 42.0 differ between isles and in the stores, and 2^63-1 survives on every way", async () => {
  const mesh = createLocalMesh();
  mesh.join("echo").serve((_, payload) => Promise.resolve(payload));
  const hostTools = [{ name: "echo", description: "", input_schema: {}, handler: (input: unknown) => input as number }];
  const s = await serving(`
    local v = {42, 42.0, math.maxinteger}
    local function types(t) return {math.type(t[1]), math.type(t[2]), t[3] == math.maxinteger, math.type(t[3])} end
    std.kv.set("n", "k", v) std.ts.append("s", v)
    bus.on("x", function(ev) std.kv.set("n", "seen", ev.payload) end)
    bus.emit("x", v)
    local exact = {mesh.request("echo", v)[3] == v[3], tool.call("echo", v)[3] == v[3]}
    bus.serve()
    return {types(std.kv.get("n", "k")), types(std.ts.last("s").value), types(std.kv.get("n", "seen")), types(std.json.decode(std.json.encode(v))), exact}`,
  { mesh: mesh.join("me"), hostTools });
  const right = ["integer", "float", true, "integer"];
  assert.deepEqual((await stopped(s)).value, [right, right, right, right, [true, true]]);
});

test("byte strings pass as they are", async () => {
  assert.equal(await valueOf(`
    local all = {} for i = 0, 255 do all[#all + 1] = string.char(i) end
    local bytes = table.concat(all)
    std.fs.write_binary("b", bytes) return std.fs.read_binary("b") == bytes and sh.exec("cat", {stdin = bytes}).stdout == bytes`), true);
});

// ---- ends

test("a kill of the isle runs no __gc", async () => {
  const s = start(`KEEP = setmetatable({}, {__gc = function() print("gc") end}) while true do end`);
  await s.run.ready;
  await new Promise((resolve) => setTimeout(resolve, 100));
  s.run.cancel();
  await s.end;
  assert.equal(s.printed(), "");
});

test("not enough memory is an error that a script may catch", async () => {
  const limits = { isleBytesMax: 16 << 20 };
  assert.deepEqual(await valueOf(`local ok, e = pcall(string.rep, "x", 1 << 30) return {ok, e}`, { limits }), [false, "not enough memory"]);
});

test("the cap is for each isle: the handler isle has its own", async () => {
  const s = await serving(`bus.on("x", function() return (pcall(string.rep, "x", 1 << 26)) end) bus.serve()`, { limits: { isleBytesMax: 16 << 20 } });
  assert.equal(await s.run.request("x", null), false);
  await stopped(s);
});

test("a handler over its time is aborted, and its isle is killed when that does not end it", async () => {
  const s = await serving(`
    bus.on("stuck", function() ${STUCK} stuck() end, {timeout_ms = 300})
    bus.on("x", function() return 1 end) bus.serve()`);
  const restarted: string[] = [];
  s.run.on("isle:restarted", ({ isle }) => restarted.push(isle));
  await assert.rejects(s.run.request("stuck", null), { code: "bus.timeout" });
  assert.equal(await s.run.request("x", null), 1);
  assert.deepEqual(restarted, ["handler"]);
  await stopped(s);
});

test("what a handler isle had open is closed when it is killed", async () => {
  const s = await serving(`
    bus.on("stuck", function() OPEN = {} for i = 1, 100 do OPEN[i] = io.open("f" .. i, "w") end ${STUCK} stuck() end, {timeout_ms = 300})
    bus.on("open", function() local n = 0 OPEN = {} for i = 1, 250 do local f = io.open("g" .. i, "w") if f then n = n + 1 OPEN[i] = f end end return n end)
    bus.serve()`);
  await assert.rejects(s.run.request("stuck", null), { code: "bus.timeout" });
  assert.equal(await s.run.request("open", null), 250);
  await stopped(s);
});

test("the main isle is never restarted: the run fails", async () => {
  const { error } = await start(`${STUCK}
    local t = std.task.spawn(function() local x <close> = setmetatable({}, {__close = stuck}) std.task.sleep(60000) end)
    std.task.yield() t:abort() std.time.sleep(60)`).end;
  assert.equal(error?.code, "isle.crashed");
});

test("a run leaves no thread behind", async () => {
  const before = process.getActiveResourcesInfo().filter((name) => name === "MessagePort").length;
  for (let i = 0; i < 3; i++) await resultOf("return 1");
  await until(() => process.getActiveResourcesInfo().filter((name) => name === "MessagePort").length <= before);
});

// ---- 4.1

test("errors of a moved handler tell its place in the script", async () => {
  const s = await serving(`bus.on("x", function() error("here") end)\nbus.on_any(function() error("there") end) bus.serve()`);
  await assert.rejects(s.run.request("x", null), { message: "test.lua:1: here" });
  await assert.rejects(s.run.request("y", null), { message: "test.lua:2: there" });
  await stopped(s);
});

test("{isle = \"main\"} does not move a handler: captures stay live, it runs as a coroutine beside the script", async () => {
  const s = await serving(`local n = 0 bus.on("x", function() n = n + 1 std.task.yield() return n end, {isle = "main"}) bus.serve() return n`);
  assert.deepEqual([await s.run.request("x", null), await s.run.request("x", null)], [1, 2]);
  assert.equal((await stopped(s)).value, 2);
});
