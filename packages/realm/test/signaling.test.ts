import assert from "node:assert/strict";
import { test } from "node:test";
import { formatNodeId, formatType, must, type NodeId } from "@atoll-run/core";
import {
  fromActrId, HELLO_SUBPROTOCOL, makeHelloProof, readHelloS, verifyHelloS, writeHelloC, type RouteCandidatesResponse_Ok,
  type Rule, type SignalingEnvelope,
} from "@atoll-run/core/internal";
import {
  ANYONE, bearerHeaders, bytes, connect, credentialBytes, dial, ELSEWHERE, helloHeaders, join, newConnection, newKey, openRealm,
  PATIENT, PING, readRenewed, renewal, type Dialled, type TestConnection, type TestNode, type TestRealm,
} from "./clients.ts";

const code = (dialled: Dialled): number => dialled.ok ? 101 : dialled.code;

/** What the realm says to a node. */
function payload<C extends Kind>({ flow }: SignalingEnvelope, kind: C): Value<C> {
  assert.equal(flow.case, "serverToActr");
  const { case: found, value } = (flow.value as ToActr).payload;
  assert.equal(found, kind);
  return value as unknown as Value<C>;
}
type Value<C extends Kind> = NonNullable<Extract<ToActr["payload"], { case: C }>["value"]>;
type Kind = NonNullable<ToActr["payload"]["case"]>;
type ToActr = Extract<SignalingEnvelope["flow"], { case: "serverToActr" }>["value"];

const errorOf = (envelope: SignalingEnvelope): number => payload(envelope, "error").code;
const idText = (id: Parameters<typeof fromActrId>[0] | undefined): string =>
  formatNodeId(must(fromActrId(must(id, "an id")), "an id that reads"));

function candidates(envelope: SignalingEnvelope): RouteCandidatesResponse_Ok {
  const { result } = payload(envelope, "routeCandidatesResponse");
  assert.ok(result.case === "success");
  return result.value;
}
const findType = (type: NodeId["type"]) =>
  ({ case: "routeCandidatesRequest", value: { targetType: type, clientFingerprint: "" } }) as const;

async function isClosed(connection: TestConnection): Promise<number> {
  await assert.rejects(connection.next("nothing", () => false), /closed with/);
  return must(connection.closed, "closed").code;
}

test("a node connects with a hello in headers: the realm proves its key, then the node its own", async () => {
  await using test = await openRealm();
  const node = await join(test);
  const { headers, hello_c } = helloHeaders(node, test.clock);
  const upgrade = await test.realm.door.signaling({ headers });
  assert.ok(upgrade.ok);
  const answer = readHelloS(new Uint8Array(Buffer.from(upgrade.headers["x-atoll-hello"] ?? "", "base64url")));
  assert.ok(answer.ok);
  assert.equal(answer.value.hello.keyId, node.ok.signingKeyId);
  assert.ok(await verifyHelloS(node.ok.signingPubkey, hello_c, answer.value));
  upgrade.abandon();
  const pong = payload(await (await connect(test, node)).ask(PING), "pong");
  assert.deepEqual([pong.suggestIntervalSecs, Number(pong.serverAtMs)], [20, test.clock.now()]);
  assert.ok(pong.seq > 1n);
});

async function inBand(test: TestRealm, node: TestNode, o: { key?: Awaited<ReturnType<typeof newKey>>; early?: true } = {}): Promise<TestConnection> {
  const upgrade = await test.realm.door.signaling({ headers: { "sec-websocket-protocol": HELLO_SUBPROTOCOL }, origin: ELSEWHERE });
  assert.ok(upgrade.ok);
  assert.equal(upgrade.headers["sec-websocket-protocol"], HELLO_SUBPROTOCOL);
  const frames: Uint8Array[] = [];
  const { connection, take } = newConnection(node);
  let proved = false;
  const incoming = upgrade.open({ ...take, send: (frame) => proved ? take.send(frame) : void frames.push(frame) });
  connection.incoming = incoming;
  if (o.early) {
    connection.ask(PING).catch(() => undefined);
    return connection;
  }
  const hello_c = writeHelloC({ nonce: bytes(32), sentAtMs: BigInt(test.clock.now()), features: [], realmId: node.id.realm });
  incoming.frame(hello_c);
  while (frames.length === 0) await new Promise((resolve) => setImmediate(resolve));
  proved = true;
  const [hello_s = new Uint8Array()] = frames;
  const credential = credentialBytes(node);
  incoming.frame(credential);
  incoming.frame(await makeHelloProof(must(o.key ?? node.key, "a key"), { hello_c, hello_s }, credential));
  return connection;
}

