// Node 14.11-13, 20, 42: what holds over several nodes: chains, deadlines, hooks, traces.
import assert from "node:assert/strict";
import { test } from "node:test";
import { createNode, json, route, service, streamRoute, type Ctx, type NodeHandle } from "@atoll-run/node";
import { memoryState, until } from "@atoll-run/testkit";
import { ALLOW_ALL, partsOf, settingsOf, testNet, type TestNet } from "../support/node-parts.ts";

const Hop = service({
  type: "acme:hop:1.0.0", name: "acme.Hop", routes: {
    /** Goes on to the next of the list; the last one does what is asked. */
    Go: route({ input: json<{ via: string[]; last: "trace" | "wait" | "fail" }>(), output: json<string[]>(), key: () => "one" }),
    Fail: route({ input: json<null>(), tell: true, attempts: 1 }),
  },
  streams: { Lines: streamRoute({ item: json<string>() }) },
});

interface Seen {
  readonly traces: string[];
  readonly budgets: number[];
  readonly aborted: string[];
  readonly lines: string[];
}

const traceOf = (ctx: Ctx): string => ctx.trace.traceparent?.split("-")[1] ?? "";

function hop(own: TestNet, name: string, seen: Seen) {
  return Hop.implement({
    async Go({ via: [next, ...via], last }, ctx) {
      seen.budgets.push(ctx.remainingMs());
      seen.traces.push(traceOf(ctx));
      ctx.signal.addEventListener("abort", () => seen.aborted.push(name), { once: true });
      if (next !== undefined) return [name, ...await ctx.call(Hop.routes.Go, { via, last }, { to: own.idOf(next) })];
      if (last === "wait") await new Promise((_, reject) => ctx.signal.addEventListener("abort", () => reject(ctx.signal.reason)));
      if (last === "fail") throw new Error("a plain failure");
      return [name];
    },
    Fail: (_, ctx) => {
      seen.traces.push(traceOf(ctx));
      throw new Error("poison");
    },
    Lines: async (lines, ctx) => {
      seen.traces.push(traceOf(ctx));
      for await (const line of lines) seen.lines.push(line);
    },
  });
}

async function chain(names: readonly string[]): Promise<{ own: TestNet; seen: Seen; nodes: NodeHandle[] } & AsyncDisposable> {
  const own = testNet();
  const seen: Seen = { traces: [], budgets: [], aborted: [], lines: [] };
  const nodes: NodeHandle[] = [];
  for (const name of names) {
    const parts = partsOf({ store: memoryState(), network: own.network() });
    nodes.push(await createNode(parts, settingsOf(name, { rules: ALLOW_ALL })).link(hop(own, name, seen)).start());
  }
  return { own, seen, nodes, [Symbol.asyncDispose]: async () => {
    await Promise.all(nodes.map((node) => node.close({ deadlineMs: 3_000 })));
  } };
}

test("three hops, a stream and a dead letter are one trace", async () => {
  await using all = await chain(["a", "b", "c"]);
  const { own, seen, nodes: [a, , c] } = all;
  assert.deepEqual(await a?.call(Hop.routes.Go, { via: ["b", "c"], last: "trace" }, { to: "self" }), ["a", "b", "c"]);
  assert.deepEqual([seen.traces.length, new Set(seen.traces).size, /^[0-9a-f]{32}$/.test(seen.traces[0] ?? "")], [3, 1, true]);
  await a?.tell(Hop.routes.Fail, null, { to: own.idOf("c") });
  const letter = await until(async () => (await c?.deadLetters.list({}))?.letters[0]);
  assert.match(JSON.stringify(letter), new RegExp(seen.traces[3] ?? "none"));
  const out = await a?.openStream(own.idOf("c"), Hop.streams.Lines);
  await out?.write("one");
  await out?.write("two");
  await out?.end();
  assert.deepEqual([seen.lines, /^[0-9a-f]{32}$/.test(seen.traces[4] ?? "")], [["one", "two"], true]);
});

