// Node 2.1, 3.1, 3.3: a node from its start to its end.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Workload } from "@atoll-run/core";
import { until } from "@atoll-run/testkit";
import { createNode, json, route, service } from "@atoll-run/node";
import { ALLOW_ALL, partsOf, settingsOf, testNet } from "../support/node-parts.ts";

const Echo = service({
  type: "acme:echo:1.0.0", name: "acme.Echo", routes: {
    Say: route({ input: json<{ text: string }>(), output: json<{ text: string; from: string }>() }),
    Note: route({ input: json<{ text: string }>(), tell: true }),
    Ask: route({ input: json<{ to: string; text: string }>(), output: json<string>() }),
    Count: route({ output: json<number>() }),
  },
});

function echo(notes: string[] = []) {
  return Echo.implement({
    Say: (input, ctx) => ({ text: input.text, from: ctx.caller.kind }),
    Note: (input, ctx) => {
      ctx.transaction((tx) => tx.kv.set("last", input.text));
      notes.push(input.text);
    },
    Ask: async (input, ctx) => (await ctx.call(Echo.routes.Say, { text: input.text }, { to: input.to })).text,
    Count: async (_, ctx) => {
      const count = Number(await ctx.kv.get("count") ?? 0) + 1;
      ctx.transaction((tx) => tx.kv.set("count", count));
      return count;
    },
  });
}

test("a local node takes calls and tells of its host and needs nothing but a store", async () => {
  const notes: string[] = [];
  await using node = await createNode(partsOf(), settingsOf("echo")).link(echo(notes)).start();
  assert.deepEqual(await node.call(Echo.routes.Say, { text: "hello" }, { to: "self" }), { text: "hello", from: "local" });
  assert.deepEqual(await node.tell(Echo.routes.Note, { text: "noted" }, { to: "self" }), { level: "accepted", duplicate: false });
  assert.equal(await node.call(Echo.routes.Count, undefined, { to: "self" }), 1);
  assert.equal(await node.call(Echo.routes.Count, undefined, { to: "self" }), 2);
  const { ready, durability, problems } = node.health();
  assert.deepEqual([ready, durability, problems], [true, "memory", []]);
  const report = await node.close();
  assert.deepEqual([report.unfinished, notes], [[], ["noted"]]);
});

test("nodes of one process find each other by id, call and tell both ways", async () => {
  const { network, idOf, open } = testNet();
  const notes: string[] = [];
  const parts = (): ReturnType<typeof partsOf> => partsOf({ network: network() });
  const a = await createNode(parts(), settingsOf("a", { rules: ALLOW_ALL })).link(echo()).start();
  const b = await createNode(parts(), settingsOf("b", { rules: ALLOW_ALL })).link(echo(notes)).start();
  assert.deepEqual(await a.call(Echo.routes.Say, { text: "x" }, { to: idOf("b") }), { text: "x", from: "peer" });
  assert.deepEqual(await b.call(Echo.routes.Say, { text: "y" }, { to: idOf("a") }), { text: "y", from: "peer" });
  assert.deepEqual(await a.tell(Echo.routes.Note, { text: "n" }, { to: idOf("b") }), { level: "accepted", duplicate: false });
  assert.equal(await a.call(Echo.routes.Ask, { to: "self", text: "deep" }, { to: "self" }), "deep");
  const reports = await Promise.all([a.close(), b.close()]);
  assert.deepEqual(reports.map(({ unfinished, unregistered, announced }) => [unfinished, unregistered, announced]), [[[], true, true], [[], true, true]]);
  assert.deepEqual([open, notes], [[], ["n"]]);
});

const APPEND = (body: string) => ({ op: "append", journal: "book", body } as const);

test("what a host does with the acceptance of its own tell is one commit with it, and seen before it runs", async () => {
  const parts = partsOf();
  const seen: string[][] = [];
  const bodies = async () => (await parts.store.journal("book", { after: 0, limit: 10 })).map(({ body }) => body);
  const impl = Echo.implement({
    Say: (input) => ({ text: input.text, from: "" }), Ask: () => "", Count: () => 0,
    Note: async () => void seen.push(await bodies()),
  });
  await using node = await createNode(parts, settingsOf("echo")).link(impl).start();
  const body = new TextEncoder().encode('{"text":"x"}');
  const tell = (id: string, text: string) => node.tellRaw(Echo.routes.Note.key, body, { to: "self", requestId: id, also: [APPEND(text)] });
  assert.deepEqual(await tell("one", "first"), { level: "accepted", duplicate: false });
  assert.deepEqual(await tell("one", "again"), { level: "accepted", duplicate: true }, "a duplicate does nothing");
  assert.deepEqual(await tell("two", "second"), { level: "accepted", duplicate: false });
  await until(() => seen.length === 2);
  assert.deepEqual(await bodies(), ["first", "second"]);
  assert.ok(seen[0]?.includes("first") === true && seen[1]?.includes("second") === true, "it was there when the handler began");
  const attached = await parts.store.commit({ scope: "echo", epoch: node.epoch, at_ms: 1, ops: [APPEND("host")] });
  assert.equal(attached.ok, true, "the epoch of the handle is that of the scope");
  const of = (to: string) => node.tellRaw(Echo.routes.Note.key, body, { to, also: [APPEND("no")] });
  await assert.rejects(of("acme:other:1.0.0"), { code: "node.invalid_argument" });
});

test("what a workload wants done with a dead letter is one commit with it", async () => {
  const parts = partsOf();
  const impl = Echo.implement({ Say: (input) => ({ text: input.text, from: "" }), Ask: () => "", Count: () => 0, Note: () => Promise.reject(new Error("boom")) });
  const workload: Workload = {
    ...impl, buried: ({ id, payload }, { reason }) => [
      { write: "append", journal: "book", body: `${id} ${reason} ${new TextDecoder().decode(payload)}` },
    ],
  };
  const routes = { "*": { attempts: 1 } };
  const type = { manufacturer: "acme", name: "echo", version: "1.0.0" };
  await using node = await (await createNode(parts, settingsOf("echo", { routes, type })).attach(workload)).start();
  await node.tell(Echo.routes.Note, { text: "x" }, { to: "self", requestId: "one" });
  const books = async () => parts.store.journal("book", { after: 0, limit: 10 });
  await until(async () => (await books()).length === 1);
  assert.deepEqual((await books()).map(({ body }) => body), ['one handler_failed {"text":"x"}']);
  assert.equal((await parts.store.letters("echo", { after: 0, limit: 10 })).length, 1);
});