test("a browser makes the hello in frames, and nothing else is read before its proof", async () => {
  await using test = await openRealm();
  const node = await join(test);
  const good = await inBand(test, node);
  assert.ok(payload(await good.ask(PING), "pong").seq > 0n);
  assert.equal(await isClosed(await inBand(test, node, { key: await newKey() })), 4_401);
  assert.equal(await isClosed(await inBand(test, node, { early: true })), 4_400);
  const silent = await test.realm.door.signaling({ headers: { "sec-websocket-protocol": HELLO_SUBPROTOCOL } });
  assert.ok(silent.ok);
  const held = newConnection(node);
  silent.open(held.take);
  test.clock.advance(4_999);
  assert.ok(!held.connection.closed);
  test.clock.advance(1);
  assert.equal(await isClosed(held.connection), 4_408);
});

test("a connection that opens while the realm closes ends with it", async () => {
  await using test = await openRealm();
  const node = await join(test);
  const { headers } = helloHeaders(node, test.clock);
  const upgrading = test.realm.door.signaling({ headers });
  await test.realm.close();
  const upgrade = await upgrading;
  assert.ok(upgrade.ok);
  const { connection, take } = newConnection(node);
  upgrade.open(take);
  assert.equal(must(connection.closed, "closed").code, 4_503);
});

test("the credential of another node is refused in every form without a proof of its key", async () => {
  await using test = await openRealm();
  const node = await join(test);
  assert.equal(code(await dial(test, { ...node, key: undefined })), 403, "as a bearer, by headers");
  const claims = must(node.ok.credential, "a credential");
  const query = new URLSearchParams({
    actor_id: formatNodeId(node.id), key_id: String(claims.keyId), claims: Buffer.from(claims.claims).toString("base64"),
    signature: Buffer.from(claims.signature).toString("base64"),
  });
  const upgrade = await test.realm.door.signaling({ query });
  assert.equal(upgrade.ok ? 101 : upgrade.code, 403, "as a bearer, by the old query");
  const stolen = await dial(test, node, { key: await newKey() });
  assert.ok(stolen.ok);
  assert.equal(await isClosed(stolen.connection), 4_401, "with the key of somebody else");
  const thief = await join(test);
  const headers = { ...helloHeaders(thief, test.clock).headers, "x-actr-credential": bearerHeaders(node)["x-actr-credential"] ?? "" };
  const mixed = await test.realm.door.signaling({ headers });
  assert.equal(mixed.ok ? 101 : mixed.code, 401, "under another source");
});

test("a hello is refused when it is old, meant for another realm, or used before", async () => {
  await using test = await openRealm({ realms: [1, 2] });
  const node = await join(test);
  for (const [offMs, expected] of [[-119_000, 101], [-121_000, 401], [121_000, 401]] as const) {
    assert.equal(code(await dial(test, node, { atMs: test.clock.now() + offMs })), expected, `${offMs} ms off`);
  }
  assert.equal(code(await dial(test, node, { realmId: 9 })), 403);
  assert.equal(code(await dial(test, node, { realmId: 2 })), 403);
  const { headers } = helloHeaders(node, test.clock);
  assert.equal(code(await dial(test, node, { headers })), 101);
  assert.equal(code(await dial(test, node, { headers })), 401, "replayed");
});

test("tampered, expired and foreign credentials are refused", async () => {
  await using test = await openRealm();
  await using other = await openRealm();
  const node = await join(test);
  const claims = must(node.ok.credential, "a credential");
  const tampered = { ...node, ok: { ...node.ok, credential: { ...claims, claims: claims.claims.with(1, 2) } } };
  assert.equal(code(await dial(test, tampered)), 401);
  assert.equal(code(await dial(other, node)), 401);
  test.clock.advance(3_600_000 + 59_000);
  assert.equal(code(await dial(test, node)), 101, "a minute of skew");
  test.clock.advance(1_000);
  assert.equal(code(await dial(test, node)), 401);
});