test("each hop sees less time than the one before, and an abort at the first fires the signal of the last", async () => {
  await using all = await chain(["a", "b", "c"]);
  const { seen, nodes: [a] } = all;
  const abort = new AbortController();
  const answer = a?.call(Hop.routes.Go, { via: ["b", "c"], last: "wait" }, { to: "self", deadlineMs: 20_000, signal: abort.signal });
  await until(() => seen.budgets.length === 3);
  assert.ok(seen.budgets.every((ms, at) => ms <= (seen.budgets[at - 1] ?? 20_000)), seen.budgets.join());
  abort.abort();
  await assert.rejects(answer ?? Promise.resolve(), { code: "node.cancelled" });
  await until(() => seen.aborted.includes("c"));
});

test("the last of three hops gives up first, and the first says timed_out", async () => {
  await using all = await chain(["a", "b", "c"]);
  const { nodes: [a], seen } = all;
  await assert.rejects(a?.call(Hop.routes.Go, { via: ["b", "c"], last: "wait" }, { to: "self", deadlineMs: 400 }) ?? Promise.resolve(), { code: "node.timed_out" });
  await until(() => seen.aborted.includes("c"));
});

test("A→B→A on one key completes; an outsider on that key runs after it", async () => {
  await using all = await chain(["a", "b"]);
  const { nodes: [a, b], seen } = all;
  const inside = a?.call(Hop.routes.Go, { via: ["b", "a", "b"], last: "trace" }, { to: "self" });
  const outside = b?.call(Hop.routes.Go, { via: [], last: "trace" }, { to: all.own.idOf("a") });
  assert.deepEqual(await inside, ["a", "b", "a", "b"]);
  assert.deepEqual(await outside, ["a"]);
  assert.equal(seen.traces.length, 5);
});

test("a handler that throws fails its message alone, and the node lives", async () => {
  await using all = await chain(["a", "b"]);
  const { nodes: [a], own } = all;
  await assert.rejects(a?.call(Hop.routes.Go, { via: [], last: "fail" }, { to: own.idOf("b") }) ?? Promise.resolve(), { code: "node.internal" });
  assert.deepEqual(await a?.call(Hop.routes.Go, { via: [], last: "trace" }, { to: own.idOf("b") }), ["b"]);
});

test("hooks come in order with seq, may call remotely and record, and one that hangs or throws harms nobody", async () => {
  const own = testNet();
  const heard: string[] = [];
  const seen: Seen = { traces: [], budgets: [], aborted: [], lines: [] };
  const store = memoryState();
  await using other = await createNode(partsOf({ network: own.network() }), settingsOf("b", { rules: ALLOW_ALL })).link(hop(own, "b", seen)).start();
  const impl = hop(own, "a", seen);
  const hooked = Hop.implement({ Go: () => [], Fail: () => undefined, Lines: () => undefined }, { hooks: {
    onStart: async (fact, ctx) => {
      heard.push(`start ${fact.seq}`);
      heard.push(...await ctx.call(Hop.routes.Go, { via: [], last: "trace" }, { to: own.idOf("b") }));
      ctx.transaction((tx) => tx.kv.set("started", true));
    },
    onReady: () => {
      heard.push("ready");
      throw new Error("not my day");
    },
    onError: (fact) => void heard.push(`error ${fact.category}`),
    onStop: (fact) => void heard.push(`stop ${fact.seq > 2}`),
  } });
  assert.equal(impl.kind, "linked");
  const observed: string[] = [];
  const node = createNode(partsOf({ store, network: own.network() }), settingsOf("a")).observe({
    onStart: () => new Promise(() => undefined), onReady: () => void observed.push("ready"),
  });
  const handle = await node.link(hooked).start();
  assert.deepEqual(heard.slice(0, 3), ["start 1", "b", "ready"]);
  await until(() => heard.includes("error hook_failure"));
  assert.equal((await store.get("a", "kv:kv", "started"))?.value, "true");
  assert.equal(handle.health().ready, true);
  await handle.close();
  assert.equal(heard.at(-1), "stop true");
  assert.equal(other.state, "running");
});
