import assert from "node:assert/strict";
import { test } from "node:test";
import { createNetworkWatch, interfacesText, NODE_LIMITS, type NetworkAction } from "@atoll-run/node/internal";
import { ManualClock } from "@atoll-run/testkit";

const limits = NODE_LIMITS.recovery;

function make(o: { readonly interfaces?: () => string; readonly perform?: (signal: AbortSignal) => Promise<void> } = {}) {
  const clock = new ManualClock();
  const done: NetworkAction[] = [];
  const watch = createNetworkWatch({
    clock, log: { write: () => undefined }, ...o.interfaces === undefined ? {} : { interfaces: o.interfaces },
    perform: async (action, { signal }) => {
      done.push(action);
      await o.perform?.(signal);
    },
  }, limits);
  return { clock, done, watch };
}

test("twenty reports of 300 ms are one action, and all get its one result", async () => {
  const { clock, done, watch } = make();
  const results = [];
  for (let i = 0; i < 20; i++) {
    results.push(watch.report(i % 2 === 0 ? { is: "path", sequence: i, status: "available" } : { is: "foreground", after_ms: 10 }));
    await clock.pass(15);
  }
  await clock.pass(400);
  const all = await Promise.all(results);
  assert.deepEqual(done, ["restore"]);
  assert.ok(all.every((result) => result === all[0] && result.action === "restore"));
  await watch[Symbol.asyncDispose]();
  assert.equal(clock.timers, 0);
});

test("a disruptive event raises the barrier at once; it falls when its action is done", async () => {
  const { clock, watch } = make();
  const calm = watch.report({ is: "path", sequence: 1, status: "available" });
  assert.equal(watch.barrier, undefined);
  const lost = watch.report({ is: "force_reconnect", why: "manual" });
  const { barrier } = watch;
  assert.ok(barrier !== undefined);
  await clock.pass(400);
  await barrier;
  assert.equal((await Promise.all([calm, lost]))[1].action, "force_reconnect");
  assert.equal(watch.barrier, undefined);
  await watch[Symbol.asyncDispose]();
});

test("an action that hangs is given up after 5 s, and its reporters are told", async () => {
  const { clock, watch, done } = make({ perform: () => new Promise(() => undefined) });
  const one = watch.report({ is: "cleanup", why: "manual" });
  await clock.pass(400);
  const two = watch.report({ is: "force_reconnect", why: "manual" });
  await clock.pass(5_000);
  assert.equal((await one).fault?.code, "core.timed_out");
  assert.deepEqual(done, ["cleanup_only", "force_reconnect"]);
  await watch[Symbol.asyncDispose]();
  assert.equal((await two).action, "force_reconnect");
  assert.equal(clock.timers, 0);
});

test("interfaces are looked at each 5 s: a change is a snapshot, none at all is offline", async () => {
  let now = "eth0 192.0.2.1";
  const { clock, watch, done } = make({ interfaces: () => now });
  watch.start();
  await clock.pass(20_000);
  assert.deepEqual(done, []);
  now = "";
  await clock.pass(5_400);
  now = "wlan0 192.0.2.7";
  await clock.pass(5_400);
  assert.deepEqual(done, ["offline", "restore"]);
  await watch[Symbol.asyncDispose]();
  assert.equal(clock.timers, 0);
});

test("a timer that is more than 30 s late was a sleep of the machine", async () => {
  const { clock, done } = make();
  let wallMs = 0;
  const sleepy = { now: () => clock.now() + wallMs, monotonic: () => clock.monotonic(), after: (ms: number, then: () => void) => clock.after(ms, then) };
  const watch = createNetworkWatch({
    clock: sleepy, log: { write: () => undefined }, perform: async (action) => void done.push(action),
  }, limits);
  watch.start();
  await clock.pass(10_000);
  wallMs = 40_000;
  await clock.pass(5_400);
  assert.deepEqual(done, ["force_reconnect"]);
  await watch[Symbol.asyncDispose]();
});

test("after closing nothing is heard, and whoever waits is told", async () => {
  const { clock, watch, done } = make();
  const waits = watch.report({ is: "force_reconnect", why: "manual" });
  await watch[Symbol.asyncDispose]();
  assert.equal((await waits).fault?.code, "node.cancelled");
  await assert.rejects(watch.report({ is: "background" }), { code: "node.wrong_state" });
  assert.deepEqual([done, clock.timers], [[], 0]);
});

test("the text of the interfaces is stable and names no loopback", () => {
  assert.equal(interfacesText(), interfacesText());
  assert.ok(!interfacesText().includes("127.0.0.1"));
});
