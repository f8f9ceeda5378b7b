/** The realm behind real sockets: HTTP, WebSocket, two ports. */
import assert from "node:assert/strict";
import { connect as connectTcp, createServer, type Socket } from "node:net";
import { once } from "node:events";
import { after, before, test } from "node:test";
import { formatNodeId, must, Secret, type Clock } from "@atoll-run/core";
import {
  HELLO_SUBPROTOCOL, makeHelloProof, readSignaling, writeHelloC, writeSignaling, type SignalingEnvelope, toActrId,
} from "@atoll-run/core/internal";
import { createRealm, type Realm, type RealmAddresses, type RealmParts } from "@atoll-run/realm";
import { memoryState, until } from "@atoll-run/testkit";
import { WebSocket } from "ws";
import {
  ADMIN, bytes, credentialBytes, helloHeaders, newKey, PING, readRegistered, registration, type RegisterInit, type TestNode,
} from "./clients.ts";

const clock: Clock = {
  now: () => Date.now(), monotonic: () => performance.now(),
  after: (ms, then) => {
    const timer = setTimeout(then, ms);
    return { [Symbol.dispose]: () => clearTimeout(timer) };
  },
};
const parts = (): RealmParts => ({
  clock, random: Math.random, bytes, log: { write: () => undefined }, store: memoryState(), adminToken: new Secret(ADMIN),
});
const LISTEN = { public: { host: "127.0.0.1", port: 0 }, admin: { host: "127.0.0.1", port: 0 } };

let realm: Realm;
let at: RealmAddresses;

before(async () => {
  realm = createRealm(parts(), { origins: ["https://app.example"] });
  at = must(await realm.open({ listen: LISTEN }), "addresses");
});
after(() => realm.close());

async function join(init: RegisterInit = {}, url = at.ais_url): Promise<TestNode> {
  const key = await newKey();
  const answer = await fetch(`${url}/register`, {
    method: "POST", body: Buffer.from(await registration(clock, { ...init, key })), headers: { "content-type": "application/x-protobuf" },
  });
  assert.equal(answer.status, 200);
  const done = readRegistered({ status: 200, headers: {}, body: new Uint8Array(await answer.arrayBuffer()) });
  assert.ok(done.ok);
  return { id: done.id, ok: done.value, key };
}

interface Opened {
  readonly ws: WebSocket;
  readonly received: SignalingEnvelope[];
  ping(): Promise<void>;
}

/** Connects with a hello in headers and waits for the first pong. */
async function open(node: TestNode, url = at.signaling_url): Promise<Opened> {
  const { headers, hello_c } = helloHeaders(node, clock);
  const ws = new WebSocket(url, { headers });
  const received: SignalingEnvelope[] = [];
  const upgraded = once(ws, "upgrade");
  const opened = once(ws, "open");
  const [answer] = await upgraded as [{ headers: Record<string, string> }];
  await opened;
  const hello_s = new Uint8Array(Buffer.from(answer.headers["x-atoll-hello"] ?? "", "base64url"));
  ws.send(await makeHelloProof(must(node.key, "a key"), { hello_c, hello_s }, credentialBytes(node)));
  ws.on("message", (data: Buffer) => {
    const read = readSignaling(new Uint8Array(data), 1 << 20);
    if (read.ok) received.push(read.value);
  });
  let pings = 0;
  const ping = async (): Promise<void> => {
    const envelopeId = `env-${++pings}`;
    ws.send(writeSignaling({ envelopeId, flow: { case: "actrToServer", value: {
      source: toActrId(node.id), credential: must(node.ok.credential, "a credential"), payload: PING as never,
    } } }));
    await until(() => received.find(({ replyFor }) => replyFor === envelopeId), { what: `the pong of ${formatNodeId(node.id)}` });
  };
  await ping();
  return { ws, received, ping };
}

test("a node registers by HTTP, connects by WebSocket and gets its pong", async () => {
  const { ws, received } = await open(await join());
  assert.equal(received.length, 1);
  ws.close();
  await until(() => realm.stats().signaling_connections === 0);
});

