// Node 2.1, 3.1, 3.3: a node from its start to its end.
import assert from "node:assert/strict";
import { test } from "node:test";
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
