// Node 5, 14.20: what happens to a node is told in order, with its facts, to its service and to who observes it.
import assert from "node:assert/strict";
import { test } from "node:test";
import { formatNodeId } from "@atoll-run/core";
import { createNode, createRealm, type Hooks, json, route, service } from "@atoll-run/atoll/node";
import { until } from "@atoll-run/testkit";

const Work = service({ type: "acme:work:1.0.0", name: "acme.Work", routes: {
  Do: route({ input: json<number>(), tell: true, key: () => null, attempts: 1 }), Ask: route({ output: json<string>() }),
} });
const Client = service({ type: "acme:client:1.0.0", name: "acme.Client", routes: { Hi: route({ output: json<string>() }) } });
const ACL = [{ effect: "allow", from: { type: "*:*:*", realm: "self", proof: "key" }, actions: ["*"] }] as const;

const HOOKS = [
  "onStart", "onReady", "onStop", "onError", "onSignalingConnecting", "onSignalingConnected", "onSignalingDisconnected",
  "onWebSocketConnecting", "onWebSocketConnected", "onWebSocketDisconnected", "onCredentialRenewed", "onMailboxBackpressure",
] as const satisfies readonly (keyof Hooks)[];

test("hooks fire with their facts, in one order, and may call other nodes", async () => {
  const realm = await createRealm({ memory: true, listen: { public: { host: "127.0.0.1", port: 0 } } });
  const url = realm.addresses?.url ?? "";
  const gate = Promise.withResolvers<void>();
  const facts: { readonly hook: string; readonly seq: number; readonly fact: Readonly<Record<string, unknown>> }[] = [];
  const asked: string[] = [];
  await using client = await createNode({ name: "client", memory: true, realm: { url }, acl: ACL })
    .link(Client.implement({ Hi: () => "hi" })).start();
  const to = formatNodeId(client.id ?? assert.fail("the client has an id"));
  const hooks = Object.fromEntries(HOOKS.map((hook) => [hook, async (fact: { seq: number }, ctx: Parameters<NonNullable<Hooks["onReady"]>>[1]) => {
    facts.push({ hook, seq: fact.seq, fact: { ...fact } });
    if (hook === "onReady") asked.push(await ctx.call(Client.routes.Hi, undefined, { to }));
  }])) as Partial<Hooks>;
  const impl = Work.implement({
    Do: async (n) => {
      await gate.promise;
      if (n === 0) throw new Error("poison");
    },
    Ask: () => "answer",
  }, { hooks });
  const node = await createNode({
    name: "work", memory: true, realm: { url }, acl: ACL, limits: { mailbox: { softRowsMax: 4 } },
  }).link(impl).start();
  const seen = (hook: string): readonly Readonly<Record<string, unknown>>[] => facts.filter((one) => one.hook === hook).map(({ fact }) => fact);

  await until(() => asked.length === 1);
  assert.equal(await client.call(Work.routes.Ask, undefined, { to: Work.type }), "answer");
  await Promise.all(Array.from({ length: 8 }, (_, n) => client.tell(Work.routes.Do, n, { to: Work.type })));
  await until(() => seen("onMailboxBackpressure").some(({ edge }) => edge === "rising"));
  gate.resolve();
  await until(() => seen("onMailboxBackpressure").some(({ edge }) => edge === "falling"));
  await until(() => seen("onError").some(({ category }) => category === "handler_error"));
  await client.close();
  await until(() => seen("onWebSocketDisconnected").length > 0);
  await realm.close();
  await until(() => seen("onSignalingDisconnected").length > 0);
  assert.equal(node.state, "running", "losing the realm does not stop a node");
  await node.close({ deadlineMs: 4_000 });

  assert.deepEqual(HOOKS.filter((hook) => seen(hook).length === 0), []);
  assert.deepEqual(facts.map(({ seq }) => seq), facts.map(({ seq }) => seq).toSorted((a, b) => a - b), "in order of seq");
  assert.equal(facts.at(-1)?.hook, "onStop");
  assert.deepEqual(asked, ["hi"]);
  const up = seen("onWebSocketConnected")[0];
  assert.deepEqual([up?.["peer"], up?.["proof"]], [to, "key"]);
  assert.ok(Number(seen("onCredentialRenewed")[0]?.["expires_at_ms"]) > Date.now());
  assert.ok(seen("onSignalingConnecting").every(({ attempt }) => Number(attempt) >= 1));
});
