/**
 * What a node makes of those it dials (spec: node 6.4, 8; wire 6.3, 6.5), and how its connections behave under limits
 * (6.3, 6.6). Goal: nobody is taken for another, nothing leaves this machine in plain text, and each bound holds.
 */
import assert from "node:assert/strict";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { after, test } from "node:test";
import { connect } from "node:tls";
import { WebSocketServer, type WebSocket } from "ws";
import { formatNodeId, type DialOptions, type Link, type LinkEnd } from "@atoll-run/core";
import { makeHelloS, toActrId, type SigningKey } from "@atoll-run/core/internal";
import { makeRefresh, NODE_LIMITS, openWebSocketWire, takeRefresh, type LimitsOf, type Session, type WebSocketOptions } from "@atoll-run/node/internal";
import { until } from "@atoll-run/testkit";
import { cable } from "./cable.ts";
import { certificate } from "./certificate.ts";
import { realClock } from "./clock.ts";
import { bytes, newSession, sourceOf, testRealm } from "./realm.ts";
import { enter, frame, knock, shown, testServer } from "./server.ts";

const realm = await testRealm();
const bob = await newSession(realm);
const certified = certificate();
const noTls = certified === undefined ? "there is no openssl here" : false;

interface Dialler extends AsyncDisposable {
  readonly session: Session;
  readonly got: Uint8Array[];
  readonly ends: LinkEnd[];
  dial(address: string, o?: Partial<DialOptions>): Promise<Link>;
}

async function dialler(o: WebSocketOptions & { readonly bearer_self?: boolean; readonly limits?: Partial<LimitsOf<"wire">> } = {}): Promise<Dialler> {
  const session = await newSession(realm, { bearer: o.bearer_self === true });
  const wire = await openWebSocketWire({
    clock: realClock, bytes, session: sourceOf(session), verifier: realm.verifier, events: { accepted: () => () => undefined },
  }, o, { ...NODE_LIMITS.wire, ...o.limits });
  const [got, ends]: [Uint8Array[], LinkEnd[]] = [[], []];
  return {
    session, got, ends,
    dial: (address, more = {}) => wire.dial({
      id: bob.id, address, withinMs: 20_000, receive: (link) => {
        void link.ended.then((end) => ends.push(end));
        return (_lane, body) => got.push(body);
      }, ...more,
    }),
    [Symbol.asyncDispose]: () => wire[Symbol.asyncDispose](),
  };
}

type Greet = (request: IncomingMessage) => Promise<readonly string[]> | readonly string[];

/** A server of another make. */
async function imposter(greet: Greet): Promise<{ readonly address: string; readonly sockets: WebSocket[] }> {
  const http = createServer();
  const sockets: WebSocket[] = [];
  const upgrader = new WebSocketServer({ noServer: true });
  const headers = new WeakMap<IncomingMessage, readonly string[]>();
  upgrader.on("headers", (list, request) => list.push(...headers.get(request) ?? []));
  http.on("upgrade", (request, socket, head) => {
    void Promise.resolve(greet(request)).then((list) => {
      headers.set(request, list);
      upgrader.handleUpgrade(request, socket, head, (one) => sockets.push(one));
    });
  });
  await new Promise<void>((resolve) => {
    http.listen(0, "127.0.0.1", resolve);
  });
  after(() => {
    for (const one of sockets) one.terminate();
    http.close();
  });
  return { address: `ws://127.0.0.1:${(http.address() as AddressInfo).port}/`, sockets };
}

const helloC = (request: IncomingMessage): Uint8Array => new Uint8Array(Buffer.from(String(request.headers["x-atoll-hello"]), "base64url"));

function greeting(as: Session, o: { readonly key?: SigningKey; readonly features?: readonly string[]; readonly at_ms?: number; readonly nonce?: Uint8Array } = {}): Greet {
  return async (request) => {
    const key = o.key ?? as.key;
    assert.ok(key);
    const hello = await makeHelloS(key, helloC(request), {
      nonce: o.nonce ?? bytes(32), source: toActrId(as.id), credential: as.credential, features: [...o.features ?? ["rpc1"]],
      sentAtMs: BigInt(o.at_ms ?? Date.now()),
    });
    return [`X-Atoll-Hello: ${Buffer.from(hello).toString("base64url")}`];
  };
}

