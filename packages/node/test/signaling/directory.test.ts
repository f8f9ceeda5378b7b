import assert from "node:assert/strict";
import { test } from "node:test";
import { parseNodeId, type NodeId } from "@atoll-run/core";
import { toActrId } from "@atoll-run/core/internal";
import { until } from "@atoll-run/testkit";
import { world } from "./world.ts";

const id = (serial: number): NodeId => parseNodeId(`${serial.toString(16)}@101/acme:bank:1.0.0`) as NodeId;
const text = (serial: number): string => `${serial.toString(16)}@101/acme:bank:1.0.0`;
const TYPE = "acme:bank:1.0.0";
const questions = (asked: readonly string[]): number => asked.filter((one) => one === "routeCandidatesRequest").length;

test("candidates come in the order of the realm, from the cache for 30 s, and many ask once", async () => {
  const w = await world();
  await w.up();
  const { directory } = w.client;
  w.signaling.knobs.offered = [3, 1, 2].map((serial) => ({ id: id(serial), address: `ws://127.0.0.1:${serial}` }));
  const [a, b] = await Promise.all([directory.candidates(TYPE), directory.candidates(TYPE)]);
  assert.deepEqual(a.map((one) => one.id), [text(3), text(1), text(2)]);
  assert.deepEqual(a[0], { id: text(3), availability: "full", power_reserve: 5, mailbox_backlog: 0 });
  assert.deepEqual(b, a);
  assert.equal((await directory.candidates(TYPE, { limit: 2 })).length, 2);
  assert.equal(questions(w.signaling.asked), 1);
  await w.clock.pass(30_000);
  await directory.candidates(TYPE);
  assert.equal(questions(w.signaling.asked), 2);
  await w.client[Symbol.asyncDispose]();
});

test("nobody is remembered for 2 s only; what is no type is refused", async () => {
  const w = await world();
  await w.up();
  const { directory } = w.client;
  assert.deepEqual(await directory.candidates(TYPE), []);
  assert.deepEqual(await directory.candidates(TYPE), []);
  assert.equal(questions(w.signaling.asked), 1);
  await w.clock.pass(2_000);
  await directory.candidates(TYPE);
  assert.equal(questions(w.signaling.asked), 2);
  await assert.rejects(directory.candidates("bank"), { code: "node.invalid_argument" });
  await w.client[Symbol.asyncDispose]();
});

test("an address lives 5 min, names the key of the node, and one that failed is not given again", async () => {
  const w = await world();
  await w.up();
  const { directory } = w.client;
  const node_key = new Uint8Array(32).fill(3);
  w.signaling.knobs.offered = [{ id: id(1), address: "ws://127.0.0.1:1", node_key }];
  const found = await directory.addresses(id(1), { deadlineMs: 1_000 });
  assert.deepEqual(found, [{ wire: "websocket", address: "ws://127.0.0.1:1", node_key }]);
  await directory.addresses(id(1), { deadlineMs: 1_000 });
  assert.equal(questions(w.signaling.asked), 1);
  directory.failed(id(1), "ws://127.0.0.1:1");
  w.signaling.knobs.offered = [{ id: id(1), address: "ws://127.0.0.1:2" }];
  assert.equal((await directory.addresses(id(1), { deadlineMs: 1_000 }))[0]?.address, "ws://127.0.0.1:2");
  await w.clock.pass(300_000);
  w.signaling.knobs.offered = [];
  assert.deepEqual(await directory.addresses(id(1), { deadlineMs: 1_000 }), []);
  await w.client[Symbol.asyncDispose]();
});

test("a candidate that could not be reached is asked for anew; a slow realm ends at the deadline", async () => {
  const w = await world();
  await w.up();
  const { directory } = w.client;
  w.signaling.knobs.offered = [{ id: id(1) }];
  await directory.candidates(TYPE);
  directory.failed(TYPE, text(1));
  w.signaling.knobs.silent = true;
  const late = assert.rejects(directory.candidates(TYPE, { deadlineMs: 200 }), { code: "node.timed_out" });
  await w.clock.pass(200);
  await late;
  assert.equal(questions(w.signaling.asked), 2);
  await w.clock.pass(5_000);
  await w.client[Symbol.asyncDispose]();
  assert.equal(w.clock.timers, 0);
});

test("a watch tells who is there, who comes and who goes, drops the cache, and asks again after a reconnect", async () => {
  const w = await world();
  await w.up();
  const { directory } = w.client;
  w.signaling.knobs.offered = [{ id: id(1) }];
  await directory.candidates(TYPE);
  const heard: string[] = [];
  const watch = directory.watch(TYPE);
  const reading = (async () => {
    for await (const event of watch) heard.push(`${event.is} ${event.id}`);
  })();
  await until(() => heard.length === 1);
  w.signaling.tell({ case: "actrUpEvent", value: { actorId: toActrId(id(2)) } });
  w.signaling.tell({ case: "actrDownEvent", value: { actorId: toActrId(id(1)), reason: "left" } });
  w.signaling.tell({ case: "actrDownEvent", value: { actorId: toActrId({ ...id(1), type: { manufacturer: "acme", name: "other", version: "1.0.0" } }) } });
  await until(() => heard.length === 3);
  const before = questions(w.signaling.asked);
  await directory.candidates(TYPE);
  assert.equal(questions(w.signaling.asked), before + 1);
  w.signaling.knobs.offered = [{ id: id(5) }];
  w.signaling.cut(1_006, "gone");
  await w.passUntil(() => heard.length === 5);
  assert.deepEqual(heard, [`up ${text(1)}`, `up ${text(2)}`, `down ${text(1)}`, `down ${text(2)}`, `up ${text(5)}`]);
  await watch.return?.();
  await reading;
  await until(() => w.signaling.asked.at(-1) === "unsubscribeActrUpRequest");
  await w.client[Symbol.asyncDispose]();
  assert.equal(w.clock.timers, 0);
});

test("where the realm tells no end, a watch looks each minute", async () => {
  const w = await world();
  await w.up();
  w.signaling.knobs.offered = [{ id: id(1) }];
  const watch = w.client.directory.watch(TYPE);
  assert.deepEqual((await watch.next()).value, { is: "up", id: text(1) });
  w.signaling.knobs.offered = [];
  await w.clock.pass(60_000);
  assert.deepEqual((await watch.next()).value, { is: "down", id: text(1) });
  const end = watch.next();
  await w.client[Symbol.asyncDispose]();
  assert.equal((await end).done, true);
  assert.equal(w.clock.timers, 0);
});

test("keys of the realm come on signaling, without it from the identity service", async () => {
  const w = await world();
  await w.client.register();
  assert.equal(w.client.verifier.stats().known, 1);
  await w.client.connect();
  await assert.rejects(w.client.verifier.realmKey(77), { code: "node.permission_denied" });
  assert.equal(w.signaling.asked.filter((one) => one === "getSigningKeyRequest").length, 2);
  await w.client[Symbol.asyncDispose]();
});

test("with a lock file only what it names is a dependency", async () => {
  const w = await world({ discovery: { locked: { [TYPE]: "f1" } } });
  await w.up();
  w.signaling.knobs.offered = [{ id: id(1) }];
  assert.equal((await w.client.directory.candidates(TYPE)).length, 1);
  await assert.rejects(w.client.directory.candidates("acme:shop:1.0.0"), {
    code: "node.dependency_not_found", facts: { service_name: "acme:shop:1.0.0" },
  });
  await w.client[Symbol.asyncDispose]();
});
