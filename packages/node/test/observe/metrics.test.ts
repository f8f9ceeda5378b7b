// Node 11.3: the metrics of a node under their names, in seconds, with labels whose values are bounded.
import assert from "node:assert/strict";
import { test } from "node:test";
import { createNode, json, route, service, type NodeHandle } from "@atoll-run/node";
import { until } from "@atoll-run/testkit";
import { NODE_LIMITS } from "../../src/limits.ts";
import { PairHistograms } from "../../src/observe/histogram.ts";
import { toPrometheus } from "../../src/observe/prometheus.ts";
import { ALLOW_ALL, partsOf, settingsOf, testNet } from "../support/node-parts.ts";

const Shop = service({ type: "acme:shop:1.0.0", name: "acme.Shop", routes: {
  Buy: route({ input: json<string>(), output: json<string>() }), Note: route({ input: json<string>(), tell: true, attempts: 1 }),
} });
const shop = (): ReturnType<typeof Shop.implement> => Shop.implement({ Buy: (input) => input, Note: () => {
  throw new Error("never");
} }, { hooks: { onReady: () => undefined } });

async function textOf(node: NodeHandle): Promise<string> {
  return await (await fetch(`${node.healthUrl}/metrics`)).text();
}

test("metrics carry the names of the specification, and times are histograms in seconds", async () => {
  const net = testNet();
  const health = { host: "127.0.0.1", port: 0 };
  const open = (name: string): Promise<NodeHandle> => createNode(
    partsOf({ network: net.network() }), settingsOf(name, { rules: ALLOW_ALL, health }),
  ).link(shop()).start();
  await using node = await open("one");
  await using other = await open("two");
  await other.call(Shop.routes.Buy, "a body", { to: net.idOf("one") });
  await node.tell(Shop.routes.Note, "a body", { to: "self" });
  await until(async () => (await node.deadLetters.stats()).letters === 1);
  const text = await textOf(node);
  const names = new Set([...text.matchAll(/^atoll_(\w+?)(?:_bucket|_sum|_count)?\{/gm)].map(([, name]) => name));
  const wanted = `mailbox_depth mailbox_oldest_seconds accepted_total queue_wait_seconds dispatch_seconds running retries_total dedup_total
    dedup_entries dedup_oldest_seconds dead_letters dead_letters_dropped_total commit_seconds commit_ops pending_calls orphan_replies_total
    frames_rejected_total acl_denied_total lane_bytes_total lane_buffered_bytes connections connect_seconds recovery_seconds
    stream_credit_wait_seconds stream_dropped_total hook_seconds`.split(/\s+/);
  assert.deepEqual(wanted.filter((name) => !names.has(name)), []);
  assert.match(await textOf(other), /^atoll_calls_total\{node="two",code="ok"\} 1$/m);
  assert.match(text, /^# TYPE atoll_dispatch_seconds histogram$/m);
  assert.match(text, /^atoll_dispatch_seconds_count\{node="one",route="acme\.Shop\.Buy",outcome="done"\} 1$/m);
  assert.match(text, /^atoll_dispatch_seconds_bucket\{node="one",route="acme\.Shop\.Note",outcome="failed",le="\+Inf"\} 1$/m);
  assert.match(text, /^atoll_queue_wait_seconds_count\{node="one"\} 2$/m);
  assert.match(text, /^atoll_dead_letters\{node="one",reason="handler_failed"\} 1$/m);
  assert.match(text, /^atoll_connections\{node="one",wire="memory",state="up"\} 1$/m);
  assert.match(text, /^atoll_hook_seconds_count\{node="one"\} 1$/m);
  assert.doesNotMatch(text, /a body/);
  for (const line of text.trimEnd().split("\n")) assert.match(line, /^(?:# TYPE atoll_\w+ (?:counter|gauge|histogram)|atoll_\w+\{[^\n]+\} -?[\d.e+-]+)$/);
});

test("dead letters are counted by reason as they come and go", async () => {
  const parts = partsOf();
  const begin = (): Promise<NodeHandle> => createNode(parts, settingsOf("shop")).link(shop()).start();
  {
    await using node = await begin();
    for (let i = 0; i < 3; i++) await node.tell(Shop.routes.Note, "x", { to: "self" });
    await until(async () => (await node.deadLetters.stats()).letters === 3);
    const [seq = 0] = (await node.deadLetters.list()).letters.map((letter) => letter.seq);
    await node.deadLetters.purge({ seq });
    assert.equal(node.metrics()['dead_letters{reason="handler_failed"}'], 2);
    assert.deepEqual([node.health().mailbox.dead_letters, node.metrics()["dead_letters_total"]], [2, 3]);
  }
  await using again = await begin();
  assert.equal(again.metrics()['dead_letters{reason="handler_failed"}'], 2, "those of an earlier process count");
  await again.deadLetters.purge({});
  assert.equal(again.metrics()['dead_letters{reason="handler_failed"}'], undefined);
});

test("a label has at most so many values: routes beyond them count as other", () => {
  const histograms = new PairHistograms(NODE_LIMITS.observe.routeLabelsMax);
  for (let i = 0; i < 1_000; i++) for (const outcome of ["done", "failed"]) histograms.observe(`route-${i}`, outcome, 0.001);
  const routes = new Map<string, number>();
  for (const [name, , { count }] of histograms) routes.set(name, (routes.get(name) ?? 0) + count);
  assert.deepEqual([routes.size, routes.get("route-0"), routes.get("other")], [101, 2, 1_800]);
});

test("a value that is larger than one bound and not than the next is counted from the next one on", () => {
  const histograms = new PairHistograms(1);
  for (const value of [0.001, 0.002, 100]) histograms.observe('a "route"\n', "done", value);
  const [[name, outcome, histogram]] = [...histograms] as [[string, string, never]];
  const text = toPrometheus({}, [{ name: "dispatch_seconds", labels: { route: name, outcome }, histogram }], { labels: { node: "n" }, nowMs: 0 });
  const labels = 'node="n",route="a \\"route\\"\\n",outcome="done"';
  const bucket = (le: string): string | undefined => text.split("\n").find((line) => line.startsWith(`atoll_dispatch_seconds_bucket{${labels},le="${le}"}`))?.split(" ").at(-1);
  assert.deepEqual(["0.0005", "0.001", "0.0025", "60", "+Inf"].map(bucket), ["0", "1", "2", "2", "3"]);
  assert.ok(text.includes(`atoll_dispatch_seconds_sum{${labels}} 100.003`));
});