const other = await newSession(realm);
const stolen = await newSession(realm);
const keyless = await newSession(realm, { bearer: true, id: bob.id });
const foreign = await newSession(await testRealm(), { id: bob.id });
const recorded = { hello: "" };
const SERVERS: readonly (readonly [title: string, greet: Greet, code: string])[] = [
  ["is another node", greeting(other), "node.identity_mismatch"],
  ["shows the id of the peer and the credential of another", greeting({ ...other, id: bob.id }), "node.identity_mismatch"],
  ["has stolen the credential of the peer", greeting(bob, { key: stolen.key as never }), "node.identity_mismatch"],
  ["shows a credential that names no key", greeting({ ...keyless, key: bob.key }), "node.identity_mismatch"],
  ["shows a credential of another realm", greeting(foreign), "node.permission_denied"],
  ["greets as of two minutes ago", greeting(bob, { at_ms: Date.now() - 125_000 }), "node.proof_required"],
  ["greets with nonsense", () => ["X-Atoll-Hello: AAAA"], "node.decode_failure"],
  ["repeats the hello that the peer gave to another", () => [recorded.hello], "node.identity_mismatch"],
  ["does not greet although the realm names a key", () => [], "node.proof_required"],
];

test("a server that cannot prove to be the peer is left without a word of ours", async () => {
  await using ann = await dialler();
  const true_one = await imposter(async (request) => {
    const list = await greeting(bob)(request);
    recorded.hello = list[0] ?? "";
    return list;
  });
  await (await ann.dial(true_one.address)).close(1000, "");
  for (const [title, greet, code] of SERVERS) {
    const server = await imposter(greet);
    const heard: unknown[] = [];
    const dialled = ann.dial(server.address, { node_key: (bob.key as SigningKey).publicKey });
    await assert.rejects(dialled, { code }, title);
    const socket = await until(() => server.sockets[0]);
    socket.on("message", (message) => heard.push(message));
    await until(() => socket.readyState === 3);
    assert.deepEqual(heard, [], title);
  }
  assert.equal(ann.ends.length, 1);
});

test("a key that is not the one the realm names is refused, even with a good credential", async () => {
  await using ann = await dialler();
  const server = await imposter(greeting(bob));
  await assert.rejects(ann.dial(server.address, { node_key: (other.key as SigningKey).publicKey }), { code: "node.identity_mismatch" });
});

test("a legacy server on this machine is taken as a bearer, by security.bearer", async () => {
  const server = await imposter(() => []);
  await using ann = await dialler();
  const link = await ann.dial(server.address);
  assert.deepEqual([link.peer.proof, link.peer.features.size, link.opening], ["bearer", 0, undefined]);
  server.sockets[0]?.send(frame(0, 2, Buffer.from("hi")));
  await until(() => ann.got.length === 1);
  await using strict = await dialler({ bearer: "off" });
  await assert.rejects(strict.dial(server.address), { code: "node.proof_required" });
});

test("a node without a key comes as a bearer, with nothing but its credential", async () => {
  await using server = await testServer(realm, { session: bob });
  await using ann = await dialler({ bearer_self: true });
  const link = await ann.dial(server.address);
  assert.equal(link.peer.proof, "bearer");
  const came = await until(() => server.links[0]);
  assert.deepEqual([came.peer.proof, formatNodeId(came.peer.id)], ["bearer", formatNodeId(ann.session.id)]);
});

for (const [status, headers, code, after_ms] of [
  [401, {}, "node.permission_denied", undefined], [403, { "X-Atoll-Error": "node.proof_required" }, "node.proof_required", undefined],
  [429, { "Retry-After": "7" }, "node.overloaded", 7_000], [503, { "Retry-After": "1", "X-Atoll-Error": "node.draining" }, "node.draining", 1_000],
  [200, {}, "node.unavailable", undefined], [302, { Location: "ws://127.0.0.1:1/" }, "node.unavailable", undefined],
  [503, { "X-Atoll-Error": "node.business", "Retry-After": "99999999" }, "node.unavailable", 600_000],
] as const) {
  test(`a server that answers ${status} ${JSON.stringify(headers)} is understood as ${code}`, async () => {
    const http = createServer();
    http.on("upgrade", (_request, socket) => {
      const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`).join("");
      socket.end(`HTTP/1.1 ${status} X\r\nContent-Length: 0\r\nConnection: close\r\n${lines}\r\n`);
    });
    await new Promise<void>((resolve) => {
      http.listen(0, "127.0.0.1", resolve);
    });
    await using ann = await dialler();
    await assert.rejects(ann.dial(`ws://127.0.0.1:${(http.address() as AddressInfo).port}/`), (fault: { code: string; retry_after_ms?: number }) => {
      assert.deepEqual([fault.code, fault.retry_after_ms], [code, after_ms]);
      return true;
    });
    http.close();
  });
}