for (const [bearer, fromHere, fromElsewhere] of [["loopback", 101, 403], ["on", 101, 101], ["off", 403, 403]] as const) {
  test(`with bearer = ${bearer} a legacy node gets ${fromHere} from this machine and ${fromElsewhere} from elsewhere`, async () => {
    await using test = await openRealm({ bearer });
    const node = await join(test, { bearer: true });
    assert.equal(code(await dial(test, node)), fromHere);
    assert.equal(code(await dial(test, node, { origin: ELSEWHERE })), fromElsewhere);
  });
}

test("a legacy node is served by the old query and gets none of our fields", async () => {
  await using test = await openRealm();
  const node = await join(test, { bearer: true });
  const target = await join(test, { rules: ANYONE, type: "acme:target:1.0.0" });
  await connect(test, target);
  const credential = must(node.ok.credential, "a credential");
  const query = new URLSearchParams(`actor_id=${encodeURIComponent(formatNodeId(node.id))}&key_id=${credential.keyId}`
    + `&claims=${encodeURIComponent(Buffer.from(credential.claims).toString("base64"))}`
    + `&signature=${encodeURIComponent(Buffer.from(credential.signature).toString("base64"))}`);
  const dialled = await dial(test, node, { query, headers: { "x-actr-source-id": "", "x-actr-credential": "" } });
  assert.equal(code(dialled), 401, "empty headers are no credential");
  const upgrade = await test.realm.door.signaling({ query });
  assert.ok(upgrade.ok);
  const { connection, take } = newConnection(node);
  connection.incoming = upgrade.open(take);
  const pong = payload(await connection.ask(PING), "pong");
  assert.deepEqual([pong.serverAtMs, pong.revoked], [0n, []]);
  const found = candidates(await connection.ask(findType(target.id.type)));
  assert.deepEqual([found.candidates.length, found.info.length], [1, 0]);
});

test("every message bears the identity that was proved", async () => {
  await using test = await openRealm();
  const [node, other] = [await join(test), await join(test, { rules: ANYONE })];
  const connection = await connect(test, node);
  const foreign = { realm: { realmId: 1 }, serialNumber: other.id.serial, type: other.id.type };
  assert.equal(errorOf(await connection.ask(PING, { source: foreign as never })), 403);
  assert.equal(errorOf(await connection.ask(PING, { credential: other.ok.credential })), 403);
  const asked = connection.relay({ case: "iceRestartRequest", value: {} }, other.id, { source: foreign as never });
  assert.equal(errorOf(await connection.next("an error", ({ replyFor }) => replyFor === asked)), 403);
});

test("a newer credential of the same identity goes on; one that is over is told, then the connection ends", async () => {
  await using test = await openRealm(PATIENT);
  const node = await join(test);
  const connection = await connect(test, node);
  test.clock.advance(3_600_000 + 60_000);
  assert.equal(errorOf(await connection.ask(PING)), 401);
  const newer = await join(test, { key: must(node.key, "a key"), previous: node.id });
  await connection.ask(PING, { credential: newer.ok.credential });
  assert.ok(payload(await connection.ask(PING, { credential: newer.ok.credential }), "pong"));
  test.clock.advance(3_600_000 + 15 * 60_000);
  connection.ask(PING, { credential: newer.ok.credential }).catch(() => undefined);
  assert.equal(await isClosed(connection), 4_401);
});

test("a connection on which nothing was heard for 90 seconds ends, and its memory with it", async () => {
  await using test = await openRealm();
  const [silent, speaking] = [await join(test), await join(test)];
  const [one, other] = [await connect(test, silent), await connect(test, speaking)];
  test.clock.advance(60_000);
  await other.ask(PING);
  test.clock.advance(30_000);
  assert.deepEqual([one.closed?.code, other.closed, test.realm.stats().signaling_connections], [4_408, undefined, 1]);
});

