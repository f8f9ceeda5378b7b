// Whole nodes and a whole realm on sockets of this machine: what fails at the start, and what the hooks hear
// (spec: node 3.1, 5.1, 5.2; 14.18, 14.20, 14.22).
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { formatNodeId, isFault, type Clock } from "@atoll-run/core";
import {
  createNode, createRealm, json, route, service, type Ctx, type NodeConfig, type NodeHandle,
} from "@atoll-run/atoll/node";
import { until, watchHandles } from "@atoll-run/testkit";
import { systemClock } from "./node-world.ts";

const Echo = service({
  type: "acme:echo:1.0.0", name: "acme.Echo",
  routes: { Say: route({ input: json<{ text: string }>(), output: json<{ text: string }>() }) },
});
const echo = (hooks: Parameters<typeof Echo.implement>[1] = {}) => Echo.implement({ Say: ({ text }) => ({ text }) }, hooks);
const ANYONE = [{ effect: "allow", from: { type: "*:*:*", realm: "self", proof: "key" }, actions: ["*"] }] as const;

async function refused(start: Promise<NodeHandle>): Promise<{ code: string; step: unknown }> {
  const error = await start.then(async (handle) => {
    await handle.close();
    return undefined;
  }, (reason: unknown) => reason);
  assert.ok(isFault(error), `not refused as it should: ${String(error)}`);
  return { code: error.code, step: (error.facts as { step_name?: unknown }).step_name };
}