test("plain ws leaves this machine only by setting, and what is no address is refused", async () => {
  await using ann = await dialler();
  await assert.rejects(ann.dial("ws://192.0.2.1:1/"), { code: "node.permission_denied" });
  for (const address of ["http://127.0.0.1:1/", "nonsense", "ws://u:p@127.0.0.1:1/", ""]) {
    await assert.rejects(ann.dial(address), { code: "node.invalid_argument" }, address);
  }
  await assert.rejects(testServer(realm, { listen: { host: "0.0.0.0", port: 0 } }), { code: "node.invalid_argument" });
  await using server = await testServer(realm, { session: bob });
  const port = Number(new URL(server.address).port);
  await assert.rejects(testServer(realm, { listen: { host: "127.0.0.1", port } }), { code: "node.bind_failed" });
});

test("what is advertised is the bound port, or what the host says", async () => {
  for (const [advertise, expected] of [
    [undefined, /^ws:\/\/127\.0\.0\.1:\d+\/$/], ["node.example", /^ws:\/\/node\.example:\d+\/$/],
    ["node.example:443", /^ws:\/\/node\.example:443\/$/], ["wss://node.example/a", /^wss:\/\/node\.example\/a$/],
    ["2001:db8::1", /^ws:\/\/\[2001:db8::1\]:\d+\/$/],
  ] as const) {
    await using server = await testServer(realm, { listen: { host: "127.0.0.1", port: 0, advertise } });
    assert.match(server.address, expected);
  }
});

test("with a certificate the wire is wss: who trusts its authority connects, who does not is not fooled, TLS 1.1 is refused", { skip: noTls }, async () => {
  assert.ok(certified);
  await using server = await testServer(realm, { session: bob, listen: { host: "127.0.0.1", port: 0, tls: certified } });
  assert.match(server.address, /^wss:/);
  await using ann = await dialler({ ca: [certified.ca] });
  const link = await ann.dial(server.address);
  link.send("rpc_reliable", Buffer.from("secret"));
  await until(() => server.got.length === 1);
  await using eve = await dialler();
  await assert.rejects(eve.dial(server.address), { code: "node.unavailable" });
  const old = connect({ host: "127.0.0.1", port: Number(new URL(server.address).port), maxVersion: "TLSv1.1", minVersion: "TLSv1", ca: certified.ca });
  await assert.rejects(new Promise((resolve, reject) => {
    old.on("secureConnect", resolve).on("error", reject).on("close", () => reject(new Error("closed")));
  }));
});

test("beyond the connections of a second, and beyond all connections, who knocks is asked to come again", async () => {
  await using busy = await testServer(realm, { session: bob, limits: { connectionsPerSecond: 1, connectionsBurst: 3, connectionsMax: 2 } });
  const ann = await newSession(realm);
  const [first, second] = [await enter(busy, ann), await enter(busy, ann)];
  await until(() => busy.links.length === 2);
  const full = await knock(busy.address, shown(ann));
  assert.deepEqual([full.status, full.retry_after], [503, "1"]);
  await using quick = await testServer(realm, { limits: { connectionsPerSecond: 1, connectionsBurst: 1 } });
  await enter(quick, ann);
  const late = await knock(quick.address, shown(ann));
  assert.deepEqual([late.status, late.error, late.retry_after], [429, "node.overloaded", "1"]);
  await using dials = await dialler({ limits: { connectionsMax: 1 } });
  await using target = await testServer(realm, { session: bob });
  await dials.dial(target.address);
  await assert.rejects(dials.dial(target.address), { code: "node.overloaded" });
  first.socket.close();
  second.socket.close();
});