test("a browser's WebSocket makes the hello in frames", async () => {
  const node = await join();
  const ws = new WebSocket(at.signaling_url, [HELLO_SUBPROTOCOL], { headers: { origin: "https://app.example" } });
  await once(ws, "open");
  assert.equal(ws.protocol, HELLO_SUBPROTOCOL);
  const hello_c = writeHelloC({ nonce: bytes(32), sentAtMs: BigInt(clock.now()), features: [], realmId: 1 });
  const answered = once(ws, "message");
  ws.send(hello_c);
  const hello_s = new Uint8Array((await answered)[0] as Buffer);
  ws.send(credentialBytes(node));
  ws.send(await makeHelloProof(must(node.key, "a key"), { hello_c, hello_s }, credentialBytes(node)));
  await until(() => realm.stats().signaling_connections === 1);
  ws.send("text");
  const [code] = await once(ws, "close");
  assert.equal(code, 4_400);
});

test("an upgrade that is refused gets a status, Retry-After and a code", async () => {
  const refused = async (headers: Record<string, string>, path = ""): Promise<readonly [number, string | undefined]> => {
    const ws = new WebSocket(`${at.signaling_url}${path}`, { headers });
    ws.on("error", () => undefined);
    const [, response] = await once(ws, "unexpected-response") as [unknown, { statusCode: number; headers: Record<string, string> }];
    ws.terminate();
    return [response.statusCode, response.headers["x-atoll-error"]];
  };
  assert.deepEqual(await refused({}), [401, "permission_denied"]);
  assert.deepEqual(await refused({ origin: "https://evil.example" }), [403, "permission_denied"]);
  const node = await join();
  const { "x-atoll-hello": _, ...bearer } = helloHeaders(node, clock).headers;
  assert.deepEqual(await refused(bearer), [403, "proof_required"]);
  assert.deepEqual(await refused({}, "/elsewhere"), [404, "404"]);
});

test("public keys are JSON, unknown endpoints 404, wrong methods 405, large bodies 413", async () => {
  const keys = await (await fetch(`${at.ais_url}/keys`)).json() as { status: string; keys: { key_id: number; pubkey: string }[] };
  assert.equal(keys.status, "ok");
  for (const path of ["health", "current-key", "signing-pubkey", "signing-pubkey?key_id=1", "health/"]) {
    const answer = await (await fetch(`${at.ais_url}/${path}`)).json();
    assert.deepEqual(answer, { status: "ok", key_id: 1, pubkey: keys.keys[0]?.pubkey });
  }
  const status = async (path: string, init: RequestInit = {}): Promise<number> => (await fetch(`${at.url}${path}`, init)).status;
  assert.equal(await status("/ais/signing-pubkey?key_id=9"), 404);
  assert.equal(await status("/ais/nothing"), 404);
  assert.equal(await status("/ais/register"), 405);
  assert.equal(await status("/ais/renew", { method: "POST", body: Buffer.alloc(2 * 1_048_576 + 1) }), 413);
  assert.equal(await status("/ais/renew", { method: "POST", body: Buffer.alloc(10) }), 400);
});

test("rotate-key and the admin API refuse everybody without the token, and admin is not on the public port", async () => {
  const status = async (url: string, headers: Record<string, string> = {}, method = "GET"): Promise<number> =>
    (await fetch(url, { method, headers })).status;
  const bearer = (token: string): Record<string, string> => ({ authorization: `Bearer ${token}` });
  for (const token of ["", "admin", "secret", "changeme", ADMIN.slice(1), `${ADMIN} x`]) {
    assert.equal(await status(`${at.ais_url}/rotate-key`, bearer(token), "POST"), 401, token);
    assert.equal(await status(`${at.admin_url}/admin/v1/realms`, bearer(token)), 401, token);
  }
  assert.equal(await status(`${at.admin_url}/admin/v1/realms`), 401);
  assert.equal(await status(`${at.admin_url}/admin/v1/realms`, bearer(ADMIN)), 200);
  assert.equal(await status(`${at.url}/admin/v1/realms`, bearer(ADMIN)), 404);
  assert.equal(await status(`${at.ais_url}/rotate-key`, bearer(ADMIN), "POST"), 200);
  const open = createRealm({ ...parts(), adminToken: new Secret("") });
  await open.open();
  assert.equal((await open.door.admin({ method: "GET", path: "/admin/v1/realms", headers: bearer("") })).status, 401);
  await open.close();
});