test("an entry is dropped after 12 hours: a bearer that renews is up with its first ping, a node with a key is told to register", async () => {
  await using test = await openRealm();
  const node = await join(test, { rules: ANYONE, bearer: true });
  const keyed = await join(test, { rules: ANYONE });
  const key = must(keyed.key, "a key");
  (await connect(test, keyed)).incoming.closed();
  (await connect(test, node)).incoming.closed();
  test.clock.advance(12 * 3_600_000);
  const other = await connect(test, await join(test, { type: "acme:other:1.0.0" }));
  test.clock.advance(60_000);
  await other.ask(PING);
  assert.equal(test.realm.stats().nodes_registered, 1, "its entry is gone");
  const token = node.ok.renewalToken;
  const renewed = readRenewed(await test.realm.door.renew(await renewal(test.clock, node.id, { token })));
  const byKey = readRenewed(await test.realm.door.renew(await renewal(test.clock, keyed.id, { key })));
  assert.ok(renewed.ok && byKey.ok);
  await connect(test, { ...node, ok: renewed.value });
  const told = await dial(test, { ...keyed, ok: byKey.value });
  assert.ok(told.ok);
  assert.equal(errorOf(await told.connection.ask(PING, { credential: byKey.value.credential })), 404);
  assert.equal(candidates(await other.ask(findType(node.id.type))).candidates.length, 1);
});

test("registration on signaling is answered 410, and what a node may not send 400", async () => {
  await using test = await openRealm();
  const connection = await connect(test, await join(test));
  const register = connection.send({ case: "peerToServer", value: {} });
  const { flow } = await connection.next("410", ({ replyFor }) => replyFor === register);
  assert.ok(flow.case === "envelopeError" && flow.value.code === 410);
  const wrong = connection.send({ case: "envelopeError", value: { code: 1, message: "" } });
  assert.equal(errorOf(await connection.next("400", ({ replyFor }) => replyFor === wrong)), 400);
  connection.incoming.frame(new Uint8Array([255, 255]));
  assert.equal(await isClosed(connection), 4_400);
});

test("a newer connection replaces the older one", async () => {
  await using test = await openRealm();
  const node = await join(test);
  const older = await connect(test, node);
  const newer = await connect(test, node);
  assert.equal(older.closed?.code, 4_409);
  assert.ok(payload(await newer.ask(PING), "pong"));
  assert.equal(test.realm.stats().signaling_connections, 1);
});

test("who follows a type hears of nodes it may reach, that come, drain, get lost and leave", async () => {
  await using test = await openRealm();
  const rules: readonly Rule[] = [{ effect: "allow", from: { type: "acme:friend:*", realm: "self" }, actions: ["call:*"] }];
  const watcher = await connect(test, await join(test, { type: "acme:friend:1.0.0" }));
  const stranger = await connect(test, await join(test, { type: "acme:stranger:1.0.0" }));
  const legacy = await connect(test, await join(test, { type: "acme:friend:2.0.0", bearer: true }));
  const node = await join(test, { rules });
  for (const one of [watcher, stranger, legacy]) {
    await one.ask({ case: "subscribeActrUpRequest", value: { targetType: node.id.type } });
  }
  const connection = await connect(test, node);
  await connection.ask({ ...PING, value: { ...PING.value, availability: 3 } });
  assert.deepEqual(candidates(await watcher.ask(findType(node.id.type))).candidates, [], "a draining node is not offered");
  await connection.ask(PING);
  test.clock.advance(60_000);
  assert.deepEqual(candidates(await watcher.ask(findType(node.id.type))).candidates, []);
  await connection.ask(PING);
  await watcher.ask({ case: "unsubscribeActrUpRequest", value: { targetType: { ...node.id.type, name: "other" } } });
  const news = (one: TestConnection): string[] => one.received.flatMap(({ flow }) => {
    if (flow.case !== "serverToActr") return [];
    const { case: kind, value } = flow.value.payload;
    if (kind === "actrUpEvent") return [`up ${idText(value.actorId) === formatNodeId(node.id)}`];
    return kind === "actrDownEvent" ? [`down ${value.reason}`] : [];
  });
  assert.deepEqual(news(watcher).slice(0, 5), ["up true", "down draining", "up true", "down lost", "up true"]);
  assert.deepEqual(news(stranger), []);
  assert.deepEqual(news(legacy), ["up true", "up true", "up true"], "a legacy node knows of no down");
});

