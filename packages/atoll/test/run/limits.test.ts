/** Bounds of a run from flags and variables (spec: block 3). */
import assert from "node:assert/strict";
import { test } from "node:test";
import { place, runScript } from "../support/cli.ts";

test("--timeout ends the run after so many seconds, exit 124", async (t) => {
  const at = place(t);
  for (const [args, env] of [[["--timeout", "1.5"], {}], [[], { ATOLL_WALL_MS_MAX: "1500" }]] as const) {
    const { code, stdout, stderr } = await runScript(at, "print('begun') while true do end", args, { env });
    assert.deepEqual([code, stdout], [124, "begun\n"]);
    assert.match(stderr, /^atoll: limit error: /m);
  }
});

test("--memory bounds an isle in MiB, exit 124", async (t) => {
  const at = place(t);
  const source = "local s = ('x'):rep(1048576) while true do s = s .. s end";
  for (const [args, env] of [[["--memory", "16"], {}], [[], { AGENT_BLOCK_ISLE_MIB_MAX: "16" }]] as const) {
    const { code, stderr } = await runScript(at, source, args, { env });
    assert.equal(code, 124, stderr);
    assert.match(stderr, /limit error: not enough memory/);
  }
});

test("bounds that are no numbers, or out of range, are refused with the flag's name", async (t) => {
  const at = place(t);
  const { code, stderr } = await runScript(at, "", ["--timeout", "soon", "--memory", "0"]);
  assert.equal(code, 2);
  assert.match(stderr, /config error: 2 problems/);
  assert.match(stderr, /--timeout: 'soon' is not a number/);
  assert.match(stderr, /--memory: 0 is not in 1\.\./);
  const zero = await runScript(at, "", ["--timeout", "0"]);
  assert.match(zero.stderr, /--timeout: 0 is not above 0/);
  const variable = await runScript(at, "", [], { env: { ATOLL_WALL_MS_MAX: "-1" } });
  assert.match(variable.stderr, /ATOLL_WALL_MS_MAX: -1 is not in 1\.\./);
});

test("_BUS_CAPACITY is the number of events that wait; 64 by default", async (t) => {
  const at = place(t);
  const source = "local n = 0 while pcall(bus.emit, 'k', n) do n = n + 1 end print(n)";
  assert.equal((await runScript(at, source)).stdout, "64\n");
  assert.equal((await runScript(at, source, [], { env: { AGENT_BLOCK_BUS_CAPACITY: "3" } })).stdout, "3\n");
});

test("C4: given both spellings of a setting, then `ATOLL_` wins; given capacity 0, then exit 2 names the variable", async (t) => {
  const at = place(t);
  const source = "local n = 0 while pcall(bus.emit, 'k', n) do n = n + 1 end print(n)";
  const both = await runScript(
    at, source, [], { env: { ATOLL_BUS_CAPACITY: "2", AGENT_BLOCK_BUS_CAPACITY: "5" } });
  assert.equal(both.stdout, "2\n");
  for (const name of ["ATOLL_BUS_CAPACITY", "AGENT_BLOCK_BUS_CAPACITY"]) {
    const zero = await runScript(at, "print('not reached')", [], { env: { [name]: "0" } });
    assert.deepEqual([zero.code, zero.stdout], [2, ""]);
    assert.match(zero.stderr, new RegExp(`^atoll: config error: ${name}: 0 is not in 1\\.\\.`));
  }
});

test("a number setting that is not a number gives a warning and the default", async (t) => {
  const at = place(t);
  const env = { ATOLL_BUS_CAPACITY: "many", ATOLL_TASK_GRACE_MS: "long", ATOLL_TASK_DRIVER: "horse" };
  const { code, stdout, stderr } = await runScript(
    at, "local n = 0 while pcall(bus.emit, 'k', n) do n = n + 1 end print(n)", [], { env });
  assert.deepEqual([code, stdout], [0, "64\n"]);
  assert.match(stderr, /WARN block: ATOLL_BUS_CAPACITY: 'many' is not a whole number; the default/);
  assert.match(stderr, /WARN block: ATOLL_TASK_GRACE_MS: 'long' is not a whole number; the default 1000 is used/);
  assert.match(stderr, /WARN block: ATOLL_TASK_DRIVER: 'horse' is not one of async_fn, async, coroutine; the default async_fn is used/);
});

test("_TASK_DRIVER makes tasks of the driver `coroutine`, where coroutine.yield(ms) sleeps", async (t) => {
  const source = "local h = std.task.spawn(function() coroutine.yield(1) return 'slept' end) print(h:join())";
  const { stdout, stderr } = await runScript(
    place(t), source, [], { env: { ATOLL_TASK_DRIVER: "coroutine" } });
  assert.equal(stdout, "slept\n", stderr);
});
