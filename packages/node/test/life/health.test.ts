// Node 2.3, 9.2, 11.3, 11.4: what a node says of itself.
import assert from "node:assert/strict";
import { test } from "node:test";
import { nodeError, type Workload, type WorkloadHost } from "@atoll-run/core";
import { createNode, json, route, service, type NetworkHealth, type NodeParts } from "@atoll-run/node";
import { until } from "@atoll-run/testkit";
import { partsOf, realClock, settingsOf, testNet } from "../support/node-parts.ts";

const Echo = service({ type: "acme:echo:1.0.0", name: "acme.Echo", routes: { Say: route({ input: json<string>(), output: json<string>() }) } });

/** A service whose host can be told that it has died. */
function mortal(): { readonly impl: Workload; readonly hosts: WorkloadHost[] } {
  const hosts: WorkloadHost[] = [];
  const inner = Echo.implement({ Say: (input) => input });
  return { hosts, impl: { ...inner, start: async (host, o) => {
    hosts.push(host);
    await inner.start(host, o);
  } } };
}

async function get(url: string): Promise<{ readonly status: number; readonly body: string }> {
  const answer = await fetch(url);
  return { status: answer.status, body: await answer.text() };
}

test("where metrics are switched off health is served all the same", async () => {
  await using node = await createNode(partsOf(), settingsOf("echo", { health: { host: "127.0.0.1", port: 0, metrics: false } }))
    .link(Echo.implement({ Say: (input) => input })).start();
  const answers = await Promise.all(["healthz", "metrics"].map((path) => get(`${String(node.healthUrl)}/${path}`)));
  assert.deepEqual(answers.map(({ status }) => status), [200, 404]);
});

