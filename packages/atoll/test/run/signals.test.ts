/** What signals mean (spec: block 3, Signals). */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test, type TestContext } from "node:test";
import { until } from "@atoll-run/testkit";
import { isAlive, type Place, place, startAtoll, type Started } from "../support/cli.ts";

/** Starts a script and waits until it printed `ready`. */
async function ready(t: TestContext, source: string, at: Place = place(t)): Promise<Started> {
  const started = startAtoll(at, ["run", at.file("script.lua", source)]);
  t.after(() => started.child.kill("SIGKILL"));
  await until(() => started.stdout().includes("ready"),
    { withinMs: 30_000, what: () => `ready; said ${started.stderr()}` });
  return started;
}

const NUMBERS = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;
const SIGNALS = Object.keys(NUMBERS) as (keyof typeof NUMBERS)[];
/** Says `ready` out of a handler: only then does `bus.serve()` surely run. */
const READY_WHEN_SERVING = "bus.on('k', function() print('ready') end) bus.emit('k', {}) bus.serve() ";
const SERVES = `${READY_WHEN_SERVING} print('served') os.exit(5)`;

for (const signal of SIGNALS) {
  test(`the first ${signal} is a graceful stop while bus.serve() runs: it returns, the script goes on, its own exit code`, async (t) => {
    const { child, end } = await ready(t, SERVES);
    child.kill(signal);
    const { code, stdout, stderr } = await end;
    assert.deepEqual([code, stdout, stderr], [5, "ready\nserved\n", ""]);
  });

  test(`else the first ${signal} is a cancel with the full end-of-run order, exit ${NUMBERS[signal]}`,
    async (t) => {
    const { child, end } = await ready(t, "print('ready') while true do pcall(std.time.sleep, 50) end");
    child.kill(signal);
    const { code, stderr } = await end;
    assert.deepEqual([code, stderr], [NUMBERS[signal], "atoll: cancelled\n"]);
  });
}

for (const signal of SIGNALS) {
  test(`a graceful stop that overruns its grace is a cancel by that signal: ${signal}, exit ${NUMBERS[signal]}`, async (t) => {
    const { child, end } = await ready(t, `${READY_WHEN_SERVING} while true do std.task.sleep(5) end`);
    child.kill(signal);
    const { code, stderr } = await end;
    assert.deepEqual([code, stderr], [NUMBERS[signal], "atoll: cancelled\n"]);
  });
}

test("C3: given SIGTERM during `bus.serve`, then the next statement runs and exit is 0", async (t) => {
  const { child, end } = await ready(t, `${READY_WHEN_SERVING} print('next')`);
  child.kill("SIGTERM");
  const { code, stdout } = await end;
  assert.deepEqual([code, stdout], [0, "ready\nnext\n"]);
});

test("C3: given SIGINT in a busy loop, then exit 130", async (t) => {
  const { child, end } = await ready(
    t, "print('ready') while true do pcall(function() while true do end end) end");
  child.kill("SIGINT");
  assert.equal((await end).code, 130);
});

test("a cancel ends children before the program ends", async (t) => {
  const at = place(t);
  const source = `
    std.task.spawn(function() sh.exec("trap '' TERM; sleep 1000 & echo $! $$ > pids; wait") end)
    while not std.fs.exists("pids") or std.fs.read("pids") == "" do std.task.sleep(5) end
    print("ready") while true do end`;
  const { child, end } = await ready(t, source, at);
  child.kill("SIGTERM");
  assert.equal((await end).code, 143);
  const pids = readFileSync(at.path("pids"), "utf8").trim().split(" ").map(Number);
  assert.equal(pids.length, 2);
  await until(() => pids.every((pid) => !isAlive(pid)), { what: "the end of both" });
});

test("the second signal kills all process groups and exits 128+n at once", async (t) => {
  const at = place(t);
  // The end of the run would wait for tasks nobody joined; both children ignore SIGTERM.
  const source = `
    std.task.spawn(function() sh.exec(
      "trap '' TERM INT; sleep 1000 & echo $! $$ > pids; while :; do wait; done") end)
    while not std.fs.exists("pids") or std.fs.read("pids") == "" do std.task.sleep(5) end
    ${READY_WHEN_SERVING}
    print("served")
    while true do std.task.sleep(10) end`;
  const { child, end, stdout } = await ready(t, source, at);
  child.kill("SIGINT");
  await until(() => stdout().includes("served"));
  child.kill("SIGTERM");
  assert.equal((await end).code, 143);
  const pids = readFileSync(at.path("pids"), "utf8").trim().split(" ").map(Number);
  await until(() => pids.every((pid) => !isAlive(pid)), { what: "the end of both" });
});

test("a signal cuts off tasks nobody joined", async (t) => {
  const { child, end } = await ready(
    t, "std.task.spawn(function() while true do std.task.sleep(5) end end) print('ready')");
  child.kill("SIGINT");
  assert.equal((await end).code, 130);
});