test("a peer that sends too fast is read more slowly, over all its connections; nothing is lost and others are not slowed", async () => {
  await using server = await testServer(realm, { limits: { peerMessagesPerSecond: 200, peerMessagesBurst: 100 } });
  const [ann, eve] = [await newSession(realm), await newSession(realm)];
  const fast = [await enter(server, ann), await enter(server, ann)];
  const calm = await enter(server, eve);
  await until(() => server.links.length === 3);
  const began = performance.now();
  for (let at = 0; at < 150; at++) for (const { socket } of fast) socket.send(frame(0, 1, Buffer.of(at)));
  calm.socket.send(frame(1, 4, Buffer.from("calm")));
  await until(() => server.got.some(({ lane }) => lane === "rpc_signal"));
  // What one read brings is taken whole: only the next one waits for the bucket.
  await until(() => server.got.length === 301);
  for (const { socket } of fast) socket.send(frame(0, 1, Buffer.of(255)));
  await until(() => server.got.length === 303);
  assert.ok(performance.now() - began > 900, "two hundred messages above the burst take a second");
  for (const { socket } of [...fast, calm]) socket.close();
});

test("a silent peer is asked whether it lives; one that says nothing is ended as broken", async () => {
  await using server = await testServer(realm, { session: bob, limits: { pingMs: 100, deadMs: 2_500 } });
  const wired = await cable(server.address);
  await using ann = await dialler();
  const link = await ann.dial(wired.address);
  await until(() => server.links.length === 1);
  await new Promise((resolve) => setTimeout(resolve, 600));
  assert.equal(server.ends.length, 0, "answers to pings are signs of life");
  wired.hold(true);
  await until(() => server.ends.length === 1);
  assert.deepEqual(server.ends[0], { code: 1006, reason: "the peer gave no sign of life", broken: true });
  assert.equal(await link.probe(50), false);
  await wired[Symbol.asyncDispose]();
});

test("a reader that does not read fills the buffer to the high mark, and the sender waits until it reads", async () => {
  await using server = await testServer(realm, { session: bob });
  const { socket } = await enter(server, await newSession(realm));
  const link = await until(() => server.links[0]);
  socket.pause();
  let sent = 0;
  while (link.bufferedBytes <= NODE_LIMITS.wire.bufferedBytesHigh) {
    link.send("stream_reliable", bytes(65_536));
    sent++;
    if (sent % 16 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  let drained = false;
  const waiting = link.drained().then(() => {
    drained = true;
  });
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.equal(drained, false);
  let got = 0;
  socket.on("message", () => got++);
  socket.resume();
  await waiting;
  assert.ok(link.bufferedBytes <= NODE_LIMITS.wire.bufferedBytesLow);
  await until(() => got === sent);
  socket.close();
});

test("a renewed credential is taken on the link it was proved for, from its peer alone", async () => {
  await using server = await testServer(realm, { session: bob });
  await using ann = await dialler();
  const out = await ann.dial(server.address);
  const came = await until(() => server.links[0]);
  assert.deepEqual(out.opening, came.opening);
  const renewed: unknown[] = [];
  const parts = { verifier: realm.verifier, peers: () => ({ renewed: (...all: unknown[]) => renewed.push(all) }) };
  const next = await newSession(realm, { id: ann.session.id, key: ann.session.key as SigningKey, expires_at_ms: Date.now() + 7_200_000, epoch: 3n });
  const payload = await makeRefresh(next, out);
  assert.ok(payload);
  await takeRefresh(parts, came, payload);
  assert.partialDeepStrictEqual(renewed, [[came, { epoch: 3n }]]);
  const second = await ann.dial(server.address);
  const elsewhere = await makeRefresh(next, second);
  const eve = await newSession(realm);
  const ofEve = await makeRefresh(eve, out);
  assert.ok(elsewhere && ofEve);
  await assert.rejects(takeRefresh(parts, came, elsewhere), { code: "node.identity_mismatch" });
  await assert.rejects(takeRefresh(parts, came, ofEve), { code: "node.identity_mismatch" });
  await assert.rejects(takeRefresh(parts, came, bytes(9)), { code: "node.decode_failure" });
  assert.equal(renewed.length, 1);
});

test("a dial that nobody answers ends in its time", async () => {
  const http = createServer();
  http.on("upgrade", () => undefined);
  await new Promise<void>((resolve) => {
    http.listen(0, "127.0.0.1", resolve);
  });
  await using ann = await dialler();
  const address = `ws://127.0.0.1:${(http.address() as AddressInfo).port}/`;
  await assert.rejects(ann.dial(address, { withinMs: 100 }), { code: "node.unavailable" });
  const reason = new Error("enough");
  const controller = new AbortController();
  const dialled = assert.rejects(ann.dial(address, { signal: controller.signal }), reason);
  controller.abort(reason);
  await dialled;
  http.closeAllConnections();
  http.close();
});