test("health, readiness and metrics are served where it is asked for, and gone with the node", async () => {
  const parts = partsOf();
  await using node = await createNode(parts, settingsOf("echo", { health: { host: "127.0.0.1", port: 0 } })).link(Echo.implement({ Say: (input) => input })).start();
  const url = String(node.healthUrl);
  await node.call(Echo.routes.Say, "x", { to: "self" });
  const [healthz, readyz, metrics, other] = await Promise.all(["healthz", "readyz", "metrics", "x"].map((path) => get(`${url}/${path}`)));
  assert.deepEqual([healthz?.status, readyz?.status, metrics?.status, other?.status], [200, 200, 200, 404]);
  assert.deepEqual([JSON.parse(healthz?.body ?? "").live, JSON.parse(readyz?.body ?? "").durability], [true, "memory"]);
  assert.match(metrics?.body ?? "", /^atoll_calls_total\{node="echo",code="ok"\} 1$/m);
  assert.match(metrics?.body ?? "", /^# TYPE atoll_mailbox_depth gauge$/m);
  await node.close();
  await assert.rejects(fetch(`${url}/healthz`));
});

test("a node without its realm goes on, and after a minute says that it is degraded; without an identity it is not ready", async () => {
  const own = testNet();
  let network: Partial<NetworkHealth> = {};
  let nowMs = 1_000;
  const clock = { ...realClock, monotonic: () => nowMs };
  const wrapped: NonNullable<NodeParts["network"]> = (context) => {
    const made = own.network()(context);
    const health = made.health.bind(made);
    return Object.assign(made, { health: () => ({ ...health(), ...network }) });
  };
  await using node = await createNode(partsOf({ clock, network: wrapped }), settingsOf("echo")).link(Echo.implement({ Say: (input) => input })).start();
  const said = (): unknown[] => [node.health().ready, node.health().degraded, node.health().problems];
  assert.deepEqual(said(), [true, false, []]);
  network = { signaling: "down", signaling_down_since_ms: nowMs };
  nowMs += 60_000;
  assert.deepEqual(said(), [true, false, []]);
  nowMs += 1;
  assert.deepEqual(said(), [true, true, ["signaling"]]);
  assert.equal(await node.call(Echo.routes.Say, "still", { to: "self" }), "still");
  network = { identity: "grace" };
  assert.deepEqual(said(), [true, false, []]);
  for (const identity of ["expired", "lost"] as const) {
    network = { identity };
    assert.deepEqual(said(), [false, false, ["identity"]]);
  }
});

test("a node is not ready when its mailbox is full, as full as it may be by setting", async () => {
  const { promise, resolve: open } = Promise.withResolvers<string>();
  const limits = { mailbox: { hardRowsMax: 10 } };
  await using node = await createNode(partsOf(), settingsOf("echo", { limits })).link(Echo.implement({ Say: () => promise })).start();
  const asked = Array.from({ length: 10 }, (_, n) => node.call(Echo.routes.Say, "x", { to: "self", requestId: `r${n}` }).catch((error: { code: string }) => error.code));
  await until(() => node.health().mailbox.depth >= 9);
  const full = node.health();
  assert.deepEqual([full.ready, full.problems], [false, ["mailbox"]]);
  open("yes");
  assert.deepEqual(new Set(await Promise.all(asked)), new Set(["yes", "node.overloaded"]));
  await until(() => node.health().mailbox.depth === 0);
  assert.deepEqual([full.mailbox.depth, node.health().ready], [9, true], "a tenth is kept for signals");
});

test("a port in use for health fails the start at step 5", async () => {
  const parts = partsOf();
  await using first = await createNode(parts, settingsOf("a", { health: { host: "127.0.0.1", port: 0 } })).link(Echo.implement({ Say: (input) => input })).start();
  const url = new URL(String(parts.lines.find(({ msg }) => msg === "health is served")?.fields?.["url"]));
  const second = createNode(partsOf(), settingsOf("b", { health: { host: "127.0.0.1", port: Number(url.port) } }));
  await assert.rejects(second.link(Echo.implement({ Say: (input) => input })).start(), { code: "node.bind_failed" });
  assert.equal(first.health().ready, true);
});

test("a workload that dies is built again after a pause; meanwhile the node is not ready and hands out nothing", async () => {
  const { impl, hosts } = mortal();
  const errors: string[] = [];
  await using node = await (await createNode(partsOf(), settingsOf("echo", { type: { manufacturer: "acme", name: "echo", version: "1.0.0" } }))
    .observe({ onError: (fact) => void errors.push(fact.category) }).attach(impl)).start();
  hosts[0]?.died(nodeError("node.internal", "the script broke"));
  assert.deepEqual([node.health().ready, node.health().problems], [false, ["workload"]]);
  assert.equal(await node.call(Echo.routes.Say, "later", { to: "self" }), "later");
  assert.deepEqual([hosts.length, node.health().ready], [2, true]);
  await until(() => errors.includes("handler_panic"));
});

test("with restart = host the node waits for its host, and keeps what comes meanwhile", async () => {
  const { impl, hosts } = mortal();
  await using node = await (await createNode(partsOf(), settingsOf("echo", { restart: "host" })).attach(impl)).start();
  hosts[0]?.died(nodeError("node.internal", "the script broke"));
  const answer = node.call(Echo.routes.Say, "later", { to: "self" });
  assert.deepEqual([node.health().ready, hosts.length], [false, 1]);
  await node.rebuild();
  assert.equal(await answer, "later");
  assert.deepEqual([node.health().ready, hosts.length], [true, 2]);
});

test("five deaths in a minute close the node with a report", async () => {
  const { impl, hosts } = mortal();
  const node = await (await createNode(partsOf(), settingsOf("echo")).attach(impl)).start();
  for (let death = 1; death <= 5; death++) {
    await until(() => hosts.length === death);
    await until(() => node.health().problems.length === 0);
    hosts.at(-1)?.died(nodeError("node.internal", "again"));
  }
  assert.deepEqual((await node.closed).unfinished, []);
  assert.equal(node.state, "closed");
});

test("a function that holds the event loop for more than a second is named", async () => {
  const Held = service({ type: "acme:held:1.0.0", name: "acme.Held", routes: { Hold: route({ output: json<number>() }) } });
  const parts = partsOf();
  await using node = await createNode(parts, settingsOf("held")).link(Held.implement({ Hold: () => {
    const until = performance.now() + 2_200;
    while (performance.now() < until);
    return 1;
  } })).start();
  await node.call(Held.routes.Hold, undefined, { to: "self" });
  await until(() => parts.lines.some(({ msg }) => msg === "the event loop of this process was held"));
  assert.ok((node.metrics()["loop_delay_ms"] ?? 0) > 1_000);
});
