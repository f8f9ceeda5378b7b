// Block 2.3: the end-of-run order. Each step has a test; a failure in one never replaces the outcome nor skips a later one.
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { createLocalMesh } from "@atoll-run/atoll/block";
import type { KvStore, Mesh } from "@atoll-run/core";
import { memoryKv, until } from "@atoll-run/testkit";
import { resultOf, serving, start, stopped, valueOf } from "./support.ts";

const isAlive = (pid: number): boolean => existsSync(`/proc/${pid}`);

test("the run waits for tasks nobody joined, and they may still emit", async () => {
  const seen: unknown[] = [];
  const s = start(`std.task.spawn(function() std.time.sleep(0.05) bus.emit("late", 1) print("end of task") end) return "value"`,
    { autoServe: true, hostHandlers: { late: (ev) => void seen.push(ev.payload) } });
  const { result } = await s.end;
  assert.deepEqual([result?.value, s.printed(), seen], ["value", "end of task\n", [1]]);
});

test("tasks nobody joined are cancelled after lingerMs and named in unfinished", async () => {
  const result = await resultOf(`std.task.spawn(function() std.time.sleep(60) end) return 1`, { limits: { lingerMs: 50 } });
  assert.deepEqual([result.value, result.unfinished], [1, ["tasks"]]);
  assert.match(result.warnings.join(), /tasks not finished within 50 ms/);
});

test("while tasks are waited for, a warning names them again and again", async () => {
  const named = (): number => s.warned().filter((text) => text.includes("slowpoke")).length;
  const s = start(`std.task.spawn(function() repeat std.time.sleep(0.02) until tool.call("named") end, {name = "slowpoke"})`, {
    limits: { lingerWarnMs: 50 }, hostTools: [{ name: "named", description: "", input_schema: {}, handler: () => named() >= 2 }],
  });
  assert.ok((await s.end).result !== undefined && named() >= 2, s.warned().join());
});

test("a script that failed does not wait for its tasks", async () => {
  const { error } = await start(`std.task.spawn(function() std.time.sleep(60) end) error("now")`).end;
  assert.equal(error?.code, "script.failed");
});

test("when intake is closed, peers get bus channel closed and emit raises", async () => {
  const mesh = createLocalMesh();
  const s = await serving(`bus.on("slow", function() print("in") std.time.sleep(60) end) bus.serve()`, { mesh: mesh.join("a"), limits: { graceMs: 1_500 } });
  const peer = mesh.join("b");
  await s.run.emit("slow", null);
  await until(() => s.printed() === "in\n");
  s.run.cancel();
  await until(() => s.run.stats().phase === "stopping");
  const reply = peer.request("a", {}, { deadlineMs: 5_000, signal: new AbortController().signal });
  assert.deepEqual(await reply, { error: "bus channel closed" });
  await assert.rejects(s.run.emit("x", 1), { code: "bus.closed", message: /bus channel closed/ });
  await s.end;
});

test("bus.emit raises bus.emit: bus channel closed: … in a handler that runs while the run ends", async () => {
  const s = start(`
    bus.on("go", function()
      local ok, e
      repeat ok, e = pcall(bus.emit, "more", 1) std.time.sleep(0.01) until not ok
      print(e)
    end)
    bus.emit("go", 1)
    std.task.spawn(function() bus.serve() end)`, { limits: { lingerMs: 300, graceMs: 10_000 } });
  await s.end;
  assert.match(s.printed(), /^bus\.emit: bus channel closed: /);
});

test("draining is over at once when the queue is empty and no handler runs", async () => {
  const began = performance.now();
  await resultOf("return 1", { autoServe: true, hostHandlers: { x: () => 1 }, limits: { graceMs: 20_000 } });
  assert.ok(performance.now() - began < 15_000);
});

test("queued events are handled before the run settles", async () => {
  let handled = 0;
  const result = await resultOf(`for i = 1, 20 do bus.emit("x", i) end`, { autoServe: true, hostHandlers: { x: () => void handled++ } });
  assert.deepEqual([handled, result.bus], [20, { emitted: 20, handled: 20, failed: 0, unserved: 0 }]);
});

test("after graceMs the handler is cancelled and queued events are nacked bus stopped", async () => {
  let aborted = false;
  const slow = ({ signal }: { signal: AbortSignal }): Promise<void> => new Promise((resolve) => {
    signal.addEventListener("abort", () => {
      aborted = true;
      resolve();
    });
  });
  const s = start(`while not GO do std.time.sleep(0.01) GO = tool.call("go") end`, {
    autoServe: true, hostHandlers: { slow }, limits: { graceMs: 100 },
    hostTools: [{ name: "go", description: "", input_schema: {}, handler: () => s.run.stats().bus_depth === 1 }],
  });
  const first = s.run.request("slow", 1).catch((error: Error) => error.message);
  const second = s.run.request("slow", 2).catch((error: Error) => error.message);
  const { result } = await s.end;
  assert.deepEqual([await first, await second, aborted], ["bus stopped", "bus stopped", true]);
  assert.equal(result?.bus.unserved, 1);
  assert.deepEqual(result.unfinished, ["bus handler"]);
});

test("events nobody read are counted as unserved", async () => {
  assert.deepEqual((await resultOf(`bus.emit("x", 1) bus.emit("x", 2)`)).bus, { emitted: 2, handled: 0, failed: 0, unserved: 2 });
});