test("a port in use fails the start and leaves nothing bound; plain http beyond this machine must be allowed", async () => {
  const holder = createServer();
  holder.listen(0, "127.0.0.1");
  await once(holder, "listening");
  const { port } = holder.address() as { port: number };
  const failing = createRealm(parts());
  await assert.rejects(failing.open({ listen: { ...LISTEN, admin: { host: "127.0.0.1", port } } }), { code: "realm.bind_failed" });
  assert.equal(failing.state, "closed");
  await new Promise((resolve) => holder.close(resolve));
  const outside = createRealm(parts());
  await assert.rejects(outside.open({ listen: { public: { host: "0.0.0.0", port: 0 } } }), { code: "realm.invalid_argument" });
  assert.throws(() => createRealm(parts(), { realms: [-1], worker: 32 }), { code: "realm.invalid_argument" });
});

test("closing ends connections with 4503 and frees the port", async () => {
  const short = createRealm(parts());
  const there = must(await short.open({ listen: LISTEN }), "addresses");
  const { ws } = await open(await join({}, there.ais_url), there.signaling_url);
  const ended = once(ws, "close");
  await short.close();
  assert.equal((await ended)[0], 4_503);
  const socket = connectTcp(Number(new URL(there.url).port), "127.0.0.1");
  const [error] = await once(socket, "error") as [{ code: string }];
  assert.equal(error.code, "ECONNREFUSED");
  await assert.rejects(short.open(), { code: "realm.wrong_state" });
});

test("whoever was refused and keeps its side open loses its socket, and closing waits for nobody who says nothing", async () => {
  const short = createRealm(parts());
  const there = must(await short.open({ listen: LISTEN }), "addresses");
  const knock = async (text: string): Promise<Socket> => {
    const socket = connectTcp({ port: Number(new URL(there.url).port), host: "127.0.0.1", allowHalfOpen: true });
    socket.on("error", () => undefined);
    await once(socket, "connect");
    socket.write(text);
    return socket;
  };
  const refused = await knock("GET /signaling/ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
  const [[answer]] = await Promise.all([once(refused, "data"), once(refused, "end")]) as unknown as [[Buffer]];
  assert.match(answer.toString(), /^HTTP\/1.1 401 /);
  await until(() => refused.destroyed || !refused.write("x"), { what: "a reset: there is no socket any more" });
  const silent = await knock("GET / HT");
  const closed = new Promise((resolve) => void silent.once("close", resolve));
  await short.close();
  await closed;
});

test("200 nodes return at once after a restart, with the ids they had", async () => {
  const store = memoryState();
  const first = createRealm({ ...parts(), store });
  const there = must(await first.open({ listen: LISTEN }), "addresses");
  const nodes: TestNode[] = [];
  for (let made = 0; made < 200; made += 20) nodes.push(...await Promise.all(Array.from({ length: 20 }, () => join({}, there.ais_url))));
  const sockets = await Promise.all(nodes.map((node) => open(node, there.signaling_url)));
  assert.equal(first.stats().nodes_up, 200);
  const ended = sockets.map(({ ws }) => once(ws, "close"));
  await first.close();
  await Promise.all(ended);
  const second = createRealm({ ...parts(), store });
  const again = must(await second.open({ listen: LISTEN }), "addresses");
  assert.deepEqual([second.stats().nodes_registered, second.stats().nodes_up], [200, 0], "stale until a ping");
  const returned = await Promise.all(nodes.map((node) => open(node, again.signaling_url)));
  assert.deepEqual([second.stats().signaling_connections, second.stats().nodes_up], [200, 200]);
  for (const { ws } of returned) ws.terminate();
  await second.close();
});

test("a client that resets its socket in the middle of anything harms nobody", async () => {
  const { hostname, port } = new URL(at.url);
  const upgrade = `GET /signaling/ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n`
    + "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
  const starts = [
    `${upgrade}\r\n`, `${upgrade}Sec-WebSocket-Protocol: ${HELLO_SUBPROTOCOL}\r\n\r\n`, `${upgrade}X-Actr-Credential: AAAA\r\n\r\n`,
    "POST /ais/register HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nabc", "nonsense\r\n\r\n", "GET / HTTP",
  ];
  for (const start of [...starts, ...starts, ...starts]) {
    const socket = connectTcp(Number(port), hostname);
    socket.on("error", () => undefined);
    await once(socket, "connect");
    socket.write(start);
    await new Promise((resolve) => setImmediate(resolve));
    const closed = once(socket, "close");
    socket.resetAndDestroy();
    await closed;
  }
  const { ws } = await open(await join());
  ws.terminate();
});
