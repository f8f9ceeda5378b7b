// Node 3.1, 14.18: a node against real realms, ports and folders, when they are not what it needs.
import assert from "node:assert/strict";
import { chmod, mkdtemp, readdir, rm } from "node:fs/promises";
import { createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { formatNodeId, type Fault, type NodeId } from "@atoll-run/core";
import { createNode, createRealm, json, route, service, type NodeConfig, type RunningRealm } from "../../src/node.ts";

const Echo = service({ type: "acme:echo:1.0.0", name: "acme.Echo", routes: { Say: route({ input: json<string>(), output: json<string>() }) } });
const echo = (hooks: Parameters<typeof Echo.implement>[1] = {}) => Echo.implement({ Say: (input) => input }, hooks);
const ALLOW = [{ effect: "allow", from: { type: "*:*:*", realm: "self" }, actions: ["*"] }] as const;

/** A realm behind a real port, for all tests of this file. */
let shared: Promise<RunningRealm> | undefined;
const realm = (): Promise<RunningRealm> => shared ??= createRealm({ memory: true, listen: { public: { host: "127.0.0.1", port: 0 } } });
const url = async (): Promise<string> => (await realm()).addresses?.url ?? "";
after(async () => (await shared)?.close());

interface Failed extends Fault {
  readonly facts: { readonly step: number; readonly rollback: { readonly unfinished: unknown[]; readonly failed: unknown[] } };
}

/** The start must fail at that step with that code, be undone, and work once `good` is so. */
async function failsThenWorks(bad: Partial<NodeConfig>, good: Partial<NodeConfig>, expected: { code: string; step: number; deadlineMs?: number }): Promise<void> {
  const dir = await mkdtemp(join(tmpdir(), "atoll-node-"));
  try {
    const { deadlineMs = 20_000 } = expected;
    const config = { name: "echo", dir, acl: ALLOW };
    const before = (await realm()).stats().nodes_up;
    await assert.rejects(createNode({ ...config, ...bad }).link(echo()).start({ deadlineMs }), (error: Failed) => {
      assert.deepEqual([error.code, error.facts.step], [expected.code, expected.step], error.message);
      assert.deepEqual([error.facts.rollback.unfinished, error.facts.rollback.failed], [[], []]);
      return true;
    });
    assert.equal((await realm()).stats().nodes_up, before, "nothing stays registered");
    await using node = await createNode({ ...config, ...good }).link(echo()).start();
    assert.equal(await node.call(Echo.routes.Say, "works", { to: "self" }), "works");
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

async function listening(hear: (socket: Socket) => void): Promise<{ server: Server; port: number } & AsyncDisposable> {
  const server = createServer(hear);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  return {
    server, port: typeof address === "object" ? address?.port ?? 0 : 0,
    [Symbol.asyncDispose]: () => new Promise((resolve) => server.close(() => resolve())),
  };
}

test("the identity service is down: the start fails at step 7 as unavailable, and the next one works", async () => {
  const gone = await listening(() => undefined);
  await gone[Symbol.asyncDispose]();
  await failsThenWorks({ realm: { url: `http://127.0.0.1:${gone.port}` } }, { realm: { url: await url() } }, { code: "node.unavailable", step: 7 });
});

test("the secret is wrong: the start fails at step 7 as permission_denied", async () => {
  await using guarded = await createRealm({ memory: true, listen: { public: { host: "127.0.0.1", port: 0 } } });
  const { body } = await guarded.door.admin({
    method: "POST", path: "/admin/v1/secrets", body: Buffer.from(JSON.stringify({ realm: 1 })),
    headers: { authorization: `Bearer ${guarded.adminToken.reveal()}` },
  });
  const { secret } = JSON.parse(Buffer.from(body).toString()) as { secret: string };
  const base = guarded.addresses?.url ?? "";
  await failsThenWorks({ realm: { url: base, secret: "wrong" } }, { realm: { url: base, secret } }, { code: "node.permission_denied", step: 7 });
});

test("the port is in use: the start fails at step 5, before anything was registered", async () => {
  await using taken = await listening((socket) => socket.destroy());
  const own = { realm: { url: await url() } };
  await failsThenWorks({ ...own, listen: { port: taken.port } }, own, { code: "node.bind_failed", step: 5 });
});

test("signaling is a black hole: the start fails at step 9 when its time is over, and the node has left the realm", async () => {
  const sockets = new Set<Socket>();
  await using hole = await listening((socket) => void sockets.add(socket.on("error", () => undefined)));
  const base = await url();
  const bad = { realm: { aisUrl: `${base}/ais`, signalingUrl: `ws://127.0.0.1:${hole.port}/signaling/ws` } };
  await failsThenWorks(bad, { realm: { url: base } }, { code: "node.unavailable", step: 9, deadlineMs: 6_000 });
  for (const socket of sockets) socket.destroy();
});

test("another process has the folder: the start fails as locked", async () => {
  const dir = await mkdtemp(join(tmpdir(), "atoll-node-"));
  try {
    await using node = await createNode({ name: "a", dir }).link(echo()).start();
    assert.equal(node.health().durability, "full");
    await assert.rejects(createNode({ name: "b", dir }).link(echo()).start(), { code: "node.locked" });
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
});

test("others can read the key: the start fails at step 2 as permission_denied, and says what to do", { skip: process.platform === "win32" }, async () => {
  const dir = await mkdtemp(join(tmpdir(), "atoll-node-"));
  try {
    const config = { name: "echo", dir, realm: { url: await url() } };
    const node = await createNode(config).link(echo()).start();
    const { id } = node;
    await node.close();
    const [key = ""] = await readdir(join(dir, "keys"));
    await chmod(join(dir, "keys", key), 0o644);
    await assert.rejects(createNode(config).link(echo()).start(), (error: Failed) => {
      assert.deepEqual([error.code, error.facts.step], ["node.permission_denied", 2]);
      assert.match(error.hint ?? "", /chmod 600/);
      return true;
    });
    await chmod(join(dir, "keys", key), 0o600);
    await using again = await createNode(config).link(echo()).start();
    assert.deepEqual(again.id, id, "a restart on the same state has the same id");
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
});

test("the advertised address is the bound port: a peer finds it and calls", async () => {
  const base = await url();
  await using server = await createNode({ name: "server", memory: true, realm: { url: base }, acl: ALLOW }).link(echo()).start();
  const client = createNode({ name: "client", type: "acme:client:1.0.0", memory: true, realm: { url: base }, listen: false });
  await using caller = await client.link(echo()).start();
  assert.match(server.health().network?.addresses[0] ?? "", /^ws:\/\/127\.0\.0\.1:\d+/);
  assert.equal(await caller.call(Echo.routes.Say, "hello", { to: Echo.type }), "hello");
  assert.deepEqual((await caller.discover(Echo.type)).length, 1);
});

test("a node that is not visible is offered to nobody, and the nearest comes first to who asks for it", async () => {
  const base = await url();
  const Place = service({ type: "acme:place:1.0.0", name: "acme.Place", routes: { Say: route({ input: json<string>(), output: json<string>() }) } });
  const start = (name: string, o: Partial<NodeConfig>) => createNode({ name, memory: true, realm: { url: base }, acl: ALLOW, ...o })
    .link(Place.implement({ Say: () => name })).start();
  await using hidden = await start("hidden", { visible: false });
  await using oslo = await start("oslo", { place: { region: "eu", latitude: 59.9, longitude: 10.7 } });
  await using tokyo = await start("tokyo", { place: { latitude: 35.7, longitude: 139.7 } });
  for (const [region, place, first] of [["near Oslo", { latitude: 60, longitude: 11 }, oslo], ["near Tokyo", { latitude: 35, longitude: 139 }, tokyo]] as const) {
    await using client = await createNode({
      name: "client", type: "acme:client:1.0.0", memory: true, realm: { url: base }, listen: false, place, ranking: ["nearest"],
    }).link(echo()).start();
    const found = (await client.discover("acme:place:1.0.0")).map(({ id }) => id);
    assert.deepEqual([found[0], found.length], [formatNodeId(first.id as NodeId), 2], region);
  }
  assert.equal(hidden.health().ready, true);
});

test("plain http to a realm leaves this machine only by setting, and what is no address of a realm is refused", async () => {
  const start = (realm: NodeConfig["realm"], o: Partial<NodeConfig> = {}) =>
    createNode({ name: "echo", memory: true, ...realm === undefined ? {} : { realm }, ...o }).link(echo()).start({ deadlineMs: 1_000 });
  for (const remote of [{ url: "http://192.0.2.1:8081" }, { aisUrl: "https://192.0.2.1/ais", signalingUrl: "ws://192.0.2.1/signaling/ws" }]) {
    await assert.rejects(start(remote), (error: Fault) => {
      assert.deepEqual([error.code, error.retry], ["node.permission_denied", "never"]);
      assert.match(error.hint ?? "", /listen\.plain = "allow"/);
      return true;
    });
  }
  for (const wrong of [{ url: "ftp://127.0.0.1" }, { url: "127.0.0.1:8081" }, {}]) await assert.rejects(start(wrong), { code: "node.invalid_argument" });
  // Allowed, it is tried: nobody answers there.
  await assert.rejects(start({ url: "http://192.0.2.1:8081" }, { plain: "allow" }), { code: "node.unavailable" });
});