test("a Lua handler over the grace time is cancelled, and a warning says so", async () => {
  const s = await serving(`bus.on("slow", function() print("in") while true do end end) bus.serve() return "after"`, { limits: { graceMs: 1_500 } });
  s.run.request("slow", null).catch(() => undefined);
  await until(() => s.printed() === "in\n");
  const result = await stopped(s);
  assert.equal(result.value, "after");
  assert.ok(s.warned().includes("bus.serve: grace window exceeded; forcing exit"), s.warned().join());
});

test("process groups that are left are killed", async () => {
  const value = await valueOf(`local p = io.popen("echo $$; sleep 100 & wait") return tonumber(p:read("l"))`);
  await until(() => !isAlive(value as number));
});

test("isles are closed whatever they do", async () => {
  const s = await serving(`bus.on("x", function() print("in") while true do pcall(function() while true do end end) end end) bus.serve()`, { limits: { graceMs: 50 } });
  s.run.request("x", null).catch(() => undefined);
  await until(() => s.printed() === "in\n");
  s.run.cancel();
  assert.equal((await s.end).error?.code, "run.cancelled");
  assert.deepEqual(s.run.stats().isles, []);
});

test("SQLite is closed: no write-ahead file is left, and the next run sees what was written", async () => {
  const s = start(`std.sql.exec("create table t(x)") std.sql.exec("insert into t values (7)") std.kv.set("n", "k", 8)`);
  await s.end;
  for (const file of ["db.sqlite-wal", "kv.sqlite-wal"]) assert.equal(existsSync(join(s.home, ".atoll", file)), false, file);
  assert.deepEqual(await valueOf(`return {std.sql.query("select x from t")[1].x, std.kv.get("n", "k")}`, { projectRoot: s.home }), [7, 8]);
});

test("the mesh is closed: the address is free again", async () => {
  const mesh = createLocalMesh();
  await resultOf("return 1", { mesh: mesh.join("a") });
  assert.equal(mesh.join("a").id, "a");
});

test("output is flushed before the run settles", async () => {
  const got: string[] = [];
  const slow = async (bytes: Uint8Array): Promise<void> => {
    await new Promise((resolve) => setTimeout(resolve, 100));
    got.push(Buffer.from(bytes).toString());
  };
  await resultOf(`print("one") std.time.sleep(0.01) print("two")`, { stdout: slow });
  assert.equal(got.join(""), "one\ntwo\n");
});

test("a sink that fails is a warning and an unfinished entry, not the outcome", async () => {
  for (const stdout of [() => { throw new Error("disk full"); }, () => Promise.reject(new Error("disk full"))]) {
    const result = await resultOf("print(1) return 2", { stdout });
    assert.deepEqual([result.value, result.unfinished], [2, ["output"]]);
    assert.match(result.warnings.join(), /disk full/);
  }
});

test("a mesh that fails to close is a warning and an unfinished entry, and later steps are not skipped", async () => {
  const printed: string[] = [];
  const mesh: Mesh = { id: "a", request: () => Promise.resolve(null), serve: () => ({ [Symbol.dispose]: () => { throw new Error("stuck"); } }) };
  const result = await resultOf("print('x') return 1", { mesh, stdout: async (bytes) => void printed.push(Buffer.from(bytes).toString()) });
  assert.deepEqual([result.value, result.unfinished, printed], [1, ["mesh and http"], ["x\n"]]);
  assert.match(result.warnings.join(), /stuck/);
});

test("a store that does not close is a warning and an unfinished entry within its time", async () => {
  const kv: KvStore = Object.assign(memoryKv(), { [Symbol.asyncDispose]: () => new Promise<void>(() => undefined) });
  const missing = (): never => assert.fail("not used");
  const result = await resultOf(`std.kv.set("n", "k", 1) return 1`,
    { parts: { stores: { kv: () => kv, sql: missing, series: missing } }, limits: { endMsMax: 100, graceMs: 50 } });
  assert.deepEqual([result.value, result.unfinished], [1, ["stores"]]);
});

test("a failure in the end of a run never replaces the error of the script", async () => {
  const mesh: Mesh = { id: "a", request: () => Promise.resolve(null), serve: () => ({ [Symbol.dispose]: () => { throw new Error("stuck"); } }) };
  const { error } = await start("error('mine')", { mesh }).end;
  assert.equal(error?.code, "script.failed");
  assert.match(error.message, /mine/);
});

for (const [where, opts] of [["", ""], [" of the main isle", ", {isle = 'main'}"]] as const) {
  test(`os.exit in a handler${where} ends the run at once with its code, whatever the grace`, async () => {
    const s = await serving(`bus.on("x", function() os.exit(9) end${opts}) bus.serve() print("not reached")`, { limits: { graceMs: 1e9 } });
    const asked = Promise.allSettled([s.run.request("x", 1), s.run.request("x", 2)]);
    const { result } = await s.end;
    assert.partialDeepStrictEqual(result, { outcome: "exited", exit_code: 9, unfinished: [], bus: { handled: 0 } });
    assert.deepEqual([s.printed(), (await asked).map(({ status }) => status)], ["", ["rejected", "rejected"]]);
  });
}

test("os.exit runs the end-of-run order", async () => {
  const s = start(`local p = io.popen("echo $$; sleep 100") print(p:read("l")) std.kv.set("n", "k", 1) os.exit(3)`);
  const { result } = await s.end;
  assert.deepEqual([result?.outcome, result?.exit_code], ["exited", 3]);
  await until(() => !isAlive(Number(s.printed())));
  assert.equal(existsSync(join(s.home, ".atoll", "kv.sqlite-wal")), false);
});
