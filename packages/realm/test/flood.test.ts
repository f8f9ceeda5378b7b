/** Strangers and floods: refused with a code that says what to do, in bounded memory, and harmless to the others. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { must } from "@atoll-run/core";
import { HELLO_SUBPROTOCOL, writeSignaling, type SignalingEnvelope } from "@atoll-run/core/internal";
import { toOrigin } from "../src/internal.ts";
import {
  ANYONE, bearerHeaders, connect, dial, ELSEWHERE, helloHeaders, join, newConnection, openRealm, PING, readRegistered, registration,
  type TestConnection,
} from "./clients.ts";

const codesOf = (connection: TestConnection): number[] => connection.received.flatMap(({ flow }: SignalingEnvelope) =>
  flow.case === "envelopeError" ? [flow.value.code] : []);

test("one address may register 100 times at once, then twice a second, and is told when to come again", async () => {
  await using test = await openRealm();
  const secret = String((await test.admin("POST", "secrets", { realm: 1 })).body["secret"]);
  const register = async (address: string): Promise<{ code: number; wait: string | undefined }> => {
    const answer = await test.realm.door.ais({
      method: "POST", path: "/ais/register", body: await registration(test.clock, {}),
      headers: { "x-actrix-realm-secret": secret }, origin: { address, loopback: false },
    });
    const done = readRegistered(answer);
    return { code: done.ok ? 0 : done.code, wait: answer.headers["retry-after"] };
  };
  for (let at = 0; at < 100; at++) assert.equal((await register("a")).code, 0);
  assert.deepEqual(await register("a"), { code: 429, wait: "1" });
  assert.equal((await register("b")).code, 0, "another address is not touched");
  test.clock.advance(1_000);
  assert.deepEqual([await register("a"), await register("a"), await register("a")].map(({ code }) => code), [0, 0, 429]);
});

test("connections that prove nothing are bounded per address, and those that failed make the next one wait", async () => {
  await using test = await openRealm();
  const node = await join(test);
  const open = async (): Promise<number> => {
    const upgrade = await test.realm.door.signaling({ headers: { "sec-websocket-protocol": HELLO_SUBPROTOCOL }, origin: ELSEWHERE });
    if (upgrade.ok) upgrade.open(newConnection(node).take);
    return upgrade.ok ? 101 : upgrade.code;
  };
  for (let at = 0; at < 100; at++) assert.equal(await open(), 101);
  assert.equal(await open(), 429, "100 are open and prove nothing");
  test.clock.advance(5_000);
  assert.equal(await open(), 429, "all of them failed");
  const other = await dial(test, node, { origin: { address: "198.51.100.1", loopback: false } });
  assert.ok(other.ok, "another address is not touched");
  test.clock.advance(12_000);
  assert.equal(await open(), 101, "five a minute");
});

test("wrong credentials are charged to their address, proofs are not: a fleet behind one address returns at once", async () => {
  await using test = await openRealm();
  const nodes = await Promise.all(Array.from({ length: 60 }, () => join(test)));
  const dialled = await Promise.all(nodes.map((node) => connect(test, node, { origin: ELSEWHERE })));
  assert.equal(dialled.length, 60);
  const node = must(nodes[0], "a node");
  const bad = { ...helloHeaders(node, test.clock).headers, "x-actr-credential": "AAAA" };
  const codes: number[] = [];
  for (let at = 0; at < 12; at++) {
    const upgrade = await test.realm.door.signaling({ headers: bad, origin: ELSEWHERE });
    codes.push(upgrade.ok ? 101 : upgrade.code);
  }
  assert.deepEqual(codes, [...Array.from({ length: 10 }, () => 401), 429, 429]);
});

test("a node that asks too much is told to pause, then cut; the others do not notice", async () => {
  await using test = await openRealm();
  const [loud, calm] = [await join(test), await join(test)];
  const quiet = await connect(test, calm);
  const connection = await connect(test, loud, { origin: ELSEWHERE });
  const flood = (count: number): void => {
    for (let at = 0; at < count; at++) connection.ask(PING).catch(() => undefined);
  };
  for (let at = 0; at < 12 && connection.closed === undefined; at++) {
    flood(100);
    await quiet.ask(PING);
    await test.clock.pass(0);
  }
  const told = codesOf(connection);
  assert.ok(told.length > 0 && told.length <= 20 && told.every((code) => code === 429), `told ${told.length} times`);
  assert.equal(connection.closed?.code, 4_429);
  assert.ok(test.realm.stats().signaling_refused_total >= 600);
});

test("frames that wait are bounded, and a frame that is too large ends the connection", async () => {
  await using test = await openRealm();
  const node = await join(test);
  const connection = await connect(test, node);
  const ping = writeSignaling({ envelopeId: "x", flow: { case: "envelopeError", value: { code: 1, message: "" } } });
  for (let at = 0; at < 300; at++) connection.incoming.frame(ping);
  assert.equal(connection.closed?.code, 4_429);
  const other = await connect(test, node);
  other.incoming.frame(new Uint8Array(2 * 1_048_576 + 1));
  assert.equal(other.closed?.code, 4_413);
});

test("a text frame, a slow reader and too many subscriptions are refused", async () => {
  await using test = await openRealm();
  const node = await join(test, { rules: ANYONE });
  const connection = await connect(test, node);
  for (let at = 0; at < 256; at++) {
    await connection.ask({ case: "subscribeActrUpRequest", value: { targetType: { manufacturer: "a", name: "b", version: `${at}` } } });
  }
  const { flow } = await connection.ask({ case: "subscribeActrUpRequest", value: { targetType: node.id.type } });
  assert.ok(flow.case === "serverToActr" && flow.value.payload.case === "error" && flow.value.payload.value.code === 429);
  connection.incoming.wrong();
  assert.equal(connection.closed?.code, 4_400);

  const { headers } = helloHeaders({ ...node, key: undefined }, test.clock);
  assert.ok(headers["x-actr-credential"]);
  const bearer = await join(test, { bearer: true });
  const upgrade = await test.realm.door.signaling({ headers: bearerHeaders(bearer) });
  assert.ok(upgrade.ok);
  const held = newConnection(bearer);
  held.connection.incoming = upgrade.open({ ...held.take, buffered: () => 5 * 1_048_576 });
  await assert.rejects(held.connection.ask(PING), /closed with 4429/);
});

test("web pages of other origins may not connect or ask, unless they are listed", async () => {
  await using test = await openRealm({ origins: ["https://app.example"] });
  const node = await join(test);
  for (const [origin, expected] of [["https://evil.example", 403], ["null", 403], ["https://app.example", 101]] as const) {
    const { headers } = helloHeaders(node, test.clock);
    const upgrade = await test.realm.door.signaling({ headers: { ...headers, origin } });
    assert.equal(upgrade.ok ? 101 : upgrade.code, expected, origin);
    const answer = await test.realm.door.ais({ method: "GET", path: "/ais/keys", headers: { origin } });
    assert.equal(answer.status, expected === 101 ? 200 : 403);
    assert.equal(answer.headers["access-control-allow-origin"], expected === 101 ? origin : undefined);
  }
  const preflight = await test.realm.door.ais({ method: "OPTIONS", path: "/ais/register", headers: { origin: "https://app.example" } });
  assert.equal(preflight.status, 204);
});

test("addresses of this machine are told from others, and one IPv6 household is one", () => {
  assert.deepEqual(["127.0.0.1", "::1", "::ffff:127.0.0.9", "10.0.0.1", "::ffff:10.0.0.1", undefined]
    .map((address) => toOrigin(address).loopback), [true, true, true, false, false, false]);
  assert.equal(toOrigin("2001:db8:1:2:3:4:5:6").address, toOrigin("2001:db8:1:2::9").address);
  assert.notEqual(toOrigin("2001:db8:1:3::9").address, toOrigin("2001:db8:1:2::9").address);
  assert.equal(toOrigin("::5").address, "0:0:0:0::/64");
});

test("a node that comes and goes again and again is heard six times, then every other second", async () => {
  await using test = await openRealm();
  const node = await join(test, { rules: ANYONE });
  const watcher = await connect(test, await join(test));
  await watcher.ask({ case: "subscribeActrUpRequest", value: { targetType: node.id.type } });
  const connection = await connect(test, node);
  for (let at = 0; at < 20; at++) {
    await connection.ask({ case: "ping", value: { ...PING.value, availability: at % 2 === 0 ? 3 : 0 } });
  }
  const told = watcher.received.filter(({ flow }) => flow.case === "serverToActr" && /actr(?:Up|Down)Event/.test(String(flow.value.payload.case)));
  assert.equal(told.length, 6);
});

test("who relays to a node that reads too slowly is told so, and the node stays", async () => {
  await using test = await openRealm();
  const [node, slow] = [await join(test), await join(test, { rules: ANYONE, bearer: true })];
  const connection = await connect(test, node);
  const upgrade = await test.realm.door.signaling({ headers: bearerHeaders(slow) });
  assert.ok(upgrade.ok);
  const held = newConnection(slow);
  held.connection.incoming = upgrade.open({ ...held.take, buffered: () => 600_000 });
  const asked = connection.relay({ case: "iceRestartRequest", value: {} }, slow.id);
  const { flow } = await connection.next("a refusal", ({ replyFor }) => replyFor === asked);
  assert.ok(flow.case === "serverToActr" && flow.value.payload.case === "error" && flow.value.payload.value.code === 503);
  assert.equal(held.connection.closed, undefined);
});
