// Goal: a service in TypeScript and a block in Lua find, call and tell each other. Invariant: they behave alike in one
// process and in two. Method: one story, told over the wire inside a process and over WebSockets with a realm between.
import assert from "node:assert/strict";
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { createInterface } from "node:readline";
import { test } from "node:test";
import { formatNodeId } from "@atoll-run/core";
import { createNode, createRealm, local, type NodeHandle } from "@atoll-run/atoll/node";
import { until } from "@atoll-run/testkit";
import { counter, COUNTER_TYPE, Greeter, greeter } from "./greeter.ts";

/** The story: `host` is the greeter's node, `to` the counter. */
async function story(host: NodeHandle, to: string, notes: readonly string[]): Promise<void> {
  assert.ok(host.id !== undefined);
  const ask = async (route: string, payload: unknown): Promise<unknown> => {
    const body = await host.callRaw(route, Buffer.from(JSON.stringify(payload)), { to });
    return JSON.parse(Buffer.from(body).toString());
  };
  const self = formatNodeId(host.id);
  assert.deepEqual(await ask("acme.Counter.Next", { tell: self }), { n: 1, proof: "key" });
  assert.deepEqual(await ask("acme.Counter.Next", { tell: self }), { n: 2, proof: "key" });
  await until(() => notes.length === 2);
  assert.deepEqual(notes, ["counted 1", "counted 2"]);
  assert.deepEqual(await ask("atoll.block.v1.Mesh", { text: "hi" }), { heard: "hi" });
  assert.deepEqual(await host.tellRaw("acme.Counter.Next", Buffer.from(JSON.stringify({ tell: self })), { to }), { level: "accepted", duplicate: false });
  await until(() => notes.length === 3);
  assert.deepEqual(await host.call(Greeter.routes.Greet, { name: "me" }, { to: "self" }), { text: "hello me", from: "local" });
}

test("a service and a block in one process call and tell each other", async () => {
  const notes: string[] = [];
  await using app = await local({ memory: true, services: { greeter: greeter(notes), counter: counter() } });
  await story(app.node("greeter"), "counter", notes);
});

test("a service and a block in two processes call and tell each other over WebSockets", async () => {
  const dir = await mkdtemp(join(tmpdir(), "atoll-nodes-"));
  let child: ChildProcess | undefined;
  try {
    await using realm = await createRealm({ memory: true, listen: { public: { host: "127.0.0.1", port: 0 } } });
    const url = realm.addresses?.url ?? "";
    const notes: string[] = [];
    const acl = [{ effect: "allow", from: { type: "*:*:*", realm: "self", proof: "key" }, actions: ["*"] }] as const;
    await using host = await createNode({ name: "greeter", memory: true, realm: { url }, acl }).link(greeter(notes)).start();
    child = spawn(process.execPath, [join(import.meta.dirname, "counter-process.ts"), url, dir], { stdio: ["pipe", "pipe", "inherit"] });
    const lines = createInterface({ input: child.stdout ?? process.stdin })[Symbol.asyncIterator]();
    const id = String((await lines.next()).value);
    assert.match(id, /\/acme:counter:1\.0\.0$/);
    await story(host, COUNTER_TYPE, notes);
    const found = await host.discover(COUNTER_TYPE);
    assert.deepEqual(found.map((one) => one.id), [id]);
    child.stdin?.end();
    assert.deepEqual(JSON.parse(String((await lines.next()).value)), { unfinished: [], returned: 0, unregistered: true });
    const [code] = await once(child, "exit") as [number];
    assert.equal(code, 0);
    await assert.rejects(host.callRaw("acme.Counter.Next", new Uint8Array(), { to: id, deadlineMs: 2_000 }), (error: { code: string }) =>
      ["node.unavailable", "node.connection_not_ready", "node.not_found", "node.timed_out"].includes(error.code));
  } finally {
    child?.kill("SIGKILL");
    await rm(dir, { recursive: true, force: true });
  }
});