test("a node leaves with an answer, is gone from the registry, and its connection ends", async () => {
  await using test = await openRealm();
  const node = await join(test, { rules: ANYONE });
  const connection = await connect(test, node);
  const actrId = { realm: { realmId: 1 }, serialNumber: node.id.serial, type: node.id.type };
  const left = await connection.ask({ case: "unregisterRequest", value: { actrId, reason: "done" } } as never);
  assert.equal(payload(left, "unregisterResponse").result.case, "success");
  assert.equal(connection.closed?.code, 1_000);
  assert.deepEqual([test.realm.stats().nodes_registered, test.realm.stats().signaling_connections], [0, 0]);
});

test("services are discovered and described to whom a rule lets in", async () => {
  await using test = await openRealm();
  const spec = { name: "bank.Bank", fingerprint: "f1", description: "accounts", tags: ["money"], publishedAt: 7n };
  const rules: readonly Rule[] = [{ effect: "allow", from: { type: "acme:friend:*", realm: "self" }, actions: ["call:*"] }];
  const node = await join(test, { rules, type: "acme:bank:1.0.0", more: { serviceSpec: spec as never } });
  await connect(test, node);
  const friend = await connect(test, await join(test, { type: "acme:friend:1.0.0" }));
  const stranger = await connect(test, await join(test, { type: "acme:stranger:1.0.0" }));
  const discover = { case: "discoveryRequest", value: { manufacturer: "acme" } } as const;
  const { result } = payload(await friend.ask(discover as never), "discoveryResponse");
  assert.ok(result.case === "success");
  const [entry] = result.value.entries;
  assert.deepEqual([entry?.name, entry?.serviceFingerprint, entry?.description, entry?.tags, entry?.publishedAt],
    ["bank.Bank", "f1", "accounts", ["money"], 7n]);
  assert.equal(formatType(must(entry?.actrType, "a type")), "acme:bank:1.0.0");
  const nothing = payload(await stranger.ask(discover as never), "discoveryResponse").result;
  assert.ok(nothing.case === "success" && nothing.value.entries.length === 0);
  const ask = { case: "getServiceSpecRequest", value: { name: "bank.Bank" } } as const;
  const described = payload(await friend.ask(ask), "getServiceSpecResponse").result;
  assert.ok(described.case === "success" && described.value.fingerprint === "f1");
  const hidden = payload(await stranger.ask(ask), "getServiceSpecResponse").result;
  assert.ok(hidden.case === "error" && hidden.value.code === 404);
});

test("signing keys are told by their number", async () => {
  await using test = await openRealm();
  const node = await join(test);
  const connection = await connect(test, node);
  const key = payload(await connection.ask({ case: "getSigningKeyRequest", value: { keyId: 1 } }), "getSigningKeyResponse");
  assert.deepEqual([key.keyId, key.pubkey], [1, node.ok.signingPubkey]);
  assert.equal(errorOf(await connection.ask({ case: "getSigningKeyRequest", value: { keyId: 7 } })), 404);
  await test.admin("POST", "keys", {});
  test.clock.advance(60_000);
  const pong = payload(await connection.ask(PING), "pong");
  assert.equal(pong.credentialWarning?.type, 0, "the key of its credential retires: renew");
});

test("a revoked id loses its connection and its place at once, and every aware node is told", async () => {
  await using test = await openRealm();
  const node = await join(test, { rules: ANYONE });
  const key = must(node.key, "a key");
  const connection = await connect(test, node);
  const aware = await connect(test, await join(test));
  const legacy = await connect(test, await join(test, { bearer: true }));
  const id = formatNodeId(node.id);
  const { body } = await test.admin("POST", "revoke", { id, reason: "stolen" });
  assert.equal(body["epoch"], 1);
  assert.equal(connection.closed?.code, 4_401);
  const told = payload(await aware.next("the news", ({ replyFor }) => replyFor === ""), "pong");
  assert.deepEqual(told.revoked.map(({ actorId, epoch }) => [actorId, epoch]), [[id, 1n]]);
  assert.deepEqual(payload(await aware.ask(PING), "pong").revoked, [], "told once");
  assert.deepEqual(payload(await legacy.ask(PING), "pong").revoked, []);
  assert.equal(legacy.received.some(({ replyFor }) => replyFor === ""), false);
  assert.equal(code(await dial(test, node)), 401);
  await assert.rejects(join(test, { key, previous: node.id }), /403/);
  const late = await connect(test, await join(test));
  assert.deepEqual(payload(must(late.received[0], "a pong"), "pong").revoked.map(({ actorId }) => actorId), [id], "newcomers too");
});
