// Node 3.3: the end of a node under load. Invariant: what was accepted was handled or is in the store again, everybody
// who asked has an answer, onStop comes once and last, and the report says exactly that.
import assert from "node:assert/strict";
import { test } from "node:test";
import { isFault } from "@atoll-run/core";
import { createNode, json, route, service } from "@atoll-run/node";
import { memoryState, until } from "@atoll-run/testkit";
import { ALLOW_ALL, leasedRows, partsOf, settingsOf, testNet } from "../support/node-parts.ts";

const Work = service({
  type: "acme:work:1.0.0", name: "acme.Work", routes: {
    Do: route({ input: json<{ how: "quick" | "slow" | "stuck" }>(), output: json<string>() }),
    Note: route({ input: json<{ n: number; how: "quick" | "stuck" }>(), tell: true, key: (input) => String(input.n) }),
  },
});

interface Log {
  readonly handled: string[];
  /** What was still running when onStop came. */
  readonly stops: number[];
  running: number;
}

function work(log: Log) {
  const run = async (name: string, how: "quick" | "slow" | "stuck", signal: AbortSignal): Promise<string> => {
    log.running++;
    try {
      if (how === "slow") await new Promise((resolve) => setTimeout(resolve, 150));
      if (how === "stuck") await new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
      log.handled.push(name);
      return name;
    } finally {
      log.running--;
    }
  };
  return Work.implement({
    Do: ({ how }, ctx) => run(`do ${ctx.requestId}`, how, ctx.signal),
    Note: async ({ n, how }, ctx) => void await run(`note ${n}`, how, ctx.signal),
  }, { hooks: { onStop: () => void log.stops.push(log.running) } });
}

test("with 100 in flight each is answered or back in the mailbox, and the report is exact", async () => {
  const own = testNet();
  const store = memoryState();
  const log: Log = { handled: [], stops: [], running: 0 };
  const caller = await createNode(partsOf({ network: own.network() }), settingsOf("caller")).link(work({ handled: [], stops: [], running: 0 })).start();
  const worker = await createNode(partsOf({ store, network: own.network() }), settingsOf("work", { rules: ALLOW_ALL })).link(work(log)).start();
  const to = own.idOf("work");
  const tells = Array.from({ length: 40 }, (_, n) =>
    caller.tell(Work.routes.Note, { n, how: n % 2 === 0 ? "quick" : "stuck" }, { to }));
  assert.deepEqual(new Set((await Promise.all(tells)).map(({ level }) => level)), new Set(["accepted"]));
  const calls = Array.from({ length: 60 }, (_, n) =>
    caller.call(Work.routes.Do, { how: n % 3 === 0 ? "stuck" : "slow" }, { to, requestId: `c${n}`, retry: "none" })
      .then((value) => ({ value }), (error: unknown) => ({ error })));
  await until(() => log.running >= 40);
  const ends = await Promise.all([worker.close({ deadlineMs: 6_000 }), worker.close(), worker.closed]);
  const [report] = ends;
  assert.ok(ends.every((end) => end === report), "later calls share the promise");

  for (const answer of await Promise.all(calls)) {
    assert.ok("value" in answer || isFault(answer.error), "everybody has an answer");
  }
  const left = await store.rows("work", { after: 0, limit: 1_000 });
  const noted = new Set(log.handled.filter((name) => name.startsWith("note")));
  assert.equal(left.length + noted.size, 40, "each tell was handled or is in the mailbox");
  assert.equal(await leasedRows(store, "work"), 0);
  assert.ok(left.every(({ attempts }) => attempts === 0), "what was given up counts no attempt");
  assert.deepEqual(log.stops, [0], "onStop comes once, after the last handler");
  const { announced, unregistered, streams_reset, hooks_timed_out, lanes_forced, unfinished, replies_unsent } = report;
  assert.deepEqual({ announced, unregistered, streams_reset, hooks_timed_out, lanes_forced, unfinished, replies_unsent }, {
    announced: true, unregistered: true, streams_reset: 0, hooks_timed_out: 0, lanes_forced: 0, unfinished: [], replies_unsent: 0,
  });
  assert.ok(report.returned >= left.length, `${report.returned} were given up, ${left.length} are in the mailbox`);
  // All that was accepted is in one of the two; the quick tells may have ended before the node began to.
  assert.ok(report.handled + report.returned <= 100 && report.handled >= log.handled.filter((name) => name.startsWith("do")).length);
  assert.ok(report.elapsed_ms <= 6_000, `${report.elapsed_ms} ms, more than the budget`);
  assert.deepEqual(own.open.filter((what) => what.startsWith("work ")), []);
  assert.equal(own.net.links, 0);

  const again: Log = { handled: [], stops: [], running: 0 };
  await using next = await createNode(partsOf({ store, network: own.network() }), settingsOf("work", { rules: ALLOW_ALL })).link(work(again)).start();
  await until(() => again.running === left.length);
  assert.equal(next.health().mailbox.depth, left.length, "what was returned is the first work of the next start");
  await caller.close();
  await next.close({ deadlineMs: 2_000 });
});