/** Takes connections and never says a word. */
async function openHole(): Promise<{ readonly port: number; readonly taken: () => number; close(): Promise<void> }> {
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => void sockets.add(socket.on("error", () => undefined)));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  return {
    port: typeof address === "object" && address !== null ? address.port : 0, taken: () => sockets.size,
    close: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

test("a start that cannot get an identity is undone with a typed error, and the next one works with the same id", async () => {
  const handles = watchHandles();
  await using closing = new AsyncDisposableStack();
  closing.defer(() => handles.check());
  const dir = await mkdtemp(join(tmpdir(), "atoll-identity-"));
  closing.defer(() => rm(dir, { recursive: true }));
  const realm = closing.use(await createRealm({ memory: true, listen: { public: { host: "127.0.0.1", port: 0 } } }));
  const hole = await openHole();
  closing.defer(() => hole.close());
  const url = realm.addresses?.url ?? "";
  const make = (o: Partial<NodeConfig>, hooks: Parameters<typeof Echo.implement>[1] = {}) =>
    createNode({ name: "echo", dir: join(dir, "node"), realm: { url }, acl: ANYONE, ...o }).link(echo(hooks));
  const ids: string[] = [];
  const works = async (): Promise<void> => {
    const handle = await make({}).start();
    ids.push(handle.id === undefined ? "" : formatNodeId(handle.id));
    assert.deepEqual(await handle.call(Echo.routes.Say, { text: "hi" }, { to: "self" }), { text: "hi" });
    await handle.close();
  };
  await works();
  assert.deepEqual(await refused(make({ realm: { url: "http://127.0.0.1:1" } }).start()), { code: "node.unavailable", step: "registration" });
  assert.deepEqual(await refused(make({ listen: { port: hole.port } }).start()), { code: "node.bind_failed", step: "listeners" });
  const late = new AbortController();
  const blackHoled = make({ realm: { url, signalingUrl: `ws://127.0.0.1:${hole.port}/signaling/ws` } }).start({ signal: late.signal });
  await until(() => hole.taken() > 0);
  late.abort(new Error("no more patience"));
  assert.equal((await refused(blackHoled)).step, "signaling");
  const broken = make({}, { hooks: { onStart: () => Promise.reject(new Error("no table")) } });
  assert.equal((await refused(broken.start())).step, "on_start");
  await works();
  const secret = await realm.door.admin({
    method: "POST", path: "/admin/v1/secrets", headers: { authorization: `Bearer ${realm.adminToken.reveal()}` },
    body: new TextEncoder().encode(JSON.stringify({ realm: 1 })),
  });
  assert.equal(secret.status, 200);
  const stranger = make({ dir: join(dir, "other"), realm: { url, secret: "not-the-secret" } });
  assert.deepEqual(await refused(stranger.start()), { code: "node.permission_denied", step: "registration" });
  assert.equal(new Set(ids).size, 1);
});

test("hooks come in the order of seq, may call others, and one that throws is told to onError once", async () => {
  await using realm = await createRealm({ memory: true, listen: { public: { host: "127.0.0.1", port: 0 } } });
  const url = realm.addresses?.url ?? "";
  await using other = await createNode({ name: "other", memory: true, realm: { url }, acl: ANYONE }).link(echo()).start();
  const to = other.id === undefined ? "" : formatNodeId(other.id);
  const heard: { name: string; seq: number }[] = [];
  const errors: string[] = [];
  const note = (name: string) => ({ seq }: { readonly seq: number }): void => void heard.push({ name, seq });
  let answer = "";
  const host = await createNode({ name: "host", memory: true, realm: { url }, acl: ANYONE }).link(echo({ hooks: {
    onSignalingConnecting: note("connecting"), onSignalingConnected: note("connected"), onStart: note("start"),
    onCredentialRenewed: (fact) => {
      note("renewed")(fact);
      throw new Error("this hook is broken");
    },
    onReady: async (fact, ctx: Ctx) => {
      note("ready")(fact);
      answer = (await ctx.call(Echo.routes.Say, { text: "from a hook" }, { to })).text;
    },
    onWebSocketConnected: (fact) => {
      note("link")(fact);
      assert.deepEqual([fact.peer, fact.direction, fact.proof], [to, "out", "key"]);
    },
    onError: (fact) => {
      note("error")(fact);
      errors.push(`${fact.category} ${fact.context}`);
      throw new Error("and so is this one");
    },
    onStop: note("stop"),
  } })).start();
  assert.equal(answer, "from a hook");
  await host.close();
  const names = heard.map(({ name }) => name);
  assert.deepEqual(names.filter((name) => name !== "link" && name !== "error"), ["connecting", "connected", "renewed", "start", "ready", "stop"]);
  assert.ok(names.includes("link"));
  assert.deepEqual(errors, ["hook_failure on_credential_renewed"]);
  const seqs = heard.map(({ seq }) => seq);
  assert.deepEqual(seqs, seqs.toSorted((a, b) => a - b));
  assert.equal(new Set(seqs).size, seqs.length);
});

interface Pair {
  readonly host: NodeHandle;
  readonly other: NodeHandle;
  /** Id of the other. */
  readonly to: string;
  admin(path: string, body?: object): Promise<void>;
  /** The clock of the realm goes on by that. */
  later(ms: number): void;
}

/** Two nodes with a WebSocket between them, the first of which has called the other. */
async function pair(run: (o: Pair) => Promise<void>): Promise<void> {
  let aheadMs = 0;
  const clock: Clock = { ...systemClock, now: () => Date.now() + aheadMs };
  await using realm = await createRealm({ memory: true, clock, listen: { public: { host: "127.0.0.1", port: 0 } } });
  const url = realm.addresses?.url ?? "";
  await using other = await createNode({ name: "other", memory: true, realm: { url }, acl: ANYONE }).link(echo()).start();
  await using host = await createNode({ name: "host", memory: true, realm: { url }, acl: ANYONE }).link(echo()).start();
  const to = other.id === undefined ? "" : formatNodeId(other.id);
  assert.deepEqual(await host.call(Echo.routes.Say, { text: "hi" }, { to }), { text: "hi" });
  const admin: Pair["admin"] = async (path, body = {}) => {
    const { status } = await realm.door.admin({
      method: "POST", path: `/admin/v1/${path}`, headers: { authorization: `Bearer ${realm.adminToken.reveal()}` },
      body: new TextEncoder().encode(JSON.stringify(body)),
    });
    assert.equal(status, 200);
  };
  await run({ host, other, to, admin, later: (ms) => (aheadMs += ms) });
}

function linksOf(node: NodeHandle): number | undefined {
  return node.metrics()['connections{wire="websocket",state="up"}'];
}

test("a revoked node loses its links within seconds, and whom it calls refuses it", async () => {
  await pair(async ({ host, other, to, admin }) => {
    const from = host.id === undefined ? "" : formatNodeId(host.id);
    assert.equal(linksOf(other), 1);
    await admin("revoke", { id: from });
    await until(() => linksOf(other) === 0, { withinMs: 15_000 });
    await assert.rejects(host.call(Echo.routes.Say, { text: "again" }, { to, deadlineMs: 3_000 }), (error) => isFault(error));
  });
});

test("a renewed credential is shown on the link that stands; the host may tell of the network, and is told what came of it", async () => {
  await pair(async ({ host, other, to, admin, later }) => {
    const renewals = (node: NodeHandle): number => node.metrics()["session_renewals"] ?? 0;
    await admin("keys");
    // A minute later the new key signs, and the Pong of a ping warns of it; reporting a path makes both ping.
    later(61_000);
    const reports = [host, other].map((node) => node.network.report({ is: "path", sequence: 1, status: "available" }));
    assert.deepEqual(await Promise.all(reports), [{ action: "restore" }, { action: "restore" }]);
    await until(() => renewals(host) === 1 && renewals(other) === 1);
    assert.deepEqual(await host.call(Echo.routes.Say, { text: "hi" }, { to }), { text: "hi" });
    assert.deepEqual([linksOf(host), linksOf(other)], [1, 1]);
    assert.deepEqual([host.metrics()["links_closed_total"], other.metrics()["websocket_accepted"]], [0, 1]);
    assert.deepEqual(await host.network.report({ is: "force_reconnect", why: "manual" }), { action: "force_reconnect" });
    await until(() => host.health().network?.signaling === "up");
    assert.deepEqual(await host.call(Echo.routes.Say, { text: "back" }, { to }), { text: "back" });
  });
});