test("an onStop that hangs is cut and reported; the node ends all the same", async () => {
  const log: Log = { handled: [], stops: [], running: 0 };
  const impl = Work.implement({ Do: () => "", Note: () => undefined }, { hooks: { onStop: () => new Promise(() => undefined) } });
  const node = await createNode(partsOf(), settingsOf("work")).link(impl).start();
  const report = await node.close({ deadlineMs: 1_500 });
  assert.deepEqual([report.hooks_timed_out, node.state, log.stops], [1, "closed", []]);
});

test("while it drains a node is not ready, refuses others, and its handlers may still ask", async () => {
  const gate = Promise.withResolvers<void>();
  const impl = Work.implement({
    Do: async ({ how }, ctx) => {
      if (how === "quick") return "quick";
      await gate.promise;
      return ctx.call(Work.routes.Do, { how: "quick" }, { to: own.idOf("other") });
    },
    Note: () => undefined,
  });
  const own = testNet();
  const node = await createNode(partsOf({ network: own.network() }), settingsOf("work", { rules: ALLOW_ALL })).link(impl).start();
  const other = await createNode(partsOf({ network: own.network() }), settingsOf("other", { rules: ALLOW_ALL }))
    .link(Work.implement({ Do: () => "from other", Note: () => undefined })).start();
  const answer = other.call(Work.routes.Do, { how: "slow" }, { to: own.idOf("work") });
  await until(() => node.health().mailbox.running === 1);
  const closing = node.close();
  await until(() => node.state === "draining");
  await until(() => !own.open.includes("work beat"));
  assert.deepEqual([node.health().ready, node.health().problems], [false, ["draining"]]);
  // The first step tells the realm; from the second on nobody is let in.
  await until(async () => {
    const asked = other.call(Work.routes.Do, { how: "quick" }, { to: own.idOf("work"), retry: "none" });
    return await asked.catch((error: { code: string }) => error.code) === "node.draining";
  });
  await assert.rejects(node.call(Work.routes.Do, { how: "quick" }, { to: own.idOf("other") }), { code: "node.draining" });
  gate.resolve();
  assert.equal(await answer, "from other");
  assert.deepEqual((await closing).unfinished, []);
  await other.close();
});

const STUCK = Work.implement({ Do: () => new Promise(() => undefined), Note: () => undefined });

test("the second time a node is told to end, each step left has only a second more; all get the one report", async () => {
  const node = await createNode(partsOf(), settingsOf("work")).link(STUCK).start();
  const asked = assert.rejects(node.call(Work.routes.Do, { how: "stuck" }, { to: "self" }));
  await until(() => node.health().mailbox.running === 1);
  const first = node.close({ deadlineMs: 300_000 });
  await until(() => node.state === "draining");
  const report = await node.close({ stepMs: 1_000 });
  assert.equal(await first, report);
  assert.deepEqual([report.returned, report.unfinished, node.state], [1, [], "closed"]);
  assert.ok(report.elapsed_ms < 50_000, "five minutes would have been its time");
  await asked;
});

test("what was not heard, not read and not sent when a node ends stands in its report", async () => {
  const own = testNet();
  const reader = { ...Work.implement({ Do: () => "", Note: () => undefined }), stream: () => new Promise<void>(() => undefined) };
  const node = await createNode(partsOf({ network: own.network({ hangs: true }) }), settingsOf("work", { rules: ALLOW_ALL })).link(reader).start();
  const other = await createNode(partsOf({ network: own.network() }), settingsOf("other")).link(STUCK).start();
  const stream = await other.openStream(own.idOf("work"), "audit", { mode: "reliable" });
  const begun = performance.now();
  const report = await node.close({ deadlineMs: 3_000 });
  const { announced, unregistered, streams_reset, unfinished } = report;
  assert.deepEqual({ announced, unregistered, streams_reset, unfinished }, {
    announced: false, unregistered: false, streams_reset: 1, unfinished: ["announce", "unregister"],
  });
  assert.ok(Math.abs(performance.now() - begun - report.elapsed_ms) < 2_000, "it says how long it took");
  assert.deepEqual(own.open.filter((what) => what.startsWith("work ")), [], "all the same nothing is left");
  await assert.rejects(stream.end(), { code: "node.draining" });
  await other.close({ deadlineMs: 2_000 });
});

test("every step has its share of the time that is given, more of it too", async () => {
  const impl = Work.implement({ Do: () => "", Note: () => undefined }, { hooks: { onStop: () => new Promise((resolve) => setTimeout(resolve, 300)) } });
  const limits = { life: { workloadMsMax: 30 } };
  const short = await createNode(partsOf(), settingsOf("work", { limits })).link(impl).start();
  assert.equal((await short.close()).hooks_timed_out, 1);
  const long = await createNode(partsOf(), settingsOf("work", { limits })).link(impl).start();
  assert.equal((await long.close({ deadlineMs: 3_000_000 })).hooks_timed_out, 0);
});
